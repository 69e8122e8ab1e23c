package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// list prints every value of a database, one line each, in key order: the buckets and the key joined by " / ",
// a tab, the JSON. It only reads.
func list(path string, to io.Writer) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	db, err := bolt.Open(path, 0o400, &bolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	out := bufio.NewWriter(to)
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			return walk(bucket, []string{string(name)}, out)
		})
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

func walk(bucket *bolt.Bucket, path []string, out io.Writer) error {
	return bucket.ForEach(func(key, value []byte) error {
		here := append(path[:len(path):len(path)], string(key))
		if value == nil {
			return walk(bucket.Bucket(key), here, out)
		}
		_, err := fmt.Fprintf(out, "%s\t%s\n", strings.Join(here, " / "), value)
		return err
	})
}

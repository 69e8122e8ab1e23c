// Command tar-oracle says what Go's archive/tar reads in tar archives.
//
//	tar-oracle FILE…
//
// For each file it prints one JSON line per entry and a last one that has "entries" (how many there were) or, when
// reading failed, "error". Names are base64 of their bytes, because names in archives need not be text.
package main

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxContent is how much of an entry is read: a sparse file may claim to be of any size.
const maxContent = 64 << 20

type entry struct {
	File     string `json:"file"`
	Name     []byte `json:"name"`
	Typeflag string `json:"typeflag"`
	Size     int64  `json:"size"`
	Mode     int64  `json:"mode"`
	UID      int    `json:"uid"`
	GID      int    `json:"gid"`
	Linkname []byte `json:"linkname"`
	// Read is how many bytes the content has, which is not Size for a folder whose header states one.
	Read   int64  `json:"read"`
	SHA256 string `json:"sha256"`
}

type ending struct {
	File    string `json:"file"`
	Entries int    `json:"entries"`
	Error   string `json:"error,omitempty"`
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: tar-oracle FILE…")
		os.Exit(2)
	}
	out := bufio.NewWriter(os.Stdout)
	for _, file := range os.Args[1:] {
		if err := tell(file, json.NewEncoder(out)); err != nil {
			fmt.Fprintln(os.Stderr, "tar-oracle:", err)
			os.Exit(1)
		}
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "tar-oracle:", err)
		os.Exit(1)
	}
}

// tell fails when the file cannot be opened or the answer not be written; a broken archive is an answer.
func tell(file string, out *json.Encoder) error {
	opened, err := os.Open(file)
	if err != nil {
		return err
	}
	defer opened.Close()
	archive := tar.NewReader(bufio.NewReader(opened))
	for count := 0; ; count++ {
		seen, err := next(archive)
		if errors.Is(err, io.EOF) {
			return out.Encode(ending{File: file, Entries: count})
		}
		if err != nil {
			return out.Encode(ending{File: file, Entries: count, Error: err.Error()})
		}
		seen.File = file
		if err := out.Encode(seen); err != nil {
			return err
		}
	}
}

func next(archive *tar.Reader) (entry, error) {
	header, err := archive.Next()
	if err != nil {
		return entry{}, err
	}
	sum := sha256.New()
	read, err := io.Copy(sum, io.LimitReader(archive, maxContent+1))
	if err != nil {
		// Never io.EOF: the end of the archive inside an entry is an error.
		return entry{}, fmt.Errorf("content of %q: %s", header.Name, err)
	}
	if read > maxContent {
		return entry{}, fmt.Errorf("content of %q: more than %d bytes", header.Name, maxContent)
	}
	return entry{
		Name:     []byte(header.Name),
		Typeflag: string(rune(header.Typeflag)),
		Size:     header.Size,
		Mode:     header.Mode,
		UID:      header.Uid,
		GID:      header.Gid,
		Linkname: []byte(header.Linkname),
		Read:     read,
		SHA256:   hex.EncodeToString(sum.Sum(nil)),
	}, nil
}

// Command fixture-db makes a Trivy vulnerability database (schema 2) from advisory rows, and lists one.
//
//	fixture-db --rows FILE… --out DIR [--updated RFC3339] [--next RFC3339] [--archive FILE.tar.gz]
//	fixture-db --list TRIVY_DB
//
// The same rows and dates give the same bytes.
package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type request struct {
	rows                                 []string
	out, updated, next, archive, listing string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fixture-db:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	asked, err := parseArgs(args)
	if err != nil {
		return err
	}
	if asked.listing != "" {
		return list(asked.listing, os.Stdout)
	}
	return build(asked)
}

// parseArgs is our own because --rows takes every argument up to the next flag.
func parseArgs(args []string) (request, error) {
	var asked request
	single := map[string]*string{"--out": &asked.out, "--updated": &asked.updated, "--next": &asked.next,
		"--archive": &asked.archive, "--list": &asked.listing}
	for i := 0; i < len(args); i++ {
		if args[i] == "--rows" {
			for i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
				i++
				asked.rows = append(asked.rows, args[i])
			}
			continue
		}
		target, known := single[args[i]]
		if !known || i+1 == len(args) {
			return asked, fmt.Errorf("unknown flag or flag without a value: %s", args[i])
		}
		i++
		*target = args[i]
	}
	if asked.listing == "" && (len(asked.rows) == 0 || asked.out == "") {
		return asked, errors.New("usage: --rows FILE… --out DIR [--updated RFC3339] [--next RFC3339] [--archive FILE], or --list DB")
	}
	return asked, nil
}

func build(asked request) error {
	metadata, err := metadataOf(asked)
	if err != nil {
		return err
	}
	var rows []row
	for _, path := range asked.rows {
		more, err := readRows(path)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	collected, err := collect(rows)
	if err != nil {
		return err
	}
	all, err := collected.entries()
	if err != nil {
		return err
	}
	folder := filepath.Join(asked.out, "db")
	if err := writeDB(filepath.Join(folder, "trivy.db"), all); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "metadata.json"), metadata, 0o644); err != nil {
		return err
	}
	if asked.archive != "" {
		return pack(asked.archive, folder)
	}
	return nil
}

func metadataOf(asked request) ([]byte, error) {
	updated := time.Now().UTC().Truncate(time.Second)
	if asked.updated != "" {
		at, err := time.Parse(time.RFC3339, asked.updated)
		if err != nil {
			return nil, fmt.Errorf("--updated: %w", err)
		}
		updated = at.UTC()
	}
	next := updated.Add(24 * time.Hour)
	if asked.next != "" {
		at, err := time.Parse(time.RFC3339, asked.next)
		if err != nil {
			return nil, fmt.Errorf("--next: %w", err)
		}
		next = at.UTC()
	}
	return json.Marshal(struct {
		Version                             int
		NextUpdate, UpdatedAt, DownloadedAt time.Time
	}{2, next, updated, updated})
}

// pack writes trivy.db and metadata.json, at the top of the archive as Trivy's own distribution has them.
func pack(path, folder string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	compressed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, name := range []string{"metadata.json", "trivy.db"} {
		body, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)), Format: tar.FormatUSTAR, ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(body); err != nil {
			return err
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		return err
	}
	return file.Close()
}

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// row is one line of an advisory file (data/README.md).
type row struct {
	Ecosystem string      `json:"ecosystem"` // absent = pip: the PyPI file carries none
	Package   string      `json:"package"`
	ID        string      `json:"id"`
	Aliases   []string    `json:"aliases"`
	Ranges    []rangeSpec `json:"ranges"`
	Fixed     string      `json:"fixed"`
	Published string      `json:"published"`
	CVSS      string      `json:"cvss"`
	Sources   []string    `json:"sources"`
}

type rangeSpec struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
}

// ecosystem is where the scanner looks advisories up, and whom it names as their source.
type ecosystem struct {
	bucket, id, name, url string
	library               bool
}

var ecosystems = map[string]ecosystem{
	"pip": {"pip::GitHub Security Advisory pip", "pypa", "Python Packaging Advisory Database",
		"https://github.com/pypa/advisory-database", true},
	"npm": {"npm::GitHub Security Advisory npm", "ghsa", "GitHub Security Advisory npm",
		"https://github.com/advisories?query=type%3Areviewed+ecosystem%3Anpm", true},
	"maven": {"maven::GitHub Security Advisory Maven", "ghsa", "GitHub Security Advisory Maven",
		"https://github.com/advisories?query=type%3Areviewed+ecosystem%3Amaven", true},
	"debian 12":   {"debian 12", "debian", "Debian package changelogs", "", false},
	"alpine 3.20": {"alpine 3.20", "alpine", "Alpine Secdb", "https://secdb.alpinelinux.org/", false},
}

var cveID = regexp.MustCompile(`^CVE-\d{4}-\d{4,}$`)
var separators = regexp.MustCompile(`[-_.]+`)

// readRows reads a JSON Lines file. It refuses a key it does not know, an unknown ecosystem, a row that says
// neither which versions are affected nor which fixes them, and a date or vector it cannot read.
func readRows(path string) ([]row, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var rows []row
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for line := 1; scanner.Scan(); line++ {
		parsed, err := parseRow(scanner.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		rows = append(rows, parsed)
	}
	return rows, scanner.Err()
}

func parseRow(line []byte) (row, error) {
	var parsed row
	decoder := json.NewDecoder(strings.NewReader(string(line)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&parsed); err != nil {
		return parsed, err
	}
	if parsed.Ecosystem == "" {
		parsed.Ecosystem = "pip"
	}
	where, known := ecosystems[parsed.Ecosystem]
	if !known {
		return parsed, fmt.Errorf("unknown ecosystem %q", parsed.Ecosystem)
	}
	if parsed.Package == "" || parsed.ID == "" || where.library != (len(parsed.Ranges) > 0) || where.library == (parsed.Fixed != "") {
		return parsed, fmt.Errorf("%s: package, id, and ranges (libraries) or fixed (distributions) are needed", parsed.ID)
	}
	if parsed.Ecosystem == "pip" { // https://packaging.python.org/en/latest/specifications/name-normalization/
		parsed.Package = strings.ToLower(separators.ReplaceAllString(parsed.Package, "-"))
	}
	published, err := timestamp(parsed.Published)
	parsed.Published = published
	return parsed, err
}

// key is the id under which an advisory is stored: its CVE, else the id of the row.
func (r row) key() string {
	for _, id := range append([]string{r.ID}, r.Aliases...) {
		if cveID.MatchString(id) {
			return id
		}
	}
	return r.ID
}

// otherIDs are the ids beside the key, in the order of the row.
func (r row) otherIDs() []string {
	var ids []string
	for _, id := range append([]string{r.ID}, r.Aliases...) {
		if id != r.key() {
			ids = append(ids, id)
		}
	}
	return ids
}

// timestamp turns the date forms that occur into RFC 3339 in UTC, seconds; the scanner drops severity and title
// of an advisory dated in any other form. "" and "None" are no date.
func timestamp(text string) (string, error) {
	if text == "" || text == "None" {
		return "", nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00"} {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC().Truncate(time.Second).Format(time.RFC3339), nil
		}
	}
	return "", fmt.Errorf("cannot read the date %q", text)
}

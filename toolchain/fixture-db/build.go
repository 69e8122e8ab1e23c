package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	bolt "go.etcd.io/bbolt"
)

type libraryAdvisory struct {
	VulnerableVersions []string
	PatchedVersions    []string `json:",omitempty"`
	VendorIDs          []string `json:",omitempty"`
}

type distroAdvisory struct {
	FixedVersion string
}

type score struct {
	V3Vector string
	V3Score  float64
}

type vulnerability struct {
	Title          string
	Severity       string
	VendorSeverity map[string]int   `json:",omitempty"`
	CVSS           map[string]score `json:",omitempty"`
	PublishedDate  string           `json:",omitempty"`
	worst          int
	fixes          []string
	upload         bool // the date is only that of a distribution's upload
}

type content struct {
	advisories      map[[3]string]any // bucket, package, id
	vulnerabilities map[string]*vulnerability
	sources         map[string]ecosystem
}

// collect merges rows. Two rows on one package and CVE add up their ranges; two that fix the same CVE of a
// distribution's package in different versions contradict each other and are refused.
func collect(rows []row) (content, error) {
	c := content{map[[3]string]any{}, map[string]*vulnerability{}, map[string]ecosystem{}}
	for _, r := range rows {
		where := ecosystems[r.Ecosystem]
		c.sources[where.bucket] = where
		at := [3]string{where.bucket, r.Package, r.key()}
		if !where.library {
			if before, twice := c.advisories[at]; twice && before != (distroAdvisory{r.Fixed}) {
				return c, fmt.Errorf("%v: two fixed versions", at)
			}
			c.advisories[at] = distroAdvisory{r.Fixed}
		} else {
			before, _ := c.advisories[at].(libraryAdvisory)
			c.advisories[at] = mergeRanges(before, r)
		}
		if err := c.describe(r, where); err != nil {
			return c, fmt.Errorf("%v: %w", at, err)
		}
	}
	return c, nil
}

func mergeRanges(into libraryAdvisory, r row) libraryAdvisory {
	for _, span := range r.Ranges {
		var bounds []string
		if span.Introduced != "" && span.Introduced != "0" {
			bounds = append(bounds, ">="+span.Introduced)
		}
		if span.Fixed != "" {
			bounds = append(bounds, "<"+span.Fixed)
			into.PatchedVersions = addOnce(into.PatchedVersions, span.Fixed)
		}
		if span.LastAffected != "" {
			bounds = append(bounds, "<="+span.LastAffected)
		}
		if len(bounds) == 0 {
			bounds = []string{">=0"}
		}
		into.VulnerableVersions = addOnce(into.VulnerableVersions, strings.Join(bounds, ", "))
	}
	for _, id := range r.otherIDs() {
		into.VendorIDs = addOnce(into.VendorIDs, id)
	}
	return into
}

func addOnce(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

// describe adds what a row knows of its vulnerability: its date, and a severity only where a vector gives one.
func (c content) describe(r row, where ecosystem) error {
	v := c.vulnerabilities[r.key()]
	if v == nil {
		v = &vulnerability{Severity: severityNames[0], VendorSeverity: map[string]int{}, CVSS: map[string]score{}}
		c.vulnerabilities[r.key()] = v
	}
	v.fixes = addOnce(v.fixes, fix(r))
	v.date(r)
	if r.CVSS == "" {
		return nil
	}
	base, err := baseScore(r.CVSS)
	if err != nil {
		return err
	}
	level := severity(base)
	if before, twice := v.CVSS[where.id]; !twice || base > before.V3Score {
		v.VendorSeverity[where.id] = level
		v.CVSS[where.id] = score{r.CVSS, base}
	}
	if level > v.worst {
		v.worst = level
		v.Severity = severityNames[level]
	}
	return nil
}

// date keeps the earliest day of publication. The day of a Debian upload stands in for it only while no other row
// knows better: an upload may be prepared before, or follow long after.
func (v *vulnerability) date(r row) {
	upload := strings.HasPrefix(r.Ecosystem, "debian")
	if r.Published == "" || (v.PublishedDate != "" && upload && !v.upload) {
		return
	}
	if v.PublishedDate == "" || r.Published < v.PublishedDate || (v.upload && !upload) {
		v.PublishedDate, v.upload = r.Published, upload
	}
}

// fix says where a row's vulnerability is and what mends it, in our own wording: package, fixed versions and, for
// distributions, which one; nothing of the advisory's text.
func fix(r row) string {
	if r.Fixed != "" {
		return fmt.Sprintf("in %s, fixed in %s (%s)", r.Package, r.Fixed, r.Ecosystem)
	}
	var fixed []string
	for _, span := range r.Ranges {
		if span.Fixed != "" {
			fixed = addOnce(fixed, span.Fixed)
		}
	}
	if len(fixed) == 0 {
		return fmt.Sprintf("in %s, no fixed version known", r.Package)
	}
	return fmt.Sprintf("in %s, fixed in %s", r.Package, strings.Join(fixed, ", "))
}

type entry struct {
	path  []string // buckets, outermost first
	key   string
	value []byte
}

// entries lists every value with its place, sorted, so that equal rows give equal files.
func (c content) entries() ([]entry, error) {
	var all []entry
	add := func(value any, key string, path ...string) error {
		text, err := json.Marshal(value)
		all = append(all, entry{path, key, text})
		return err
	}
	for at, advisory := range c.advisories {
		if err := add(advisory, at[2], at[0], at[1]); err != nil {
			return nil, err
		}
	}
	for id, v := range c.vulnerabilities {
		slices.Sort(v.fixes)
		v.Title = id + " " + strings.Join(v.fixes, "; ")
		if err := add(v, id, "vulnerability"); err != nil {
			return nil, err
		}
	}
	for bucket, where := range c.sources {
		source := map[string]string{"ID": where.id, "Name": where.name, "URL": where.url}
		if err := add(source, bucket, "data-source"); err != nil {
			return nil, err
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].line() < all[j].line() })
	return all, nil
}

func (e entry) line() string {
	return strings.Join(append(slices.Clone(e.path), e.key), "\x00")
}

// writeDB writes one transaction per innermost bucket: bbolt lays out sibling buckets of one transaction in map
// order, which differs from run to run.
func writeDB(path string, all []entry) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	db, err := bolt.Open(path, 0o644, &bolt.Options{FreelistType: bolt.FreelistArrayType, NoSync: true, NoGrowSync: true, PageSize: 4096})
	if err != nil {
		return err
	}
	for start := 0; start < len(all); {
		end := start
		for end < len(all) && slices.Equal(all[end].path, all[start].path) {
			end++
		}
		if err := db.Update(func(tx *bolt.Tx) error { return put(tx, all[start:end]) }); err != nil {
			db.Close()
			return err
		}
		start = end
	}
	if err := db.Sync(); err != nil {
		db.Close()
		return err
	}
	return db.Close()
}

func put(tx *bolt.Tx, group []entry) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte(group[0].path[0]))
	for _, name := range group[0].path[1:] {
		if err == nil {
			bucket, err = bucket.CreateBucketIfNotExists([]byte(name))
		}
	}
	for _, e := range group {
		if err == nil {
			err = bucket.Put([]byte(e.key), e.value)
		}
	}
	return err
}

package main

import "testing"

// Scores as the National Vulnerability Database and the GitHub Advisory Database print them.
func TestBaseScore(t *testing.T) {
	for vector, want := range map[string]float64{
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 9.8, // CVE-2021-44906
		"CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H": 8.8, // CVE-2022-46175
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H": 7.5, // CVE-2024-4068
		"CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H": 7.2, // CVE-2021-23337
		"CVSS:3.1/AV:N/AC:H/PR:L/UI:N/S:U/C:H/I:L/A:H": 7.1, // CVE-2022-46175
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:L": 7.3, // CVE-2024-12797
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:N": 6.5, // CVE-2023-26136
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:N/A:N": 6.5, // CVE-2023-45857
		"CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H": 5.9, // CVE-2024-50602
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L": 5.3, // CVE-2023-26115
		"CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N": 6.1, // the usual cross-site scripting
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H": 10,  // CVE-2021-44228
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N": 0,
	} {
		got, err := baseScore(vector)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", vector, got, err, want)
		}
	}
}

func TestBaseScoreRefuses(t *testing.T) {
	for _, vector := range []string{
		"", "AV:N/AC:L/Au:N/C:P/I:P/A:P", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
		"CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
	} {
		if got, err := baseScore(vector); err == nil {
			t.Errorf("%q: got %v, want an error", vector, got)
		}
	}
}

func TestTimestamp(t *testing.T) {
	for given, want := range map[string]string{
		"":                            "",
		"None":                        "",
		"2021-07-30T22:15:00Z":        "2021-07-30T22:15:00Z",
		"2023-11-14 21:15:00+00:00":   "2023-11-14T21:15:00Z",
		"2023-11-14 22:15:00+01:00":   "2023-11-14T21:15:00Z",
		"2021-07-30T22:15:00.123456Z": "2021-07-30T22:15:00Z",
	} {
		if got, err := timestamp(given); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", given, got, err, want)
		}
	}
	if got, err := timestamp("yesterday"); err == nil {
		t.Errorf("yesterday: got %q, want an error", got)
	}
}

package main

import (
	"fmt"
	"math"
	"strings"
)

// Weights of the base metrics of CVSS 3.0 and 3.1 (https://www.first.org/cvss/v3.1/specification-document, 7.4).
var weights = map[string]map[string]float64{
	"AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
	"AC": {"L": 0.77, "H": 0.44},
	"UI": {"N": 0.85, "R": 0.62},
	"C":  {"H": 0.56, "L": 0.22, "N": 0},
	"I":  {"H": 0.56, "L": 0.22, "N": 0},
	"A":  {"H": 0.56, "L": 0.22, "N": 0},
}

var privileges = map[string]map[string]float64{
	"U": {"N": 0.85, "L": 0.62, "H": 0.27},
	"C": {"N": 0.85, "L": 0.68, "H": 0.5},
}

// baseScore computes the base score of a CVSS 3.0 or 3.1 vector. It refuses any other version, and a vector
// whose base metrics are not each there once: a severity is computed or absent, never guessed.
func baseScore(vector string) (float64, error) {
	metrics, err := parseVector(vector)
	if err != nil {
		return 0, err
	}
	value := map[string]float64{}
	for name, table := range weights {
		weight, known := table[metrics[name]]
		if !known {
			return 0, fmt.Errorf("CVSS vector %q: metric %s is missing or unknown", vector, name)
		}
		value[name] = weight
	}
	pr, known := privileges[metrics["S"]][metrics["PR"]]
	if !known {
		return 0, fmt.Errorf("CVSS vector %q: metric S or PR is missing or unknown", vector)
	}
	changed := metrics["S"] == "C"
	iss := 1 - (1-value["C"])*(1-value["I"])*(1-value["A"])
	impact := 6.42 * iss
	if changed {
		impact = 7.52*(iss-0.029) - 3.25*math.Pow(iss-0.02, 15)
	}
	if impact <= 0 {
		return 0, nil
	}
	sum := impact + 8.22*value["AV"]*value["AC"]*pr*value["UI"]
	if changed {
		sum *= 1.08
	}
	return roundUp(math.Min(sum, 10)), nil
}

func parseVector(vector string) (map[string]string, error) {
	parts := strings.Split(vector, "/")
	if parts[0] != "CVSS:3.0" && parts[0] != "CVSS:3.1" {
		return nil, fmt.Errorf("CVSS vector %q: only versions 3.0 and 3.1 are computed", vector)
	}
	metrics := map[string]string{}
	for _, part := range parts[1:] {
		name, value, found := strings.Cut(part, ":")
		if _, twice := metrics[name]; !found || twice {
			return nil, fmt.Errorf("CVSS vector %q: cannot read %q", vector, part)
		}
		metrics[name] = value
	}
	return metrics, nil
}

// roundUp is the smallest number with one decimal that is not below x (CVSS 3.1, appendix A).
func roundUp(x float64) float64 {
	scaled := int(math.Round(x * 100000))
	if scaled%10000 == 0 {
		return float64(scaled) / 100000
	}
	return (math.Floor(float64(scaled)/10000) + 1) / 10
}

// severity is the number the scanner stores: 0 unknown, 1 low, 2 medium, 3 high, 4 critical. A score of 0
// ("none") has no number of its own and stays unknown.
func severity(score float64) int {
	switch {
	case score >= 9:
		return 4
	case score >= 7:
		return 3
	case score >= 4:
		return 2
	case score > 0:
		return 1
	}
	return 0
}

var severityNames = []string{"UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"}

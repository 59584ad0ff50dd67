package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// units are the ones of sizes, in lower case.
var units = map[string]int64{
	"": 1, "b": 1, "byte": 1, "bytes": 1,
	"k": 1e3, "kb": 1e3, "kib": 1 << 10, "m": 1e6, "mb": 1e6, "mib": 1 << 20,
	"g": 1e9, "gb": 1e9, "gib": 1 << 30, "t": 1e12, "tb": 1e12, "tib": 1 << 40,
}

// ParseSize reads a size such as "50 MB", "1.5 GiB" or "0", in bytes.
func ParseSize(s string) (int64, error) {
	number := strings.TrimRight(strings.TrimSpace(s), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit, known := units[strings.ToLower(strings.TrimSpace(s)[len(number):])]
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !known || n < 0 || n*float64(unit) >= 1<<62 || strings.ContainsAny(number, "eExXpP_+") {
		return 0, fmt.Errorf("not a size such as \"50 MB\", or \"0\" for no bound: %q", s)
	}
	return int64(n * float64(unit)), nil
}

// thousands are those of a number such as 1,000.
var thousands = regexp.MustCompile(`(\d),(\d{3}\b)`)

// ParseChange reads the bounds of one change, such as "1000 files, 500 MB": a number of
// files, a size, or both. A bound that is not there is 0, which is none.
func ParseChange(s string) (files int, bytes int64, err error) {
	bad := fmt.Errorf("not bounds such as \"1000 files, 500 MB\", or \"0\" for none: %q", s)
	parts := strings.Split(strings.ReplaceAll(thousands.ReplaceAllString(s, "$1$2"), " or ", ","), ",")
	if len(parts) > 2 {
		return 0, 0, bad
	}
	for i, part := range parts {
		number, isFiles := strings.CutSuffix(strings.TrimSuffix(strings.TrimSpace(part), "s"), "file")
		switch {
		case isFiles && i == 0:
			files, err = strconv.Atoi(strings.TrimSpace(number))
		case !isFiles && (i == 1 || len(parts) == 1):
			bytes, err = ParseSize(part)
		default:
			err = bad
		}
		if err != nil || files < 0 {
			return 0, 0, bad
		}
	}
	return files, bytes, nil
}

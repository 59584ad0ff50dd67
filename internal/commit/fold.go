package commit

import (
	"errors"
	"iter"
	"slices"
	"strings"
)

// A trailer's value may be folded: it continues in the following lines that begin
// with white space, as `git interpret-trailers --unfold` reads them. Messages may
// arrive indented, so the lines of a value are those with a deeper indentation than
// its trailer. An empty line ends the value.

// Bounds of the text that is read below a trailer. No period is longer.
const (
	maxFolded = 1 << 10 // bytes
	maxFolds  = 8       // lines
)

// besideTrailers ask for no reminder; a reminder shows their values.
var besideTrailers = []string{"mfc-to", "mfc-with"}

func isBeside(name string) bool { return slices.Contains(besideTrailers, name) }

// trailerLines iterates over the lines of a message that are not empty, each with the
// text below it.
func trailerLines(message string) iter.Seq2[string, string] {
	return func(yield func(line, below string) bool) {
		for len(message) > 0 {
			line, rest, _ := strings.Cut(message, "\n")
			message = rest
			if line != "" && !yield(line, rest[:min(len(rest), maxFolded)]) {
				return
			}
		}
	}
}

// unfold returns the possible values of a trailer: the text on its own line, and that
// text with one, two and more of the lines below. indent is the indentation of the
// trailer's name. A line that is itself a trailer known to isName ends the value.
func unfold(value, indent, below string, isName func(string) bool) []string {
	values := []string{value}
	for line := range strings.Lines(below) {
		deeper, ok := strings.CutPrefix(line, indent)
		text := strings.TrimSpace(line)
		if !ok || text == "" || deeper[0] != ' ' && deeper[0] != '\t' || len(values) > maxFolds {
			break
		}
		if key, _, ok := cutTrailer(text); ok && isName(strings.TrimPrefix(canonical(key), "x-")) {
			break
		}
		values = append(values, strings.TrimSpace(values[len(values)-1]+" "+text))
	}
	return values
}

// readFolded reads the longest of unfold's values that is a period. Text below a
// complete value, such as "2 weeks", may be a remark. A bare number is not complete:
// the text below may be its unit, so if that can't be read, the value can't.
func readFolded(values []string) (value string, p Period, err error) {
	last := len(values) - 1
	p, err = ParsePeriod(values[last])
	if err == nil || errors.Is(err, ErrNoPeriod) || errors.Is(err, ErrTooLong) {
		return values[last], p, err
	}
	for _, v := range slices.Backward(values[:last]) {
		q, qErr := ParsePeriod(v)
		if qErr == nil && isComplete(v) || errors.Is(qErr, ErrNoPeriod) && v != "" || errors.Is(qErr, ErrTooLong) {
			return v, q, qErr
		}
	}
	return values[last], p, err
}

// Values returns the values of every trailer of the given name in a message,
// `X-` before it or not, each on one line.
func Values(message, name string) []string {
	var values []string
	want := canonical(name)
	isName := func(name string) bool {
		return name == want || isBeside(name) || name == bareTrailer || slices.Contains(defaultTrailers, name)
	}
	for line, below := range trailerLines(message) {
		key, value, ok := cutTrailer(line)
		if !ok || strings.TrimPrefix(canonical(key), "x-") != want {
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		folded := unfold(value, indent, below, isName)
		if value = folded[len(folded)-1]; value != "" {
			values = append(values, value)
		}
	}
	return values
}

package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"time"

	"vext/internal/disk"
)

// scanFile reads a file line by line. A million lines are read in less than a
// second, which encoding/json alone can't do: parse is for lines as appendLine
// writes them, and json.Unmarshal for all that it is not sure of.
func scanFile(path string, fn func(*Event)) (damaged int, err error) {
	f, err := disk.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 256<<10)
	var e Event
	var long []byte
	known := names{}
	for {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			long = append(long, line...)
			continue
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		if len(line) > 1 {
			e = Event{}
			if !parse(line, &e, known) {
				e = Event{}
				if json.Unmarshal(line, &e) != nil {
					damaged++
					e.Kind = ""
				}
			}
			if e.Kind != "" {
				fn(&e)
			}
		}
		long = long[:0]
		if err == io.EOF {
			return damaged, nil
		}
		if err != nil {
			return damaged, err
		}
	}
}

// parse reads a line of strings without escapes, in the layout of appendLine.
// It reports false for any other line, and e is then not to be used.
func parse(line []byte, e *Event, known names) bool {
	line = bytes.TrimRight(line, "\n")
	if len(line) < 2 || line[0] != '{' || line[len(line)-1] != '}' || bytes.IndexByte(line, '\\') >= 0 {
		return false
	}
	rest := line[1 : len(line)-1]
	for {
		var key, value []byte
		var ok bool
		if key, rest, ok = cutString(rest); !ok || len(rest) == 0 || rest[0] != ':' {
			return false
		}
		if value, rest, ok = cutString(rest[1:]); !ok || !e.set(key, value, known) {
			return false
		}
		if len(rest) == 0 {
			return !e.Time.IsZero()
		}
		if rest[0] != ',' {
			return false
		}
		rest = rest[1:]
	}
}

// cutString takes a quoted string off the front of b.
func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != '"' {
		return nil, nil, false
	}
	end := bytes.IndexByte(b[1:], '"')
	if end < 0 {
		return nil, nil, false
	}
	return b[1 : 1+end], b[2+end:], true
}

// names holds what stands in many events, such as addresses, once.
type names map[string]string

// maxNames bounds the names; a project has fewer.
const maxNames = 10000

func (n names) string(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(n) < maxNames {
		n[s] = s
	}
	return s
}

func (e *Event) set(key, value []byte, known names) bool {
	if string(key) == "time" {
		t, ok := parseTime(value)
		e.Time = t
		return ok
	}
	to := e.field(string(key))
	if to == nil {
		return false
	}
	switch to {
	case &e.Name, &e.Key, &e.Revision, &e.Subject, &e.Successor:
		*to = string(value)
	default:
		*to = known.string(value)
	}
	return true
}

// field returns the text field that JSON calls key, nil for an unknown one.
func (e *Event) field(key string) *string {
	switch key {
	case "event":
		return &e.Kind
	case "name":
		return &e.Name
	case "address":
		return &e.Address
	case "committer":
		return &e.Committer
	case "repository":
		return &e.Repository
	case "branch":
		return &e.Branch
	case "revision":
		return &e.Revision
	case "key":
		return &e.Key
	case "subject":
		return &e.Subject
	case "asked":
		return &e.Asked
	case "due":
		return &e.Due
	case "via":
		return &e.Via
	case "by":
		return &e.By
	case "reason":
		return &e.Reason
	case "cause":
		return &e.Cause
	case "until":
		return &e.Until
	case "source":
		return &e.Source
	case "clock":
		return &e.Clock
	case "successor":
		return &e.Successor
	}
	return nil
}

// parseTime reads 2006-01-02T15:04:05Z.
func parseTime(b []byte) (time.Time, bool) {
	if len(b) != len("2006-01-02T15:04:05Z") || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[19] != 'Z' {
		return time.Time{}, false
	}
	number := func(from, to int) int {
		n := 0
		for _, c := range b[from:to] {
			if c < '0' || c > '9' {
				return -1 << 20
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := number(0, 4), number(5, 7), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC), true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

package reminder

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
	"vext/queue"
)

// viaMFCns is how the history records what MFCns sent.
const viaMFCns = "MFCns"

// An Import counts the lines of an imported log.
type Import struct {
	New, Known int // reminders
	Other      int // lines that are about something else
}

// ErrNoLog is returned for a file without a line of MFCns.
var ErrNoLog = errors.New("not a log of MFCns: no reminder in it")

// batch is how many events are written at once.
const batch = 10000

// ImportMFCns reads the log of MFCns and adds the reminders in it to the
// history. What was imported before is not added again. Its times have no zone
// and are taken to be in zone. The caller holds the queue's lock.
func ImportMFCns(h history.History, log io.Reader, zone *time.Location, dryRun bool, progress queue.Progress) (Import, error) {
	var result Import
	known := map[string]int{}
	if _, err := h.Scan(func(e *history.Event) {
		if e.Via == viaMFCns {
			known[mfcnsKey(e)]++
		}
	}, history.Sent); err != nil {
		return result, err
	}
	var events []history.Event
	flush := func() error {
		if dryRun {
			events = events[:0]
		}
		err := h.AppendPast(events...)
		events = events[:0]
		return err
	}
	scanner := bufio.NewScanner(log)
	scanner.Buffer(nil, 1<<20)
	for n := 0; scanner.Scan(); n++ {
		if progress != nil && n%batch == 0 {
			progress(n, 0)
		}
		e, ok := parseMFCns(scanner.Text(), zone)
		switch key := mfcnsKey(&e); {
		case !ok:
			result.Other++
		case known[key] > 0:
			known[key]--
			result.Known++
		default:
			result.New++
			if events = append(events, e); len(events) == batch {
				if err := flush(); err != nil {
					return result, err
				}
			}
		}
	}
	if progress != nil {
		progress(1, 1)
	}
	if err := scanner.Err(); err != nil {
		return result, err
	}
	if result.New+result.Known == 0 && result.Other > 0 {
		return result, ErrNoLog
	}
	return result, flush()
}

func mfcnsKey(e *history.Event) string {
	return fmt.Sprint(e.Time.Unix()) + " " + e.Address + " " + e.Committer
}

// parseMFCns reads one line: `<ctime>: MFC notification sent to "<name>"
// <<address>>`. Since MFCns ran on Python 3 it wrote both as bytes literals:
// `"b'Jane'" <b'jane@FreeBSD.org'>`.
func parseMFCns(line string, zone *time.Location) (history.Event, bool) {
	date, rest, ok := strings.Cut(strings.TrimRight(line, "\r\n"), `: MFC notification sent to "`)
	if !ok {
		return history.Event{}, false
	}
	i := strings.LastIndex(rest, `" <`)
	if i < 0 || !strings.HasSuffix(rest, ">") {
		return history.Event{}, false
	}
	t, err := time.ParseInLocation(time.ANSIC, strings.Join(strings.Fields(date), " "), zone)
	to := commit.Person{Name: text.OneLine(unbytes(rest[:i])), Email: text.OneLine(unbytes(rest[i+len(`" <`) : len(rest)-1]))}
	if err != nil || t.Year() < 1 || to.Email == "" {
		return history.Event{}, false
	}
	return history.Event{
		Time: history.Stamp(t), Kind: history.Sent, Address: to.Email, Committer: to.Name, Via: viaMFCns,
	}, true
}

// unbytes returns the text in a bytes literal of Python, whose escapes are those of Go but
// for the quotes.
func unbytes(s string) string {
	if len(s) < 3 || s[0] != 'b' || s[1] != '\'' && s[1] != '"' || s[1] != s[len(s)-1] {
		return s
	}
	s = strings.NewReplacer(`\'`, `'`, `\"`, `\"`, `"`, `\"`).Replace(s[2 : len(s)-1])
	plain, err := strconv.Unquote(`"` + s + `"`)
	if err != nil || !utf8.ValidString(plain) {
		return s
	}
	return plain
}

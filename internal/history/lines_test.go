package history

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What became of lines is told from the events that follow their own.
func TestLines(t *testing.T) {
	for _, test := range []struct {
		name   string
		events string // kind day target, or kind day
		day    string
		want   string // state of each line of the day
	}{
		{"none", "queued 1", "1", ""},
		{"open", "handed 1 a,handed 1 b", "1", "a open, b open"},
		{"once", "handed 1 a,handed 1 a", "1", "a open"},
		{"of another day", "handed 1 a", "2", ""},
		{"one said", "handed 1 a,handed 1 b,said 1 b", "1", "a open, b said"},
		{"unsaid", "handed 1 a,unsaid 1 a", "1", "a unsaid"},
		{"the last word stands", "handed 1 a,unsaid 1 a,said 1 a", "1", "a unsaid"},
		{"all sent", "handed 1 a,handed 1 b,sent 1 a; b", "1", "a said, b said"},
		{"sent, of another day", "handed 1 a,handed 2 b,sent 2 b", "1", "a open"},
		{"beside a mail that was sent", "beside 1 a,sent 1 mail", "1", "a open"},
		{"snoozed while open", "handed 1 a,snoozed 2", "1", "a open"},
		{"snoozed after that", "handed 1 a,handed 1 b,unsaid 1 a,said 1 b,snoozed 1,handed 1 a", "1", "a open"},
		{"put back", "handed 1 a,handed 1 b,unsaid 1 a,said 1 b,retried 1", "1", "b said"},
		{"nothing was handed", "said 1 a,unsaid 1 b", "1", ""},
	} {
		var s State
		for text := range strings.SplitSeq(test.events, ",") {
			f := strings.SplitN(text, " ", 3)
			e := Event{Kind: f[0], Due: f[1]}
			if len(f) > 2 {
				e.Via = f[2]
			}
			if e.Kind == "beside" {
				e.Kind, e.Reason = Enqueued, AlongsideMail
			}
			s.Take(&e)
		}
		var got []string
		for _, l := range s.LinesOf(test.day) {
			got = append(got, l.Enqueued.Via+" "+[]string{"open", "said", "unsaid"}[l.State])
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %s, want %s", test.name, strings.Join(got, ", "), test.want)
		}
	}
}

// A collector keeps what is open, however old, and lets the rest go.
func TestLinesAreLetGo(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC) }
	l := NewLines(at(10))
	for day := range 20 {
		e := Event{Time: at(day + 1), Kind: Enqueued, Name: fmt.Sprint(day + 1), Due: "1", Via: "a"}
		l.Take(&e)
		if e.Kind = Delivered; day%2 == 1 {
			l.Take(&e)
		}
	}
	if len(l.Names) != 10+6 || l.Names["1"] == nil || l.Names["8"] != nil || l.Names["10"] == nil {
		t.Errorf("%d: %v", len(l.Names), l.Names)
	}
}

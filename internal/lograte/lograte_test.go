package lograte

import (
	"bytes"
	"log/slog"
	"testing"
	"time"
)

// A line a second is logged, the next one has the number of the others, and a clock
// that goes back silences nothing.
func TestLimiter(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	begun := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var l Limiter
	for _, after := range []time.Duration{0, 1, time.Second - 1, time.Second, -time.Hour, -time.Hour + 1} {
		l.Log(log, begun.Add(after), slog.LevelError, "bad", "after", after)
	}
	l.Flush(log)
	l.Flush(log)
	const want = `level=ERROR msg=bad after=0s
level=ERROR msg=bad after=1s not_logged=2
level=ERROR msg=bad after=-1h0m0s
level=WARN msg="bad, and the like" not_logged=1
`
	if out.String() != want {
		t.Errorf("logged\n%swant\n%s", out.String(), want)
	}
}

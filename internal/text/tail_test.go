package text

import (
	"io"
	"os/exec"
	"strings"
	"testing"
)

// Of a program that writes without end, only the last lines are kept in memory.
func TestTail(t *testing.T) {
	var end Tail
	cmd := exec.Command("sh", "-c", "yes 'fatal: https://jane:hunter2@git.example.org/w/' | head -n 100000 >&2; echo fatal: end >&2")
	cmd.Stderr = &end
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	kept := end.String()
	if len(kept) > maxTail || !strings.HasPrefix(kept, "fatal: ") || !strings.HasSuffix(kept, "fatal: end\n") {
		t.Errorf("%d bytes: %.30q", len(kept), kept)
	}
	if c := cap(end.kept); c > 1<<20 {
		t.Errorf("a buffer of %d bytes", c)
	}
}

// A program may end its output with another line.
func TestTailOfOthers(t *testing.T) {
	var end Tail
	cmd := exec.Command("sh", "-c", "yes | head -c 100000 >&2; echo the end >&2")
	cmd.Stderr = &end
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got := end.String(); len(got) > maxTail || !strings.HasSuffix(got, "the end\n") {
		t.Errorf("%d bytes", len(got))
	}
}

// What follows progress without a line end, or a line that is too long, is kept.
func TestTailWithoutLines(t *testing.T) {
	for _, noise := range []string{strings.Repeat("Receiving objects: 34%\r", 1000), strings.Repeat("x", 3*maxTail)} {
		var end Tail
		io.WriteString(&end, noise)
		io.WriteString(&end, "error: early EOF\n")
		if got := end.String(); !strings.HasSuffix(got, "error: early EOF\n") || len(got) > maxTail {
			t.Errorf("after %.20q: %d bytes, %.40q", noise, len(got), got)
		}
	}
}

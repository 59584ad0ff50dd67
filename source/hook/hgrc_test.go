package hook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/vcs"
)

func newHgrc(t testing.TB) *Hook {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".hg"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Hook{
		Place:   &vcs.Place{Kind: vcs.Hg, Dir: dir, Hooks: filepath.Join(dir, ".hg", "hgrc")},
		Command: []string{"/bin/sh", "hook", "fire", "--", "it's"},
	}
}

// A hgrc that can't be read is one error, on one line.
func TestUnreadableHgrc(t *testing.T) {
	h := newHgrc(t)
	h.Place.Hooks = filepath.Join(h.Command[0], "hgrc") // in a file
	if _, err := h.Parts(); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// Whatever was there is there again afterwards, to the byte; what somebody adds
// meanwhile is kept, on lines of its own.
func FuzzHgrc(f *testing.F) {
	for _, text := range []string{"", "[ui]\n", "[ui]\nx = y", "\n", "# x\r\n", hgEnd, "\xff\x00"} {
		f.Add(text, "")
		f.Add(text, "[web]\n")
	}
	f.Fuzz(func(t *testing.T, text, more string) {
		if strings.Contains(text+more, "# vext: ") {
			t.Skip()
		}
		h := newHgrc(t)
		if err := os.WriteFile(h.Place.Hooks, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if made, err := h.Install(); made || err != nil {
				t.Fatalf("made %v, %v", made, err)
			}
		}
		data, err := os.ReadFile(h.Place.Hooks)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.Place.Hooks, append(data, more...), 0o640); err != nil {
			t.Fatal(err)
		}
		if parts, err := h.Parts(); err != nil || parts[len(parts)-1].State != Installed {
			t.Errorf("%+v, %v", parts, err)
		}
		if err := h.Remove(false); err != nil {
			t.Fatal(err)
		}
		want := text + more
		if more != "" && isCut([]byte(text)) {
			want = text + "\n" + more
		}
		data, err = os.ReadFile(h.Place.Hooks)
		if err != nil || string(data) != want {
			t.Errorf("%q, %v; want %q", data, err, want)
		}
	})
}

// An hgrc that was made for the hook goes with it, unless there is something in
// it meanwhile; one whose end was lost is put right.
func TestHgrcMade(t *testing.T) {
	h := newHgrc(t)
	if made, err := h.Install(); !made || err != nil {
		t.Fatalf("made %v, %v", made, err)
	}
	if err := h.Remove(true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(h.Place.Hooks); err == nil {
		t.Error("hgrc is left")
	}
	if err := h.Remove(true); err != nil {
		t.Errorf("once more: %v", err)
	}
	whole := h.block(false)
	write(t, h.Place.Hooks, "[ui]\n"+whole[:len(whole)-len(hgEnd)], 0o644)
	if parts, err := h.Parts(); err != nil || parts[len(parts)-1].State != Outdated {
		t.Errorf("%+v, %v", parts, err)
	}
	if _, err := h.Install(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, h.Place.Hooks); got != "[ui]\n"+whole {
		t.Errorf("hgrc is %q", got)
	}
}

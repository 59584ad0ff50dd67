package backport

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// reread returns a commit as the cache preserves it.
func reread(t *testing.T, c indexed) indexed {
	t.Helper()
	var b bytes.Buffer
	c.write(&b)
	got, ok := parseIndexed(strings.TrimSuffix(b.String(), "\n"), 2)
	if !ok {
		t.Errorf("the cache refuses %q", b.String())
	}
	return got
}

// A cache that is damaged, cut off or of other options is made anew, and no answer changes.
func TestDamagedCache(t *testing.T) {
	m := newMade(t)
	m.commit("main", "ida", "begin", file("a", "0"))
	m.fork("new", "main")
	c := m.commit("main", "ida", "a: change", file("a", "1"))
	m.commit("new", "ida", "a: change\n\n(cherry picked from commit "+c.hash+")\n", file("a", "2"))
	cache := filepath.Join(t.TempDir(), "cache")
	m.open(cache)
	whole, err := os.ReadFile(cache)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		damaged := bytes.Clone(whole[:n])
		if n%2 == 1 {
			damaged = bytes.Clone(whole)
			damaged[n] ^= 1
		}
		if err := os.WriteFile(cache, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if x := load(cache, "another"); len(x.commits) != 0 {
			t.Errorf("%d commits with other options", len(x.commits))
		}
		if x := load(cache, firstLine(whole)); len(x.commits) != 0 && n < len(whole)-1 {
			t.Errorf("damaged at %d: %d commits", n, len(x.commits))
		}
	}
	if err := os.WriteFile(cache, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	r := ask(t, m.open(cache), c.hash)
	if got := states(&r); got != "new=merged old=unknown" {
		t.Error(got)
	}
	if again, err := os.ReadFile(cache); err != nil || !bytes.Equal(again, whole) {
		t.Errorf("the cache is %q, %v", again, err)
	}
}

func firstLine(b []byte) string {
	first, _, _ := strings.Cut(string(b), "\n")
	return first
}

// The patch IDs are kept, and a damaged file of them is harmless.
func TestPatchesAreKept(t *testing.T) {
	m := newMade(t)
	m.commit("main", "ida", "begin", file("a", "0"))
	m.fork("new", "main")
	c := m.commit("main", "ida", "a: change", file("a", "1", "2"))
	m.commitAt("new", "ida", c.written, "a: change", file("a", "1", "2"))
	cache := filepath.Join(t.TempDir(), "cache")
	for _, damage := range []string{"", "x"} {
		if r := ask(t, m.open(cache), c.hash); r.Targets[0].State != Merged {
			t.Errorf("%+v", r.Targets)
		}
		data, err := os.ReadFile(cache + ".patches")
		if err != nil || bytes.Count(data, []byte("\n")) != 3 {
			t.Errorf("%q, %v", data, err)
		}
		if err := os.WriteFile(cache+".patches", append(data, damage...), 0o600); err != nil {
			t.Fatal(err)
		}
		if g := m.open(cache); len(g.patches.known) != 2 {
			t.Errorf("%d are known", len(g.patches.known))
		}
	}
}

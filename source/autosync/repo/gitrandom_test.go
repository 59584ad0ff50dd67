package repo_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/source/autosync/repo"
)

// TestRandom has two clones edit, rename and delete the same few files, and meet now and then.
// Nothing that either has committed may be lost, and at the end both are equal. A seed of one's
// own: AUTOSYNC_SEED=7.
func TestRandom(t *testing.T) {
	person(t)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("AUTOSYNC_SEED"); s != "" {
		fmt.Sscan(s, &seed)
	}
	for i, o := range []repo.Options{{}, {Merge: true}, {Conflict: repo.Ours}, {Conflict: repo.Theirs}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			t.Logf("AUTOSYNC_SEED=%d", seed)
			newWalk(t, o, rand.New(rand.NewPCG(seed, uint64(i)))).run(30)
		})
	}
}

// A walk is random work in two clones.
type walk struct {
	*pair
	*rand.Rand
	words int      // that have been written; each one is there once
	kept  []string // words that were in a work tree when it was committed
}

var anyWord = regexp.MustCompile(`word-\d+-`)

func newWalk(t *testing.T, o repo.Options, r *rand.Rand) *walk {
	minute := 0
	o.Now = func() time.Time { minute++; return someTime.Add(time.Duration(minute) * time.Minute) }
	w := &walk{pair: newPair(t, o), Rand: r}
	w.share("seq 30 >a; seq 40 60 >b.txt; mkdir d; seq 70 90 >d/a; seq 100 120 >d/b")
	return w
}

func (w *walk) run(steps int) {
	clones := []repo.Repository{w.a, w.b}
	for range steps {
		r := clones[w.IntN(2)]
		for range 1 + w.IntN(3) {
			w.change(r)
		}
		w.kept = append(w.kept, anyWord.FindAllString(w.files(r), -1)...)
		w.save(r)
		if w.IntN(3) == 0 {
			w.sync(r)
		}
	}
	for range 2 {
		w.sync(w.a)
		w.sync(w.b)
	}
	w.sync(w.a)
	w.sound(w.a)
	w.sound(w.b)
	if a, b := w.files(w.a), w.files(w.b); a != b {
		w.Errorf("A has\n%s\nB has\n%s", a, b)
	}
	all := w.history(w.a)
	slices.Sort(w.kept)
	for _, word := range slices.Compact(w.kept) {
		if !strings.Contains(all, word) {
			w.Errorf("%q is lost", word)
		}
	}
}

// sync pulls and pushes until the remote has it.
func (w *walk) sync(r repo.Repository) {
	w.Helper()
	for range 5 {
		w.pull(r)
		w.sound(r)
		_, err := r.Push(w.Context())
		if err == nil {
			return
		}
		if !errors.Is(err, repo.ErrBehind) {
			w.Fatal(err)
		}
	}
	w.Fatal("the remote never takes it")
}

// change does something to a file.
func (w *walk) change(r repo.Repository) {
	names := []string{"a", "b.txt", "c", "d/a", "d/b", "d", "e/a", "A"}
	path := filepath.Join(r.Root(), names[w.IntN(len(names))])
	other := filepath.Join(r.Root(), names[w.IntN(len(names))])
	info, err := os.Lstat(path)
	switch what := w.IntN(10); {
	case err == nil && info.IsDir() && what < 3:
		w.check(os.RemoveAll(path))
	case err == nil && info.IsDir():
	case what < 5:
		w.edit(path)
	case what == 5:
		os.Remove(path)
	case what == 6:
		if _, err := os.Lstat(other); err != nil && os.MkdirAll(filepath.Dir(other), 0o777) == nil {
			os.Rename(path, other)
		}
	case what == 7:
		os.Remove(path)
		w.words++
		os.Symlink(fmt.Sprintf("word-%d-", w.words), path)
	case what == 8:
		os.Chmod(path, 0o755)
	default:
		if os.Remove(path) == nil {
			w.check(os.MkdirAll(path, 0o777))
			w.edit(filepath.Join(path, "f"))
		}
	}
}

// edit replaces a line of a file by a new word.
func (w *walk) edit(path string) {
	if os.MkdirAll(filepath.Dir(path), 0o777) != nil {
		return
	}
	w.words++
	word := fmt.Sprintf("word-%d-", w.words)
	data, _ := os.ReadFile(path)
	lines := strings.Split(string(data), "\n")
	lines[w.IntN(len(lines))] = word
	os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o666)
}

package spool

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"vext/internal/disk"
)

// The first write creates the identity, and it does not change.
func TestIdentity(t *testing.T) {
	state := newState(t)
	s := New(state)
	if id, err := s.ID(); id != "" || err != nil {
		t.Errorf("of a new one: %q, %v", id, err)
	}
	if _, err := s.Put("a@b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	made, err := s.ID()
	if len(made) < 20 || err != nil {
		t.Errorf("after the first message: %q, %v", made, err)
	}
	if id, isNew, err := s.Adopt(); id != made || isNew || err != nil {
		t.Errorf("adopted: %q, %v, %v", id, isNew, err)
	}
	if err := s.Expecting(made).Check(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Join(state, "tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A state directory of an earlier version is adopted once.
func TestAdopt(t *testing.T) {
	state := newState(t)
	for _, dir := range []string{"spool", "tmp", "history", "queue"} {
		if err := os.Mkdir(filepath.Join(state, dir), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	id, isNew, err := New(state).Adopt()
	if id == "" || !isNew || err != nil {
		t.Fatalf("%q, %v, %v", id, isNew, err)
	}
	if again, isNew, err := New(state).Adopt(); again != id || isNew || err != nil {
		t.Errorf("again: %q, %v, %v", again, isNew, err)
	}
}

// While the state directory is another one, nothing is accepted or created.
func TestExpecting(t *testing.T) {
	state := newState(t)
	id, _, err := New(state).Adopt()
	if err != nil {
		t.Fatal(err)
	}
	s := New(state).Expecting(id)
	if err := s.StartAnnouncing(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(state, state+".away"); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"gone", "empty", "another"} {
		switch what {
		case "empty":
			if err := os.Mkdir(state, 0o750); err != nil {
				t.Fatal(err)
			}
		case "another":
			if _, _, err := New(state).Adopt(); err != nil {
				t.Fatal(err)
			}
		}
		_, putErr := s.Put("a@b", []byte("x"))
		_, allErr := s.PutAll(Message{"a", nil}, Message{"b", nil})
		_, _, adoptErr := s.Adopt()
		for name, err := range map[string]error{"Put": putErr, "PutAll": allErr, "StartAnnouncing": s.StartAnnouncing(), "Adopt": adoptErr, "Check": s.Check()} {
			if !IsReplaced(err) {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
		s.NoteSignatures("x", new(Signatures))
		if what == "gone" {
			if _, err := os.Stat(state); err == nil {
				t.Error("it was made")
			}
		}
		if _, err := os.Stat(filepath.Join(state, "spool")); err == nil {
			t.Errorf("%s: a spool was made", what)
		}
	}
	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(state+".away", state); err != nil {
		t.Fatal(err)
	}
	if isNew, err := s.Put("a@b", []byte("x")); !isNew || err != nil {
		t.Errorf("once it is back: %v, %v", isNew, err)
	}
}

// A FIFO in the place of a file does not block.
func TestFIFOs(t *testing.T) {
	state := newState(t)
	s := New(state)
	if err := os.MkdirAll(filepath.Join(state, "history"), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "history/seen", "history/incomplete"} {
		if err := syscall.Mkfifo(filepath.Join(state, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.ID(); !errors.Is(err, disk.ErrNotRegular) {
		t.Errorf("ID: %v", err)
	}
	s.Seen("")
	s.Incomplete(IncompletePush{Repository: "src"})
}

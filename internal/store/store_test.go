package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db, err := Open(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 0o600); !errors.Is(err, ErrInUse) {
		t.Errorf("a second time: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(path, "none"), 0o600); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("where no file can be: %v", err)
	}
	if err := os.Truncate(path, 2*int64(os.Getpagesize())+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 0o600); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut short: %v", err)
	}
	aside, err := Quarantine(path, ".bad-", noon)
	if want := path + ".bad-20261120T120000Z"; err != nil || aside != want || !slices.Equal(Quarantined(path, ".bad-"), []string{want}) {
		t.Errorf("quarantined %q of %q, %v", aside, Quarantined(path, ".bad-"), err)
	}
	if db, err = Open(path, 0o600); err != nil {
		t.Fatalf("anew: %v", err)
	}
	db.Close()
}

func TestGuard(t *testing.T) {
	var nowhere *int
	for name, f := range map[string]func() error{
		"a panic": func() error { panic("no such page") },
		"a fault": func() error { *nowhere = 1; return nil },
	} {
		if err := Guard(f); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Guard(func() error { return os.ErrNotExist }); err != os.ErrNotExist {
		t.Errorf("an error of its own: %v", err)
	}
}

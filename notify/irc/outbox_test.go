package irc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"vext/notify"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const src = "irc://irc.example.org/#src"

func openOutbox(t testing.TB, state string) *Outbox {
	t.Helper()
	o, err := Open(state, noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

func putTexts(t testing.TB, o *Outbox, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := o.put(context.Background(), noon, []notify.Message{{Text: text}}, []string{src}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// takeAll takes all lines of a target.
func takeAll(t testing.TB, o *Outbox) (texts []string, places []place) {
	t.Helper()
	after := uint64(0)
	for {
		r, ok, err := o.take(src, after)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return texts, places
		}
		texts, places, after = append(texts, r.Text), append(places, place{src, r.number}), r.number
	}
}

// What was put is there in its order, also for who opens the outbox next, until
// it was told.
func TestOutbox(t *testing.T) {
	state := t.TempDir()
	o := openOutbox(t, state)
	putTexts(t, o, "one", "two", "three")
	texts, places := takeAll(t, o)
	if want := []string{"one", "two", "three"}; !slices.Equal(texts, want) {
		t.Fatalf("taken %q", texts)
	}
	if again, _ := takeAll(t, o); again != nil {
		t.Errorf("taken twice: %q", again)
	}
	o.tell(places[0], noon.Add(time.Minute))
	o.letGo(src, places[1].number)
	if texts, _ = takeAll(t, o); !slices.Equal(texts, []string{"two"}) {
		t.Errorf("after one was told and one let go: %q", texts)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = openOutbox(t, state)
	if texts, _ = takeAll(t, o); !slices.Equal(texts, []string{"two", "three"}) {
		t.Errorf("opened again: %q", texts)
	}
	b, oldest, err := o.backlog(src)
	if err != nil || b.Count != 2 || !b.Told.Equal(noon.Add(time.Minute)) || !oldest.Equal(noon) {
		t.Errorf("backlog %+v, since %s, %v", b, oldest, err)
	}
}

func TestInUse(t *testing.T) {
	state := t.TempDir()
	openOutbox(t, state)
	if _, err := Open(state, noon); !errors.Is(err, ErrInUse) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := Peek(state, noon); !errors.Is(err, ErrInUse) {
		t.Errorf("looked into: %v", err)
	}
}

// Lines of many goroutines share the syncs, and none gets lost.
func TestPutTogether(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	pages := func() int64 { s := o.db.Stats().TxStats; return s.GetWrite() }
	before := pages()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() { putTexts(t, o, fmt.Sprint(i)) })
	}
	all.Wait()
	if texts, _ := takeAll(t, o); len(texts) != 200 {
		t.Errorf("%d lines", len(texts))
	}
	if writes := pages() - before; writes > 1000 {
		t.Errorf("%d pages and more were written for 200 lines that came at once", writes)
	}
}

// A line that was put with a key is known by it until that is forgotten.
func TestKeys(t *testing.T) {
	ctx := context.Background()
	o := openOutbox(t, t.TempDir())
	put := func(key string) {
		t.Helper()
		if err := o.put(ctx, noon, []notify.Message{{Text: key, Key: key}}, []string{src}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a", "b", "a", "c"} {
		put(key)
	}
	r, _, _ := o.take(src, 0)
	if back, err := o.withdraw(ctx, []string{"a", "b", "d"}); err != nil || !slices.Equal(back, []string{"b"}) {
		t.Errorf("withdrawn %q, %v; a is on the wire, and nobody knows d", back, err)
	}
	o.tell(place{src, r.number}, noon)
	put("e") // with which it is written
	if open, err := o.waiting(); err != nil || !slices.Equal(open, []string{"c", "e"}) {
		t.Errorf("waiting %q, %v", open, err)
	}
	known, err := o.outcomes([]string{"a", "b", "c"})
	if err != nil || len(known) != 2 || !known["a"].Told.Equal(noon) || !known["c"].Told.IsZero() {
		t.Errorf("outcomes %+v, %v", known, err)
	}
	put("a") // told already
	if err := o.forget(ctx, []string{"a", "c"}); err != nil {
		t.Fatal(err)
	}
	if texts, _ := takeAll(t, o); !slices.Equal(texts, []string{"c", "e"}) {
		t.Errorf("%q are left", texts)
	}
	if known, _ := o.outcomes([]string{"a", "c"}); len(known) != 0 {
		t.Errorf("forgotten, and known: %+v", known)
	}
}

// A backlog is summed up but for reminders and what is on the wire; what comes
// later stays behind it, and may be summed up with it.
func TestSumUp(t *testing.T) {
	ctx := context.Background()
	state := t.TempDir()
	o := openOutbox(t, state)
	putTexts(t, o, "on the wire")
	o.take(src, 0)
	if err := o.put(ctx, noon, []notify.Message{{Text: "reminder", Key: "k", Reminder: true}}, []string{src}, nil); err != nil {
		t.Fatal(err)
	}
	sumUp := func() {
		t.Helper()
		if err := o.sumUp(ctx, src, func(s *summary) string { return fmt.Sprint(s.counts, s.last) }); err != nil {
			t.Fatal(err)
		}
	}
	putTexts(t, o, "alone")
	sumUp()
	if b, _, _ := o.backlog(src); b.Count != 3 {
		t.Errorf("one line was summed up: %d are left", b.Count)
	}
	putTexts(t, o, "two", "three")
	sumUp()
	putTexts(t, o, "later")
	if b, _, _ := o.backlog(src); b.Count != 4 {
		t.Errorf("%d are left", b.Count)
	}
	sumUp()
	o.Close()
	o = openOutbox(t, state)
	texts, _ := takeAll(t, o)
	if want := []string{"on the wire", "reminder", "map[:4]later"}; !slices.Equal(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
	if b, _, _ := o.backlog(src); b.Count != 3 {
		t.Errorf("%d are counted", b.Count)
	}
}

// What was told is written soon, though nothing else is.
func TestToldIsWritten(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	if err := o.put(context.Background(), noon, []notify.Message{{Text: "x", Key: "k", Reminder: true}}, []string{src}, nil); err != nil {
		t.Fatal(err)
	}
	r, _, _ := o.take(src, 0)
	o.tell(place{src, r.number}, noon)
	<-o.settled
	if known, _ := o.outcomes([]string{"k"}); known["k"].Told.IsZero() {
		t.Error("it is not known to be told")
	}
}

// An outbox that is damaged, whichever way, is set aside, and vext goes on.
func TestDamaged(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"no database":   func(data []byte) []byte { return []byte(strings.Repeat("no database ", 2000)) },
		"cut short":     func(data []byte) []byte { return data[:len(data)/3] },
		"a single page": func(data []byte) []byte { return data[:4096] },
		"zeroes":        func(data []byte) []byte { clear(data[2*4096:]); return data },
		"noise": func(data []byte) []byte {
			for i := range data[2*4096:] {
				data[2*4096+i] = byte(i * 7)
			}
			return data
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			o := openOutbox(t, state)
			for range 50 {
				putTexts(t, o, strings.Repeat("text ", 100))
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(state, dirName, outboxName)
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, damage(data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if o, err = Open(state, noon); err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			if found := Damaged(state); o.SetAside == "" || !slices.Equal(found, []string{o.SetAside}) {
				t.Errorf("set aside %q, found %q", o.SetAside, found)
			}
			putTexts(t, o, "one")
			if texts, _ := takeAll(t, o); !slices.Equal(texts, []string{"one"}) {
				t.Errorf("%q", texts)
			}
		})
	}
}

// What nobody names or asks for any more is forgotten, what waits never is.
func TestForgetOld(t *testing.T) {
	ctx := context.Background()
	state := t.TempDir()
	o := openOutbox(t, state)
	for _, key := range []string{"told", "waits"} {
		if err := o.put(ctx, noon, []notify.Message{{Text: key, Key: key, Reminder: true}}, []string{src + key}, nil); err != nil {
			t.Fatal(err)
		}
	}
	r, _, _ := o.take(src+"told", 0)
	o.tell(place{src + "told", r.number}, noon)
	<-o.settled
	o.Close()
	o, err := Open(state, noon.Add(keepOutcome+time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	known, err := o.outcomes([]string{"told", "waits"})
	if err != nil || len(known) != 1 || !slices.Equal(o.targets(true), []string{src + "waits"}) {
		t.Errorf("known are %v of %q, %v", known, o.targets(true), err)
	}
}

// So is one that is a database, with something in it that nobody has written.
func TestDamagedRecord(t *testing.T) {
	state := t.TempDir()
	o := openOutbox(t, state)
	putTexts(t, o, "one")
	o.Close()
	db, err := bbolt.Open(filepath.Join(state, dirName, outboxName), outboxMode, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketTargets).Put([]byte(src), []byte("{bad")) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if o, err = Open(state, noon); err != nil || o.SetAside == "" {
		t.Fatalf("%+v, %v", o, err)
	}
	o.Close()
}

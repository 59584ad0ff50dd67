package outbox

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

	"vext/internal/target"
	"vext/internal/testkit/outboxtest"
	"vext/notify"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const src = "irc://irc.example.org/#src"

// A transport stores what it is given, and delivers nothing.
type transport struct {
	mu    sync.Mutex
	woken []string
}

func (*transport) Accept(all []notify.Message) (accepted []notify.Message, to []notify.Recipient, err error) {
	for i := range all {
		t, err := target.Parse(all[i].Target)
		if err != nil {
			return nil, nil, err
		}
		m, secret := all[i], t.Key
		t.Key = ""
		m.Target = t.URL()
		to = append(to, notify.Recipient{URL: m.Target, Secret: secret})
		if m.Text != "" {
			accepted = append(accepted, m)
		}
	}
	return accepted, to, nil
}

func (t *transport) Wake(to []notify.Recipient) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range to {
		t.woken = append(t.woken, r.URL+" "+r.Secret)
	}
}

func (*transport) Problem(string) string { return "" }
func (*transport) Status(q notify.Queue) any {
	b, _ := q.Backlog(src)
	return b.Count
}
func (*transport) Run(context.Context, notify.Queue) error { return nil }

func openAtNoon(state string) (*Outbox, error) {
	return Open(state, new(transport), func() time.Time { return noon })
}

func mustOpen(t testing.TB, state string) *Outbox {
	t.Helper()
	o, err := openAtNoon(state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

func mustPut(t testing.TB, o notify.Outbox, all ...notify.Message) {
	t.Helper()
	for i := range all {
		if all[i].Target == "" {
			all[i].Target = src
		}
	}
	if err := o.Put(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
}

func putTexts(t testing.TB, o *Outbox, texts ...string) {
	t.Helper()
	for _, text := range texts {
		mustPut(t, o, notify.Message{Text: text})
	}
}

func next(t testing.TB, o *Outbox, after uint64) *notify.Claim {
	t.Helper()
	c, err := o.Next(src, after)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// claimAll claims all messages.
func claimAll(t testing.TB, o *Outbox) (texts []string, all []*notify.Claim) {
	t.Helper()
	for after := uint64(0); ; {
		c := next(t, o, after)
		if c == nil {
			return texts, all
		}
		texts, all, after = append(texts, c.Text), append(all, c), c.Number
	}
}

// flush waits until all results are written.
func (o *Outbox) flush(t testing.TB) {
	t.Helper()
	if err := o.change(t.Context(), func(*bbolt.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// backlog returns the backlog of #src.
func (o *Outbox) backlog(t testing.TB) notify.Backlog {
	t.Helper()
	b, err := o.Backlog(src)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// caseOf returns what the suite needs of client, behind which o is.
func caseOf(t *testing.T, client notify.Outbox, o *Outbox) outboxtest.Case {
	claims := map[string]*notify.Claim{}
	claim := func(key string) {
		known, err := o.find([]string{key})
		if err != nil || known[key] == nil {
			t.Fatalf("%s: %v, %v", key, known, err)
		}
		claims[key] = next(t, o, known[key].Number-1)
	}
	return outboxtest.Case{
		Outbox:  client,
		Claim:   claim,
		Deliver: func(key string) { o.Done(claims[key], nil); o.flush(t) },
		Reject: func(key, why string) {
			o.Done(claims[key], &notify.PermanentError{Err: errors.New(why)})
			<-o.Bounced()
		},
	}
}

func TestOutboxes(t *testing.T) {
	t.Run("outbox", func(t *testing.T) {
		outboxtest.Test(t, func(t *testing.T) outboxtest.Case {
			o := mustOpen(t, t.TempDir())
			return caseOf(t, o, o)
		})
	})
	t.Run("remote", func(t *testing.T) {
		outboxtest.Test(t, func(t *testing.T) outboxtest.Case {
			state := t.TempDir()
			o := mustOpen(t, state)
			return caseOf(t, serve(t, o, state), o)
		})
	})
}

// Messages are delivered in their order, also after the outbox was opened anew.
func TestOrder(t *testing.T) {
	state := t.TempDir()
	o := mustOpen(t, state)
	putTexts(t, o, "one", "two", "three")
	texts, claims := claimAll(t, o)
	if want := []string{"one", "two", "three"}; !slices.Equal(texts, want) {
		t.Fatalf("claimed %q", texts)
	}
	if again, _ := claimAll(t, o); again != nil {
		t.Errorf("claimed twice: %q", again)
	}
	o.Done(claims[0], nil)
	o.Done(claims[1], errors.New("connection lost"))
	if texts, _ = claimAll(t, o); !slices.Equal(texts, []string{"two"}) {
		t.Errorf("after one was delivered and one not: %q", texts)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = mustOpen(t, state)
	if texts, _ = claimAll(t, o); !slices.Equal(texts, []string{"two", "three"}) {
		t.Errorf("opened again: %q", texts)
	}
	if b := o.backlog(t); b.Count != 2 || !b.Delivered.Equal(noon) || !b.Oldest.Equal(noon) {
		t.Errorf("backlog %+v", b)
	}
}

func TestInUse(t *testing.T) {
	state := t.TempDir()
	mustOpen(t, state)
	if _, err := openAtNoon(state); !errors.Is(err, ErrInUse) {
		t.Errorf("a second time: %v", err)
	}
}

// Messages of many goroutines share the syncs, and none gets lost.
func TestPutTogether(t *testing.T) {
	o := mustOpen(t, t.TempDir())
	pages := func() int64 { s := o.db.Stats().TxStats; return s.GetWrite() }
	before := pages()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() { putTexts(t, o, fmt.Sprint(i)) })
	}
	all.Wait()
	if texts, _ := claimAll(t, o); len(texts) != 200 {
		t.Errorf("%d messages", len(texts))
	}
	if writes := pages() - before; writes > 1000 {
		t.Errorf("%d pages and more were written for 200 messages that came at once", writes)
	}
}

// The transport is woken for each recipient, also for one without a message, and gets
// the secret of each, also after the outbox was opened anew.
func TestRecipients(t *testing.T) {
	state := t.TempDir()
	o := mustOpen(t, state)
	mustPut(t, o, notify.Message{Target: src + "?key=x", Text: "a"}, notify.Message{Target: "irc://irc.example.org/#other"})
	if woken := o.transport.(*transport).woken; !slices.Equal(woken, []string{src + " x", "irc://irc.example.org/#other "}) {
		t.Errorf("woken %q", woken)
	}
	o.Close()
	o = mustOpen(t, state)
	if got, err := o.Recipients(false); err != nil || !slices.Equal(got, []notify.Recipient{{URL: src, Secret: "x"}}) {
		t.Errorf("recipients %v, %v", got, err)
	}
}

// Drop removes what is pending for a recipient, except reminders and what is in flight.
func TestDrop(t *testing.T) {
	o := mustOpen(t, t.TempDir())
	putTexts(t, o, "in flight")
	next(t, o, 0)
	mustPut(t, o, notify.Message{Text: "key", Key: "k"}, notify.Message{Text: "reminder", Key: "r", Reminder: true})
	if n, err := o.Drop(t.Context(), src+"?key=x"); err != nil || n != 1 {
		t.Errorf("dropped %d, %v", n, err)
	}
	if n, err := o.Drop(t.Context(), src); err != nil || n != 0 {
		t.Errorf("dropped %d again, %v", n, err)
	}
	if pending, _ := o.Pending(t.Context()); !slices.Equal(pending, []string{"r"}) || o.backlog(t).Count != 2 {
		t.Errorf("pending %q, %+v", pending, o.backlog(t))
	}
	mustPut(t, o, notify.Message{Text: "key", Key: "k"})
	if texts, _ := claimAll(t, o); !slices.Equal(texts, []string{"reminder", "key"}) {
		t.Errorf("left are %q", texts)
	}
}

// A backlog is summarized except for reminders, messages whose key is known, and what is
// in flight. What comes later stays behind it, and may be summarized with it.
func TestSummarize(t *testing.T) {
	state := t.TempDir()
	o := mustOpen(t, state)
	putTexts(t, o, "in flight")
	next(t, o, 0)
	mustPut(t, o, notify.Message{Text: "reminder", Key: "k", Reminder: true}, notify.Message{Text: "with a key", Key: "l"})
	summarize := func() {
		t.Helper()
		if err := o.Summarize(src); err != nil {
			t.Fatal(err)
		}
	}
	putTexts(t, o, "alone")
	if summarize(); o.backlog(t).Count != 4 {
		t.Errorf("a single message was summarized: %d are left", o.backlog(t).Count)
	}
	putTexts(t, o, "two", "three")
	summarize()
	putTexts(t, o, "later")
	if n := o.backlog(t).Count; n != 5 {
		t.Errorf("%d are left", n)
	}
	summarize()
	o.Close()
	o = mustOpen(t, state)
	texts, claims := claimAll(t, o)
	if want := []string{"in flight", "reminder", "with a key", "4 messages while I was away: the last was later"}; !slices.Equal(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
	if !claims[3].Summary || o.backlog(t).Count != 4 {
		t.Errorf("%+v; %d are counted", claims[3], o.backlog(t).Count)
	}
}

// A message that was bounced on purpose does not count as one of a recipient that fails.
func TestBounceOnPurpose(t *testing.T) {
	o := mustOpen(t, t.TempDir())
	mustPut(t, o, notify.Message{Text: "x", Key: "a", Reminder: true}, notify.Message{Text: "x", Key: "b", Reminder: true, Deadline: noon})
	if err := o.Bounce(t.Context(), "it was cancelled", "a"); err != nil {
		t.Fatal(err)
	}
	if b := o.backlog(t); b.Count != 1 || b.Bounced != 0 {
		t.Errorf("backlog %+v", b)
	}
	if bounces, err := o.Bounces(t.Context(), noon); len(bounces) != 2 || err != nil {
		t.Errorf("bounces %+v, %v", bounces, err)
	}
	if b := o.backlog(t); b.Count != 0 || b.Bounced != 1 || b.LastReason == "" {
		t.Errorf("backlog %+v", b)
	}
}

// A result is written soon, though nothing else is.
func TestResultIsWritten(t *testing.T) {
	o := mustOpen(t, t.TempDir())
	mustPut(t, o, notify.Message{Text: "x", Key: "k", Reminder: true})
	o.Done(next(t, o, 0), &notify.PermanentError{Err: errors.New("no")})
	<-o.Bounced()
	if known, _ := o.find([]string{"k"}); known["k"].Bounced.IsZero() {
		t.Error("it has not bounced")
	}
}

// A message that an earlier version put without a deadline gets one when it is put again.
func TestDeadlineLater(t *testing.T) {
	o := mustOpen(t, t.TempDir())
	m := notify.Message{Text: "x", Key: "k", Reminder: true}
	mustPut(t, o, m)
	m.Deadline = noon.Add(time.Hour)
	mustPut(t, o, m)
	m.Deadline = noon.Add(2 * time.Hour) // another does not move it
	mustPut(t, o, m)
	if bounces, err := o.Bounces(t.Context(), noon.Add(time.Hour)); len(bounces) != 1 || err != nil {
		t.Errorf("bounces %v, %v", bounces, err)
	}
}

// The outbox of an earlier version is taken over from where that had it.
func TestFormerPlace(t *testing.T) {
	state := t.TempDir()
	o := mustOpen(t, state)
	putTexts(t, o, "one")
	o.Close()
	former := filepath.Join(state, formerDir)
	if err := errors.Join(os.Mkdir(former, 0o700), os.Rename(filepath.Join(state, fileName), filepath.Join(former, fileName)),
		os.WriteFile(filepath.Join(former, formerSock), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if !Exists(state) {
		t.Error("it does not exist")
	}
	o = mustOpen(t, state)
	if texts, _ := claimAll(t, o); !slices.Equal(texts, []string{"one"}) || !Exists(state) {
		t.Errorf("it has %q", texts)
	}
	if _, err := os.Stat(former); err == nil {
		t.Error("the directory is left")
	}
}

// Its file can contain secrets, and is for its owner alone.
func TestMode(t *testing.T) {
	state := t.TempDir()
	mustOpen(t, state)
	if info, err := os.Stat(filepath.Join(state, fileName)); err != nil || info.Mode().Perm() != fileMode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A damaged outbox is quarantined, whatever the damage, and a new one made.
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
			o := mustOpen(t, state)
			for range 50 {
				putTexts(t, o, strings.Repeat("text ", 100))
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(state, fileName)
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, damage(data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			o = mustOpen(t, state)
			if found := Damaged(state); o.Quarantined == "" || !slices.Equal(found, []string{o.Quarantined}) {
				t.Errorf("quarantined %q, found %q", o.Quarantined, found)
			}
			putTexts(t, o, "one")
			if texts, _ := claimAll(t, o); !slices.Equal(texts, []string{"one"}) {
				t.Errorf("%q", texts)
			}
		})
	}
}

// So is a database with a value in it that nobody has written.
func TestDamagedRecord(t *testing.T) {
	state := t.TempDir()
	o := mustOpen(t, state)
	putTexts(t, o, "one")
	o.Close()
	db, err := bbolt.Open(filepath.Join(state, fileName), fileMode, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketTargets).Put([]byte(src), []byte("{bad")) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if o = mustOpen(t, state); o.Quarantined == "" {
		t.Error("it is not quarantined")
	}
}

// What nobody has used for a long time is removed. What is pending never is.
func TestRemoveOld(t *testing.T) {
	state := t.TempDir()
	o := mustOpen(t, state)
	mustPut(t, o, notify.Message{Text: "x", Key: "delivered", Reminder: true}, notify.Message{Target: src + "2", Text: "x", Key: "pending", Reminder: true})
	o.Done(next(t, o, 0), nil)
	o.flush(t)
	o.Close()
	o, err := Open(state, new(transport), func() time.Time { return noon.Add(keepKey + time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	known, err := o.find([]string{"delivered", "pending"})
	all, allErr := o.Recipients(true)
	if err := errors.Join(err, allErr); err != nil || len(known) != 1 || !slices.Equal(all, []notify.Recipient{{URL: src + "2"}}) {
		t.Errorf("known are %v of %v, %v", known, all, err)
	}
}

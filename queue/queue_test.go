package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/emersion/go-message/charset"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/policy"
)

// now is Friday, 20 November 2026, noon.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func newQueue(t testing.TB) *Queue {
	t.Helper()
	state := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(state, 0o750); err != nil {
		t.Fatal(err)
	}
	policy := policy.Policy{Branches: policy.DefaultBranches, Allow: []string{"*@example.org"}}
	return New(state, policy, time.UTC, now)
}

// A mail has the parts of a commit mail that the tests vary.
type mail struct{ id, hash, branch, from, asks, date string }

func (m mail) String() string {
	if m.hash == "" {
		m.hash = fmt.Sprintf("%040x", len(m.id)*7919+int(m.id[0]))
	}
	if m.branch == "" {
		m.branch = "refs/heads/main"
	}
	if m.from == "" {
		m.from = "ida@example.org"
	}
	if m.asks == "" {
		m.asks = "MFC after: 2 weeks"
	}
	if m.date == "" {
		m.date = "2026-11-20 09:00:00 +0000"
	}
	return fmt.Sprintf(`From: Ida <%[4]s>
Message-ID: <%[1]s>
X-Git-Repository: src
X-Git-Refname: %[3]s

commit %[2]s
Author: Ann <ann@example.org>
Commit: Ida <%[4]s>
CommitDate: %[6]s

    subject of %[1]s

    %[5]s
`, m.id, m.hash, m.branch, m.from, m.asks, m.date)
}

func put(t testing.TB, q *Queue, mails ...mail) {
	t.Helper()
	for _, m := range mails {
		if _, err := q.Spool.Put(m.id, []byte(m.String())); err != nil {
			t.Fatal(err)
		}
	}
}

func schedule(t testing.TB, q *Queue) map[string]string {
	t.Helper()
	plan, err := q.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := q.Apply(plan); err != nil || len(done) != len(plan) {
		t.Fatalf("%d of %d done: %v", len(done), len(plan), err)
	}
	became := map[string]string{}
	for _, d := range plan {
		became[d.Name] = strings.TrimSpace(d.Event.Kind + " " + d.Event.Due)
	}
	return became
}

// tree lists the files of the state directory without the history.
func tree(t testing.TB, q *Queue) string {
	t.Helper()
	var files []string
	filepath.WalkDir(q.State, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.Contains(path, "/history/2") && e.Name() != "history.sum" && e.Name() != "id" {
			rel, _ := filepath.Rel(q.State, path)
			files = append(files, rel)
		}
		return err
	})
	return strings.Join(files, "\n")
}

// Each message is decided by the policy and its content, and none blocks another.
func TestSchedule(t *testing.T) {
	q := newQueue(t)
	put(t, q,
		mail{id: "a"}, mail{id: "b", asks: "MFC after: 0 days"}, mail{id: "past", date: "2020-01-01 00:00:00 +0000"},
		mail{id: "wip", branch: "refs/heads/wip"}, mail{id: "tag", branch: "refs/tags/main"},
		mail{id: "soon", asks: "MFC after: soon"}, mail{id: "stranger", from: "x@elsewhere.example"},
		mail{id: "noaddr", from: "nobody"}, mail{id: "eleven", asks: "MFC after: 11 years"},
		mail{id: "opt", from: "-oQ@example.org"},
	)
	for name, text := range map[string]string{"garbage": "garbage", "empty": "", "asks-nothing": strings.Replace(mail{id: "n"}.String(), "MFC after", "XYZ", 1), ".hidden": "x"} {
		if err := os.WriteFile(filepath.Join(q.Spool.Dir(), name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(q.Spool.Dir(), "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(q.Spool.Dir(), "link")); err != nil {
		t.Fatal(err)
	}
	became := schedule(t, q)
	for name, want := range map[string]string{
		"a": "queued 20261204", "b": "queued 20261120", "past": "queued 20200115", "wip": "ignored", "tag": "ignored",
		"soon": "failed", "stranger": "failed", "noaddr": "failed", "eleven": "failed", "garbage": "failed", "empty": "failed",
		"asks-nothing": "failed", ".hidden": "failed", "dir": "failed", "link": "failed", "opt": "queued 20261204",
	} {
		if became[name] != want {
			t.Errorf("%s became %q, want %q", name, became[name], want)
		}
	}
	files := tree(t, q)
	for _, want := range []string{"queue/20261204/a", "failed/stranger.why", "failed/soon"} {
		if !strings.Contains(files, want) {
			t.Errorf("no %s in\n%s", want, files)
		}
	}
	if strings.Contains(files, "spool/") || strings.Contains(files, "tmp/") {
		t.Errorf("left behind:\n%s", files)
	}
	why, _ := os.ReadFile(filepath.Join(q.failed(), "stranger.why"))
	if !strings.Contains(string(why), "allow, under [reminders]") || !strings.Contains(string(why), "vext retry ID") {
		t.Errorf("the reason does not say what to do: %s", why)
	}
}

// A commit is recognised by its name and by its hash, and distinguished from itself on
// a second branch.
func TestDuplicates(t *testing.T) {
	q := newQueue(t)
	hash := strings.Repeat("ab", 20)
	put(t, q, mail{id: "first", hash: hash})
	schedule(t, q)
	put(t, q, mail{id: "first", hash: hash}, mail{id: "hook", hash: hash}, mail{id: "trunk", hash: hash, branch: "refs/heads/trunk"}, mail{id: "wip", hash: hash, branch: "wip"})
	became := schedule(t, q)
	for name, want := range map[string]string{"first": "duplicate", "hook": "duplicate", "trunk": "also", "wip": "ignored"} {
		if became[name] != want {
			t.Errorf("%s became %q, want %q", name, became[name], want)
		}
	}
	put(t, q, mail{id: "trunk2", hash: hash, branch: "refs/heads/trunk"})
	if got := schedule(t, q)["trunk2"]; got != "duplicate" {
		t.Errorf("the second time on trunk it became %q", got)
	}
	if files := tree(t, q); files != "history/done/20261120/wip\nqueue/20261204/first" {
		t.Errorf("files:\n%s", files)
	}
	known, _ := q.History.Lookup(nil, []string{"src@" + hash})
	if got := known.Commit("src@" + hash).All.Branches; len(got) != 1 || got[0] != "trunk" {
		t.Errorf("other branches: %v", got)
	}
}

// A commit on an ignored branch does not prevent its reminder on a branch that counts.
func TestIgnoredIsNoDuplicate(t *testing.T) {
	q := newQueue(t)
	hash := strings.Repeat("cd", 20)
	put(t, q, mail{id: "wip", hash: hash, branch: "wip"})
	schedule(t, q)
	put(t, q, mail{id: "main", hash: hash})
	if got := schedule(t, q)["main"]; got != "queued 20261204" {
		t.Errorf("it became %q", got)
	}
}

// A forged message that is quarantined does not replace the true one.
func TestFailedIsNoDuplicate(t *testing.T) {
	q := newQueue(t)
	hash := strings.Repeat("ef", 20)
	put(t, q, mail{id: "forged", hash: hash, from: "x@elsewhere.example"})
	schedule(t, q)
	put(t, q, mail{id: "true", hash: hash})
	if got := schedule(t, q)["true"]; got != "queued 20261204" {
		t.Errorf("it became %q", got)
	}
	put(t, q, mail{id: "forged", hash: hash + "00", from: "x@elsewhere.example"})
	schedule(t, q) // a second of that name keeps the first
	failures, _ := q.Quarantined()
	if len(failures) != 2 {
		t.Errorf("%+v", failures)
	}
}

func one(t testing.TB, q *Queue, id string) *Item {
	t.Helper()
	items, err := q.Find(id, nil)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return &items[0]
}

func period(t testing.TB, s string) commit.Period {
	t.Helper()
	p, err := commit.ParsePeriod(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A reminder is snoozed from its day, or from today when that is later, also after it
// was sent.
func TestSnooze(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "later"}, mail{id: "past", date: "2020-01-01 00:00:00 +0000"}, mail{id: "sent", asks: "MFC after: 0 days"})
	schedule(t, q)
	item := one(t, q, "sent")
	if err := q.History.Append(history.Event{Time: now, Kind: history.Sent, Name: "sent"}); err != nil {
		t.Fatal(err)
	}
	if err := q.Finish(item.Entry()); err != nil {
		t.Fatal(err)
	}
	if err := q.SyncDay(item.Day); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ id, period, want string }{
		{"later", "1 week", "20261211"}, {"past", "1 week", "20261127"}, {"sent", "3 days", "20261123"},
		// The last of a day counts.
		{"later", "1 week", "20261211"}, {"past", "1 week", "20261127"}, {"past", "1 week", "20261127"}, {"sent", "3 days", "20261123"},
		{"later", "1 month", "20270104"}, {"later", "2026-12-24", "20261224"},
	} {
		day, err := q.Snooze(one(t, q, test.id), period(t, test.period), "ops")
		if err != nil && !errors.Is(err, ErrUnchanged) || day.String() != test.want {
			t.Errorf("%s by %s: %s, %v; want %s", test.id, test.period, day, err, test.want)
		}
	}
	if n := countEvents(q, history.Snoozed); n != 5 { // what changes nothing is not recorded
		t.Errorf("%d records", n)
	}
	if got, want := tree(t, q), "queue/20261123/sent\nqueue/20261127/past\nqueue/20261224/later"; got != want {
		t.Errorf("files:\n%s\nwant:\n%s", got, want)
	}
	known, _ := q.History.Lookup([]string{"sent"}, nil)
	if s := known.Name("sent"); s.Done || s.Snoozed != "20261123" {
		t.Errorf("%+v", s)
	}
}

// The next day, a period counts from the new day.
func TestSnoozeAgain(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "a", asks: "MFC after: 0 days"})
	schedule(t, q)
	for _, test := range []struct {
		days         int
		period, want string
	}{
		{0, "1 week", "20261127"}, {0, "1 week", "20261127"}, {1, "1 week", "20261204"}, {1, "1 week", "20261204"}, {1, "2 days", "20261129"},
		{9, "1 week", "20261206"}, {30, "1 week", "20261227"}, {30, "1 week", "20261227"},
	} {
		q.Now = now.AddDate(0, 0, test.days)
		day, err := q.Snooze(one(t, q, "a"), period(t, test.period), "ops")
		if err != nil && !errors.Is(err, ErrUnchanged) || day.String() != test.want {
			t.Errorf("%s on day %d: %s, %v; want %s", test.period, test.days, day, err, test.want)
		}
	}
	if got := tree(t, q); got != "queue/20261227/a" {
		t.Errorf("files:\n%s", got)
	}
}

func countEvents(q *Queue, kind string) (n int) {
	q.History.Scan(func(e *history.Event) {
		if e.Kind == kind {
			n++
		}
	})
	return n
}

func TestCancel(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "a"})
	schedule(t, q)
	if err := q.Cancel(one(t, q, "a"), "ops"); err != nil {
		t.Fatal(err)
	}
	if items, _ := q.Waiting(); len(items) > 0 {
		t.Errorf("still waiting: %+v", items)
	}
	if err := q.Cancel(one(t, q, "a"), "ops"); !errors.Is(err, ErrUnchanged) {
		t.Errorf("cancelled twice: %v", err)
	}
	put(t, q, mail{id: "a"})
	if got := schedule(t, q)["a"]; got != "duplicate" {
		t.Errorf("it came again and became %q", got)
	}
	events := 0
	q.History.Scan(func(e *history.Event) {
		if e.Kind == history.Cancelled && e.By == "ops" && e.Revision != "" {
			events++
		}
	})
	if events != 1 {
		t.Errorf("%d records of who cancelled", events)
	}
}

// A message whose period is not understood keeps the day that a person set.
func TestRetryOfGivenDay(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "a", asks: "MFC after: soon"}, mail{id: "b", asks: "MFC after: soon"})
	schedule(t, q)
	if _, err := q.Snooze(one(t, q, "a"), period(t, "1 week"), "ops"); err != nil {
		t.Fatal(err)
	}
	if err := q.Quarantine(one(t, q, "a").Entry(), history.Event{}, "no such user"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if err := q.Retry(one(t, q, id), "ops"); err != nil {
			t.Fatal(err)
		}
	}
	if got := schedule(t, q); got["a"] != "queued 20261127" || got["b"] != "failed" {
		t.Errorf("they became %q", got)
	}
}

// A quarantined message is retried after its cause is fixed, and keeps its day.
func TestRetry(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "a", from: "x@elsewhere.example"})
	schedule(t, q)
	q.Policy.Allow = []string{"*"}
	if err := q.Retry(one(t, q, "a"), "ops"); err != nil {
		t.Fatal(err)
	}
	if got := schedule(t, q)["a"]; got != "queued 20261204" {
		t.Errorf("it became %q", got)
	}
	if files := tree(t, q); files != "queue/20261204/a" {
		t.Errorf("files:\n%s", files)
	}
	item := one(t, q, "a")
	if _, err := q.Snooze(item, period(t, "1 week"), "ops"); err != nil {
		t.Fatal(err)
	}
	item = one(t, q, "a")
	if err := q.Quarantine(item.Entry(), *item.Event, "refused"); err != nil {
		t.Fatal(err)
	}
	if err := q.Retry(one(t, q, "a"), "ops"); err != nil {
		t.Fatal(err)
	}
	if got := schedule(t, q)["a"]; got != "queued 20261211" {
		t.Errorf("after a snooze it became %q", got)
	}
}

// Stray files of every kind are quarantined.
func TestStrayFiles(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "a"})
	schedule(t, q)
	for _, dir := range []string{"queue/abcdefgh", "queue/20261399", "queue/20261204/dir"} {
		if err := os.MkdirAll(filepath.Join(q.State, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"queue/README", "queue/20261204/x.why", "queue/20261204/a b"} {
		if err := os.WriteFile(filepath.Join(q.State, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := q.StrayFiles()
	if err != nil || len(found) != 6 {
		t.Fatalf("%d: %+v, %v", len(found), found, err)
	}
	if moved, err := q.QuarantineStrays(found); err != nil || len(moved) != 6 {
		t.Fatalf("%d moved: %v", len(moved), err)
	}
	if items, _ := q.Waiting(); len(items) != 1 || items[0].Name != "a" {
		t.Errorf("waiting: %+v", items)
	}
	if failures, _ := q.Quarantined(); len(failures) != 6 {
		t.Errorf("quarantined: %+v", failures)
	}
	if found, _ := q.StrayFiles(); len(found) > 0 {
		t.Errorf("still there: %+v", found)
	}
}

func TestFind(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "a", hash: strings.Repeat("0123456789", 4)}, mail{id: "b", hash: "0123" + strings.Repeat("f", 36)})
	schedule(t, q)
	put(t, q, mail{id: "c", hash: "0123456789" + strings.Repeat("e", 30)})
	for id, want := range map[string]string{"a": "a", "01234": "a", "0123F": "b", "0123456789e": "c", strings.Repeat("0123456789", 4): "a"} {
		if got := one(t, q, id); got.Name != want {
			t.Errorf("%s is %s, want %s", id, got.Name, want)
		}
	}
	for id, want := range map[string]error{"0123": ErrAmbiguous, "012": ErrNotFound, "x": ErrNotFound, "": ErrNotFound} {
		if items, err := q.Find(id, nil); !errors.Is(err, want) {
			t.Errorf("%q: %+v, %v; want %v", id, items, err, want)
		}
	}
}

// A message that was put into the queue by hand is listed.
func TestWaitingWithoutHistory(t *testing.T) {
	q := newQueue(t)
	dir := filepath.Join(q.State, "queue", "20261204")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte(mail{id: "a"}.String()), 0o640); err != nil {
		t.Fatal(err)
	}
	items, err := q.Waiting()
	if err != nil || len(items) != 1 || items[0].Address != "ida@example.org" || items[0].Subject != "subject of a" {
		t.Errorf("%+v, %v", items, err)
	}
}

func TestLock(t *testing.T) {
	q := newQueue(t)
	lock, err := Acquire(context.Background(), q.State, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(context.Background(), q.State, 0); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	if err := lock.MarkRun(now); err != nil {
		t.Fatal(err)
	}
	if err := lock.MarkRun(now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if last, first := Runs(q.State); !last.Equal(now.Add(time.Hour)) || !first.Equal(now) {
		t.Errorf("runs: %s, %s", last, first)
	}
	lock.Release()
	lock, err = Acquire(context.Background(), q.State, 0)
	if err != nil {
		t.Fatal(err)
	}
	lock.Release()
}

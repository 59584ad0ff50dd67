package reminder

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/emersion/go-message/charset"

	"vext/internal/calendar"
	"vext/internal/history"
	"vext/notify"
	"vext/policy"
	"vext/queue"
	"vext/templates"
)

var update = flag.Bool("update", false, "write the golden files")

// now is Friday, 20 November 2026, noon.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

var messageIDs = regexp.MustCompile(`Message-Id: <.*>`)

// A sender keeps what it is given, or fails with a prepared error.
type sender struct {
	mails []*notify.Mail
	fail  func(*notify.Mail) error
}

func (s *sender) Send(_ context.Context, m *notify.Mail) error {
	if s.fail != nil {
		if err := s.fail(m); err != nil {
			return err
		}
	}
	s.mails = append(s.mails, m)
	return nil
}

func (s *sender) Check(context.Context) error { return nil }
func (s *sender) Close() error                { return nil }
func (s *sender) String() string              { return "test:" }

func (s *sender) recipients() string {
	var all []string
	for _, m := range s.mails {
		all = append(all, m.Recipient)
	}
	return strings.Join(all, " ")
}

func newService(t testing.TB) (*Service, *sender) {
	t.Helper()
	state := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(state, 0o750); err != nil {
		t.Fatal(err)
	}
	set, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	from, err := ParseAddress("MFC reminders <mfc@example.org>")
	if err != nil {
		t.Fatal(err)
	}
	out := &sender{}
	policy := policy.Policy{Branches: policy.DefaultBranches, Allow: []string{"*@example.org"}}
	return &Service{
		Queue: queue.New(state, policy, time.UTC, now), Mail: out, Templates: set, From: from,
		Envelope: "mfc@example.org", Host: "host.example.org", Log: slog.New(slog.DiscardHandler),
	}, out
}

const commitMail = `From: %[2]s
Message-ID: <%[1]s>
X-Git-Repository: src
X-Git-Refname: refs/heads/main

commit %[3]s
Author: Ann Author <ann@example.org>
Commit: %[2]s
CommitDate: 2026-11-20 09:00:00 +0000

    subject of %[1]s

    %[4]s
`

func put(t testing.TB, s *Service, id, who, asks string) {
	t.Helper()
	hash := fmt.Sprintf("%040x", []byte(id))[:40]
	if _, err := s.Queue.Spool.Put(id, fmt.Appendf(nil, commitMail, id, who, hash, asks)); err != nil {
		t.Fatal(err)
	}
}

// at runs the service a number of days after now.
func at(t testing.TB, s *Service, days int) (Summary, error) {
	t.Helper()
	s.Queue.Now = now.AddDate(0, 0, days)
	return s.Run(context.Background())
}

func mustRun(t testing.TB, s *Service, days int, want string) {
	t.Helper()
	sum, err := at(t, s, days)
	if err != nil {
		t.Fatalf("day %d: %v", days, err)
	}
	if sum.String() != want {
		t.Errorf("day %d: %s, want %s", days, sum, want)
	}
}

// A reminder goes out on its day, once, and what became due while nothing ran
// goes out at the next run.
func TestRun(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "Ida <ida@example.org>", "MFC after: 2 weeks")
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 1 month")
	put(t, s, "c", "Tom <tom@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "3 queued, 1 sent")
	mustRun(t, s, 13, "nothing to do")
	mustRun(t, s, 14, "1 sent")
	mustRun(t, s, 14, "nothing to do")
	mustRun(t, s, 100, "1 sent")
	if got := out.recipients(); got != "tom@example.org ida@example.org jane@example.org" {
		t.Errorf("reminded: %s", got)
	}
	put(t, s, "a", "Ida <ida@example.org>", "MFC after: 2 weeks")
	mustRun(t, s, 101, "1 known already")
	if files, _ := filepath.Glob(filepath.Join(s.Queue.State, "queue", "*")); len(files) > 0 {
		t.Errorf("left in the queue: %v", files)
	}
}

// A refused recipient is quarantined; the others are written to.
func TestRefused(t *testing.T) {
	s, out := newService(t)
	out.fail = func(m *notify.Mail) error {
		if m.Recipient == "gone@example.org" {
			return &notify.PermanentError{Err: errors.New("550 no such user")}
		}
		return nil
	}
	for _, who := range []string{"a", "gone", "z"} {
		put(t, s, who, who+"@example.org", "MFC after: 0 days")
	}
	mustRun(t, s, 0, "3 queued, 2 sent, 1 quarantined")
	failures, _ := s.Queue.Quarantined()
	if len(failures) != 1 || !strings.Contains(failures[0].Reason, "550 no such user") {
		t.Errorf("%+v", failures)
	}
	out.fail = nil
	if err := s.Queue.Retry(find(t, s, "gone"), "ops"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 queued, 1 sent")
}

func find(t testing.TB, s *Service, id string) *queue.Item {
	t.Helper()
	items, err := s.Queue.Find(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &items[0]
}

// A recipient that is to be tried later waits longer and longer, while the
// others go out, and is given up in the end.
func TestDeferred(t *testing.T) {
	s, out := newService(t)
	out.fail = func(m *notify.Mail) error {
		if m.Recipient == "busy@example.org" {
			return errors.New("450 later")
		}
		return nil
	}
	put(t, s, "a", "a@example.org", "MFC after: 0 days")
	put(t, s, "busy", "busy@example.org", "MFC after: 0 days")
	sum, err := at(t, s, 0)
	if err == nil || sum.String() != "2 queued, 1 sent, 1 to be retried" {
		t.Fatalf("%s, %v", sum, err)
	}
	// Every minute for an hour, then every hour.
	tries := 1
	start := s.Queue.Now
	for step := start; step.Before(start.AddDate(0, 0, 25)); {
		s.Queue.Now = step
		sum, _ := s.Run(context.Background())
		tries += sum.Deferred
		if sum.Quarantined > 0 {
			if age := step.Sub(start); age < giveUp || age > giveUp+24*time.Hour {
				t.Errorf("given up after %s", age)
			}
			break
		}
		if step.Sub(start) < time.Hour {
			step = step.Add(time.Minute)
		} else {
			step = step.Add(time.Hour)
		}
	}
	if tries < 25 || tries > 45 {
		t.Errorf("tried %d times in 20 days", tries)
	}
	failures, _ := s.Queue.Quarantined()
	if len(failures) != 1 || !strings.Contains(failures[0].Reason, "given up after 20 days: 450 later") {
		t.Errorf("%+v", failures)
	}
}

// Without a mail server everything stays, is asked for once a run, and goes
// out when it is back; a daily run is never a minute too early.
func TestClosed(t *testing.T) {
	s, out := newService(t)
	asked := 0
	out.fail = func(*notify.Mail) error {
		asked++
		return &notify.UnavailableError{Err: errors.New("connection refused")}
	}
	for _, who := range []string{"a", "b", "c"} {
		put(t, s, who, who+"@example.org", "MFC after: 0 days")
	}
	for day := range 10 {
		sum, err := at(t, s, day)
		if err == nil || sum.Deferred != 3 || asked != day+1 {
			t.Fatalf("day %d: %s, asked %d times, %v", day, sum, asked, err)
		}
	}
	out.fail = nil
	mustRun(t, s, 10, "3 sent")
}

// A run after a crash finds out what was sent.
func TestCrashBetweenRecordAndRemoval(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "a@example.org", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	e := *find(t, s, "a").Event
	e.Kind, e.Time = history.Sent, now
	if err := s.Queue.History.Append(e); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 1, "nothing to do")
	if len(out.mails) > 0 {
		t.Error("sent twice")
	}
}

// Snoozed after it was sent, it is sent again: under another Message-ID, once.
func TestSnoozeAfterSent(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "a@example.org", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 sent")
	item := find(t, s, "a")
	if item.Place != queue.InDone {
		t.Fatalf("%+v", item)
	}
	week := mustPeriod(t, "1 week")
	if _, err := s.Queue.Snooze(item, week, "ida"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 6, "nothing to do")
	mustRun(t, s, 7, "1 sent")
	mustRun(t, s, 8, "nothing to do")
	if len(out.mails) != 2 || out.mails[0].Key == out.mails[1].Key {
		t.Errorf("%d mails", len(out.mails))
	}
	if err := s.Queue.Cancel(find(t, s, "a"), "ida"); err != nil {
		t.Fatal(err)
	}
}

// A request that could not be read is snoozed to a day, and then sent.
func TestSnoozeUnreadable(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "a@example.org", "MFC after: soon")
	mustRun(t, s, 0, "1 quarantined")
	if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "2020-01-01"), "ida"); err == nil {
		t.Error("snoozed into the past")
	}
	if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "1 day"), "ida"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 1, "1 sent")
	if len(out.mails) != 1 {
		t.Errorf("reminded: %s", out.recipients())
	}
}

// The recipient can be the author, and whom the configuration does not allow
// is not written to even when it was scheduled.
func TestRecipient(t *testing.T) {
	s, out := newService(t)
	s.Queue.Policy.ToAuthor = true
	put(t, s, "a", "ida@example.org", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 sent")
	if got := out.recipients(); got != "ann@example.org" {
		t.Errorf("reminded: %s", got)
	}
	put(t, s, "b", "ida@example.org", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	s.Queue.Policy.Allow = nil
	mustRun(t, s, 1, "1 quarantined")
}

// Several for one person go out as one mail, those of others by themselves.
func TestDigest(t *testing.T) {
	s, out := newService(t)
	s.Digest = true
	put(t, s, "a", "Ida <ida@example.org>", "MFC after: 1 day")
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 1 day")
	put(t, s, "c", "Ida <ida@example.org>", "MFC after: 2 days")
	mustRun(t, s, 0, "3 queued")
	mustRun(t, s, 2, "3 sent")
	if got := out.recipients(); got != "ida@example.org jane@example.org" {
		t.Fatalf("reminded: %s", got)
	}
	golden(t, "digest", out.mails[0].Data)
}

// The same commit on a second branch is one reminder, which names both.
func TestTwoBranches(t *testing.T) {
	s, out := newService(t)
	text := fmt.Sprintf(commitMail, "a", "Ida <ida@example.org>", strings.Repeat("ab", 20), "MFC after: 1 day")
	for name, text := range map[string]string{"a": text, "b": strings.Replace(text, "heads/main", "heads/trunk", 1)} {
		if _, err := s.Queue.Spool.Put(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		at(t, s, 0)
	}
	mustRun(t, s, 1, "1 sent")
	if len(out.mails) != 1 || !bytes.Contains(out.mails[0].Data, []byte("main and trunk of src")) && !bytes.Contains(out.mails[0].Data, []byte("trunk and main of src")) {
		t.Errorf("%s", out.mails[0].Data)
	}
}

// What to do is said once for all that have it in common, with the whole command.
func TestQuarantinedGroups(t *testing.T) {
	s, _ := newService(t)
	s.Vext = "vext --state /srv/vext"
	advice := "\nto drop this one: vext cancel ID"
	var q quarantinedSince
	for _, e := range []history.Event{
		{Name: "a", Reason: "a may not" + advice}, {Name: "b", Reason: "it is a directory"}, {Name: "c", Key: "k", Revision: strings.Repeat("ab", 20), Reason: "c may not" + advice},
		{Name: "d", Key: "k", Revision: "r7", Cause: history.CausePeriod, Reason: "soon\nto give it a day: vext snooze ID 2 weeks"},
	} {
		q.take(&e)
	}
	d := s.quarantinedData(&q)
	var got []string
	for _, item := range d.Items {
		got = append(got, item.ID+": "+item.Why+": "+item.Advice)
	}
	want := []string{"a: a may not: ", "abababababab: c may not: to drop this one: vext --state /srv/vext cancel ID", "b: it is a directory: ", "r7: soon: to give it a day: vext --state /srv/vext snooze r7 2 weeks"}
	if !slices.Equal(got, want) || d.Unclear != 1 || !strings.HasSuffix(d.Items[1].Reason, "vext --state /srv/vext cancel abababababab") {
		t.Errorf("got %q, %d unclear, want %q", got, d.Unclear, want)
	}
}

// The operator is notified once of each quarantined message, and once a month that the
// service is alive.
func TestOperator(t *testing.T) {
	s, out := newService(t)
	s.Operator = "ops@example.org"
	put(t, s, "a", "x@elsewhere.example", "MFC after: 1 day")
	put(t, s, "b", "ida@example.org", "MFC after: soon")
	mustRun(t, s, 0, "2 quarantined")
	mustRun(t, s, 0, "nothing to do")
	mustRun(t, s, 1, "nothing to do")
	if got := out.recipients(); got != "ops@example.org" {
		t.Fatalf("written to: %q", got)
	}
	mail := bytes.ReplaceAll(out.mails[0].Data, []byte(s.Queue.State), []byte("/var/spool/vext"))
	golden(t, "quarantined", messageIDs.ReplaceAll(mail, []byte("Message-Id: <...>"))) // made from the text
	put(t, s, "c", "ida@example.org", "MFC after: 1 day")
	mustRun(t, s, 1, "1 queued, 1 sent")
	mustRun(t, s, 11, "nothing to do") // 1 December
	mustRun(t, s, 11, "nothing to do")
	mustRun(t, s, 30, "nothing to do")
	if len(out.mails) != 3 {
		t.Fatalf("written to: %q", out.recipients())
	}
	golden(t, "month", out.mails[2].Data)
	mustRun(t, s, 45, "nothing to do") // January
	if len(out.mails) != 4 {
		t.Errorf("written to: %q", out.recipients())
	}
}

// When the history can't be written, nothing is moved and nothing is sent.
func TestHistoryCannotBeWritten(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "a@example.org", "MFC after: 0 days")
	path := filepath.Join(s.Queue.State, "history")
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if sum, err := at(t, s, 0); err == nil || len(out.mails) > 0 {
		t.Errorf("%s, %v", sum, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 queued, 1 sent")
}

// A template that does not fit stops the sending, and loses nothing.
func TestBrokenTemplate(t *testing.T) {
	s, out := newService(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "reminder.txt"), []byte("{{.NoSuchField}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := s.Templates
	var err error
	if s.Templates, err = templates.Load(dir); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "a@example.org", "MFC after: 0 days")
	if _, err := at(t, s, 0); err == nil || !strings.Contains(err.Error(), "NoSuchField") {
		t.Errorf("%v", err)
	}
	s.Templates = good
	mustRun(t, s, 0, "1 sent")
	if len(out.mails) != 1 {
		t.Error("not sent")
	}
}

// A preview says that a message which became unreadable in the queue will be quarantined.
func TestPreviewUnreadable(t *testing.T) {
	s, _ := newService(t)
	put(t, s, "a", "a@example.org", "MFC after: 1 day")
	mustRun(t, s, 0, "1 queued")
	found, _ := filepath.Glob(filepath.Join(s.Queue.State, "queue", "*", "a"))
	if len(found) != 1 || os.WriteFile(found[0], []byte("?"), 0o600) != nil {
		t.Fatal(found)
	}
	s.Queue.Now = now.AddDate(0, 0, 1)
	steps, err := s.Preview()
	if err != nil || len(steps) != 1 || steps[0].Action+" "+steps[0].What != "quarantine a" {
		t.Errorf("%+v, %v", steps, err)
	}
	mustRun(t, s, 1, "1 quarantined")
}

func TestPreview(t *testing.T) {
	s, out := newService(t)
	put(t, s, "a", "a@example.org", "MFC after: 0 days")
	put(t, s, "b", "b@example.org", "MFC after: 1 week")
	put(t, s, "c", "c@elsewhere.example", "MFC after: 1 week")
	before, _ := filepath.Glob(filepath.Join(s.Queue.State, "*", "*"))
	steps, err := s.Preview()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range steps {
		got = append(got, step.Action)
	}
	if strings.Join(got, " ") != "queue queue quarantine send" {
		t.Errorf("steps: %+v", steps)
	}
	after, _ := filepath.Glob(filepath.Join(s.Queue.State, "*", "*"))
	if strings.Join(before, " ") != strings.Join(after, " ") || len(out.mails) > 0 {
		t.Errorf("something changed: %v", after)
	}
}

func TestPause(t *testing.T) {
	for n, want := range map[int]time.Duration{1: 0, 2: 5 * time.Minute, 3: 10 * time.Minute, 9: 640 * time.Minute, 10: 1280 * time.Minute, 11: 23 * time.Hour, 1000: 23 * time.Hour} {
		if got := retries.After(n - 1); got != want {
			t.Errorf("pause %d is %s, want %s", n, got, want)
		}
	}
}

func mustDay(t testing.TB, s string) calendar.Day {
	t.Helper()
	d, err := calendar.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What the policy ignores is kept, and a person can bring it back.
func TestIgnoredIsKept(t *testing.T) {
	s, out := newService(t)
	s.Queue.Policy.Repositories = []string{"doc"}
	put(t, s, "a", "ida@example.org", "MFC after: 1 day")
	mustRun(t, s, 0, "1 ignored")
	if _, err := s.Queue.Snooze(find(t, s, "a"), mustPeriod(t, "1 day"), "ida"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 1, "1 sent")
	if len(out.mails) != 1 {
		t.Errorf("reminded: %s", out.recipients())
	}
}

// A digest goes to whom its reminders are for now, each to their own.
func TestDigestAfterChange(t *testing.T) {
	s, out := newService(t)
	s.Digest = true
	for _, id := range []string{"a", "b"} {
		text := strings.Replace(fmt.Sprintf(commitMail, id, "Jane <jane@example.org>", fmt.Sprintf("%040x", id), "MFC after: 1 day"), "ann@", id+"@", 1)
		if _, err := s.Queue.Spool.Put(id, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, s, 0, "2 queued")
	s.Queue.Policy.ToAuthor = true
	mustRun(t, s, 1, "2 sent")
	if got := out.recipients(); got != "a@example.org b@example.org" {
		t.Errorf("reminded: %s", got)
	}
	counts, _ := CountSent(s.Queue.History, ByCommitter, calendar.Day{}, calendar.Day{}, time.UTC)
	if len(counts.Counts) != 2 || counts.Counts[0].Name != "a" {
		t.Errorf("recorded: %+v", counts.Counts)
	}
}

// A commit that was snoozed before it had its day is known by that.
func TestSnoozeInSpool(t *testing.T) {
	s, out := newService(t)
	text := fmt.Sprintf(commitMail, "x", "Ida <ida@example.org>", strings.Repeat("ab", 20), "MFC after: 0 days")
	put := func(id string) {
		if _, err := s.Queue.Spool.Put(id, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	put("m1")
	if _, err := s.Queue.Snooze(find(t, s, "m1"), mustPeriod(t, "1 week"), "ida"); err != nil {
		t.Fatal(err)
	}
	put("m2")
	mustRun(t, s, 0, "1 known already")
	mustRun(t, s, 7, "1 sent")
	if len(out.mails) != 1 {
		t.Errorf("reminded: %s", out.recipients())
	}
}

// To clear a forgery away does not clear the commit away that it named.
func TestCancelledForgery(t *testing.T) {
	s, out := newService(t)
	text := fmt.Sprintf(commitMail, "x", "Ida <ida@example.org>", strings.Repeat("ab", 20), "MFC after: 0 days")
	if _, err := s.Queue.Spool.Put("m1", []byte(strings.ReplaceAll(text, "ida@example.org", "x@evil.example"))); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 quarantined")
	if err := s.Queue.Cancel(find(t, s, "m1"), "ops"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Queue.Spool.Put("m2", []byte(text)); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 queued, 1 sent")
	if got := out.recipients(); got != "ida@example.org" {
		t.Errorf("reminded: %s", got)
	}
}

// A clock that was wrong neither puts a reminder to sleep nor gives it up.
func TestClockJumps(t *testing.T) {
	s, out := newService(t)
	out.fail = func(*notify.Mail) error { return &notify.UnavailableError{Err: errors.New("connection refused")} }
	put(t, s, "a", "ida@example.org", "MFC after: 0 days")
	for _, day := range []int{-9000, 3600, 3601, 3602} {
		at(t, s, day)
	}
	sum, _ := at(t, s, 5)
	if sum.Quarantined > 0 || sum.Deferred != 1 {
		t.Errorf("given up or asleep: %s", sum)
	}
	out.fail = nil
	mustRun(t, s, 7, "1 sent")
}

// What is no file is not waited for, wherever it lies.
func TestFIFO(t *testing.T) {
	s, _ := newService(t)
	mustRun(t, s, 0, "nothing to do")
	put(t, s, "a", "ida@example.org", "MFC after: 1 day")
	if err := syscall.Mkfifo(s.Queue.Spool.Path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", s.Queue.Spool.Path("zero")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, s, 0, "1 queued, 2 quarantined")
	items, err := s.Queue.Quarantined()
	if err != nil || len(items) != 2 {
		t.Errorf("%+v, %v", items, err)
	}
	find(t, s, "a")
}

// Ended while a mail is in flight, a run finishes that mail, records it,
// and sends no other.
func TestEndWhileSending(t *testing.T) {
	s, out := newService(t)
	ctx, cancel := context.WithCancel(context.Background())
	out.fail = func(*notify.Mail) error { cancel(); return nil }
	put(t, s, "a", "a@example.org", "MFC after: 0 days")
	put(t, s, "b", "b@example.org", "MFC after: 0 days")
	if _, err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if len(out.mails) != 1 {
		t.Errorf("sent: %s", out.recipients())
	}
	out.fail = nil
	mustRun(t, s, 0, "1 sent")
	if got := out.recipients(); got != "a@example.org b@example.org" {
		t.Errorf("sent: %s", got)
	}
}

package reminder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message/mail"

	"vext/internal/backport"
	"vext/internal/backport/backporttest"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
)

// backports asks a fake Looker about these targets.
type backports struct {
	*backporttest.Fake
	targets []string
	marks   []backport.Mark
	err     error
	asked   int
}

func (b *backports) Look(ctx context.Context, commits []*commit.Commit, apply bool) ([]Backport, error) {
	b.asked++
	if b.err != nil {
		return nil, b.err
	}
	var questions []backport.Question
	for _, c := range commits {
		questions = append(questions, backport.Question{Revision: c.Revision, Targets: b.targets, Marks: b.marks})
	}
	reports, err := b.Fake.Look(ctx, questions, apply)
	var all []Backport
	for i := range reports {
		all = append(all, Backport{Report: reports[i], Source: "/srv/src.git, fetched on Fri 4 Dec 00:12"})
	}
	return all, err
}

func hashOf(id string) string { return fmt.Sprintf("%040x", []byte(id))[:40] }

// withBackports returns a service, what has become of its commits, and its mails.
func withBackports(t testing.TB) (*Service, *backports, *sender) {
	s, out := newService(t)
	b := &backports{Fake: backporttest.NewFake("main", "stable/15", "stable/14"), targets: []string{"stable/15", "stable/14"}}
	s.Backports = b
	return s, b, out
}

var merged = backport.Target{
	State: backport.Merged, By: strings.Repeat("b", 40), Who: "ida", Since: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC),
}

func on(branch string, t backport.Target) backport.Target {
	t.Branch = branch
	return t
}

// What is merged everywhere is not reminded of, and the history says so, once.
func TestMerged(t *testing.T) {
	s, b, out := withBackports(t)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 2 weeks")
	put(t, s, "c", "Jane <jane@example.org>", "MFC after: 2 weeks")
	b.SetTarget(hashOf("a"), on("stable/15", merged))
	b.SetTarget(hashOf("a"), on("stable/14", backport.Target{State: backport.NothingToDo}))
	b.SetTarget(hashOf("c"), on("stable/15", backport.Target{State: backport.NothingToDo}))
	b.SetTarget(hashOf("c"), on("stable/14", backport.Target{State: backport.NotWanted, Who: "jane"}))
	mustRun(t, s, 0, "2 queued")
	if b.asked != 0 {
		t.Errorf("asked %d times before anything was due", b.asked)
	}
	mustRun(t, s, 14, "1 merged already, 1 not needed")
	mustRun(t, s, 14, "nothing to do")
	if len(out.mails) != 0 || b.asked != 1 {
		t.Errorf("%d mails, asked %d times", len(out.mails), b.asked)
	}
	e := eventsOf(t, s, history.Merged)
	if len(e) != 1 {
		t.Fatalf("events %+v", e)
	}
	got := []string{e[0].Due, e[0].Target, e[0].Picked, e[0].By, e[0].Since, e[0].Reason}
	want := []string{
		"20261204", "stable/15", merged.By, "ida", "2026-12-01T08:00:00Z",
		"to stable/15 as bbbbbbbbbbbb, nothing to do on stable/14, 3 days before it was due",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if e := eventsOf(t, s, history.Cancelled); len(e) != 1 || e[0].Reason != "nothing to do on stable/15, not wanted on stable/14" {
		t.Errorf("%+v", e)
	}
	// The commit comes again, by another way: it is known.
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 2 weeks")
	mustRun(t, s, 15, "1 known already")
}

// What is not certain is reminded of.
func TestNotMerged(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(b *backports)
		says []string
	}{
		{"one target is left", func(b *backports) {
			b.SetTarget(hashOf("a"), on("stable/15", merged))
			b.SetTarget(hashOf("a"), on("stable/14", backport.Target{State: backport.Clean}))
		}, []string{"stable/15 merged as bbbbbbbbbbbb by ida on Tue 1 Dec\n", "stable/14 applies\n", "into stable/14:\n\n    git cherry-pick -x " + hashOf("a")}},
		{"probably merged", func(b *backports) {
			probably := merged
			probably.State = backport.ProbablyMerged
			b.SetTarget(hashOf("a"), on("stable/15", merged))
			b.SetTarget(hashOf("a"), on("stable/14", probably))
		}, []string{"stable/14 probably merged as bbbbbbbbbbbb by ida on Tue 1 Dec; if so: vext mark 000000000000 done --on stable/14\n"}},
		{"the commit is not known", func(*backports) {}, []string{"stable/15 not known: the repository does not have it\n"}},
		{"no targets", func(b *backports) { b.targets = nil }, []string{"Looked at /srv/src.git", "git cherry-pick -x " + hashOf("a")}},
		{"an error", func(b *backports) { b.err = errors.New("disk on fire") }, []string{"Looked at nothing, because disk on fire\n", "git cherry-pick -x " + hashOf("a")}},
		{"no answer in time", func(b *backports) { b.Fail(context.DeadlineExceeded) }, []string{"Looked at nothing, because context deadline exceeded\n"}},
		{"a fix is left", func(b *backports) {
			b.SetTarget(hashOf("a"), on("stable/15", merged))
			b.SetTarget(hashOf("a"), on("stable/14", backport.Target{State: backport.Clean}))
			b.AddFix(hashOf("a"), backport.Fix{Revision: hashOf("f"), Subject: "fix it", Targets: []backport.Target{{Branch: "stable/14", State: backport.Clean}}})
		}, []string{"    000000000000 fix it\n", "what is left into stable/14:\n\n    git cherry-pick -x " + hashOf("a") + " " + hashOf("f") + "\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, b, out := withBackports(t)
			put(t, s, "a", "Jane <jane@example.org>", "MFC after: 2 weeks")
			test.set(b)
			mustRun(t, s, 14, "1 queued, 1 sent")
			mustRun(t, s, 15, "nothing to do")
			for _, want := range test.says {
				if got := body(t, out.mails[0].Data); !strings.Contains(got, want) {
					t.Errorf("no %q in:\n%s", want, got)
				}
			}
		})
	}
}

// body returns the text of a mail, decoded.
func body(t testing.TB, data []byte) string {
	t.Helper()
	r, err := mail.CreateReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	part, err := r.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(part.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// Of what was reverted one mail says so, by whom, and not how to merge it.
func TestReverted(t *testing.T) {
	s, b, out := withBackports(t)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 2 weeks")
	b.SetTarget(hashOf("a"), on("stable/15", merged))
	b.SetReverted(hashOf("a"), &backport.Revert{By: hashOf("r"), Who: "tom", Since: now.AddDate(0, 0, 3)})
	mustRun(t, s, 14, "1 queued, 1 sent")
	mustRun(t, s, 15, "nothing to do")
	golden(t, "reminder-reverted", out.mails[0].Data)
	if e := eventsOf(t, s, history.Sent); len(e) != 1 || e[0].Reason != "it was reverted in 000000000000" {
		t.Errorf("%+v", e)
	}
}

// Wherever the service crashes, one event says that a commit was merged, nobody is
// reminded, and the queue is empty.
func TestCrashMerged(t *testing.T) {
	for n, crashed := 1, true; crashed; n++ {
		s, b, out := withBackports(t)
		put(t, s, "a", "Jane <jane@example.org>", "MFC after: 2 weeks")
		mustRun(t, s, 0, "1 queued")
		b.SetTarget(hashOf("a"), on("stable/15", merged))
		b.SetTarget(hashOf("a"), on("stable/14", merged))
		c := &crasher{left: n}
		s.Log = slog.New(c)
		crashed = c.run(t, s, now.AddDate(0, 0, 14))
		s.Log = slog.New(slog.DiscardHandler)
		mustRunAny(t, s, 14)
		mustRun(t, s, 15, "nothing to do")
		entries, err := s.Queue.Entries(calendar.Day{})
		if events := eventsOf(t, s, history.Merged); err != nil || len(entries) != 0 || len(events) != 1 || len(out.mails) != 0 {
			t.Errorf("crash at step %d: %d in the queue (%v), %d mails, %+v", n, len(entries), err, len(out.mails), events)
		}
	}
}

// mustRunAny runs the service, whatever there is to do.
func mustRunAny(t testing.TB, s *Service, days int) {
	t.Helper()
	if _, err := at(t, s, days); err != nil {
		t.Fatal(err)
	}
}

// A mail shows the branches, the fixes, the commands, and who has reviewed the commit; a
// digest and a line show the same, in less room.
func TestTargets(t *testing.T) {
	s, b, out := withBackports(t)
	s.Links = func(repository string) map[string]string {
		return map[string]string{"pr": "https://bugs.example.org/" + repository + "/%s", "differential": "https://reviews.example.org/D%s"}
	}
	const trailers = `MFC after: 2 weeks

    PR:		12345
    Reviewed by:	kib, markj
    Approved by:	re (gjb)
    Differential Revision: https://reviews.example.org/D42`
	put(t, s, "a", "Jane <jane@example.org>", trailers)
	b.targets = []string{"stable/15", "stable/14", "releng/14.3"}
	b.SetTarget(hashOf("a"), on("stable/15", merged))
	b.SetTarget(hashOf("a"), on("stable/14", backport.Target{State: backport.Clean}))
	b.SetTarget(hashOf("a"), on("releng/14.3", backport.Target{
		State: backport.Conflict, Files: []string{"sys/a.c", "sys/b.c", "sys/c.c", "sys/d.c"}, Needs: []string{hashOf("n")},
	}))
	b.AddFix(hashOf("a"), backport.Fix{Revision: hashOf("f"), Subject: "fix it", Targets: []backport.Target{
		on("stable/15", backport.Target{State: backport.Clean}), on("stable/14", backport.Target{State: backport.Clean}),
		on("releng/14.3", backport.Target{State: backport.NotWanted, Who: "ida"}),
	}})
	mustRun(t, s, 14, "1 queued, 1 sent")
	golden(t, "reminder-targets", out.mails[0].Data)

	s.Digest = true
	put(t, s, "b", "Jane <jane@example.org>", "MFC after: 2 weeks")
	put(t, s, "r", "Jane <jane@example.org>", "MFC after: 2 weeks")
	b.SetTarget(hashOf("b"), on("stable/14", backport.Target{State: backport.Clean}))
	b.SetTarget(hashOf("r"), on("stable/15", merged))
	b.SetReverted(hashOf("r"), &backport.Revert{By: hashOf("x"), Who: "tom"})
	mustRun(t, s, 15, "2 queued, 2 sent")
	golden(t, "digest-targets", out.mails[1].Data)

	w := Words{Login: "jane", Word: "MFC", IsMerge: true, Short: "0123456789ab", Subject: "foo", Age: "2 weeks", Left: []string{"stable/15", "stable/14"}}
	for want, reverted := range map[string]string{
		`jane: MFC of 0123456789ab "foo" to stable/15 and stable/14 is due (committed 2 weeks ago)`: "",
		`jane: MFC of 0123456789ab "foo" is not needed (committed 2 weeks ago, reverted in 1)`:      "in 1",
	} {
		w.Reverted = reverted
		if got, err := s.lineText(w); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
}

func TestLinked(t *testing.T) {
	const template = "https://example.org/D%s"
	for value, want := range map[string]string{
		"D12": "D12 https://example.org/D12", "12": "12 https://example.org/D12", "bin/12": "bin/12 https://example.org/D12",
		"https://example.com/D12": "https://example.com/D12", "none": "none", "1, 2": "1, 2", "": "",
	} {
		if got := linked(value, template); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// What was merged is in the next digest of the person, once.
func TestMergedInDigest(t *testing.T) {
	s, b, out := withBackports(t)
	s.Digest = true
	b.targets = []string{"stable/15"}
	for _, id := range []string{"a", "b", "c", "d"} {
		put(t, s, id, "Jane <jane@example.org>", "MFC after: "+map[string]string{"a": "1 week", "b": "1 week", "c": "2 weeks", "d": "3 weeks"}[id])
		b.SetTarget(hashOf(id), on("stable/15", backport.Target{State: backport.Clean}))
	}
	b.SetTarget(hashOf("a"), on("stable/15", merged))
	mustRun(t, s, 7, "4 queued, 1 sent, 1 merged already")
	b.SetTarget(hashOf("b"), on("stable/15", merged))
	mustRun(t, s, 8, "1 merged since")
	mustRun(t, s, 14, "1 sent")
	mustRun(t, s, 21, "1 sent")
	for i, want := range []string{"subject of a: merged to stable/15 by ida", "subject of b: merged to stable/15 by ida", ""} {
		got := body(t, out.mails[i].Data)
		if n := strings.Count(got, ": merged to "); n != min(len(want), 1) || !strings.Contains(got, want) {
			t.Errorf("mail %d has %d lines, want %q:\n%s", i, n, want, got)
		}
	}
}

package filter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/commit"
)

// announcing returns a filter while commits are announced.
func announcing(t testing.TB, extra ...string) *Filter {
	t.Helper()
	f := newFilter(t, extra...)
	if err := f.Spool.StartAnnouncing(); err != nil {
		t.Fatal(err)
	}
	return f
}

// announced returns the commits in announcements, and removes these.
func announced(t testing.TB, f *Filter) (all []commit.Arrival) {
	t.Helper()
	paths, err := f.Spool.Announcements()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		arrivals, err := ParseArrivals(data)
		if err != nil {
			t.Errorf("%v in\n%s", err, data)
		}
		all = append(all, arrivals...)
		os.Remove(path)
	}
	return all
}

// brief describes commits as an announcement does.
func brief(arrivals []commit.Arrival) string {
	var lines []string
	for _, c := range arrivals {
		lines = append(lines, fmt.Sprintf("%s %s %s %s: %s [%s]", c.Repository, c.Branch(), c.Short(), c.Author.Login(), c.Subject, strings.Join(c.Files.Paths, " ")))
	}
	return strings.Join(lines, "\n")
}

// Commit mails of every shape are announced with their files, with or without a
// request; other mails are not.
func TestAnnounceMails(t *testing.T) {
	for file, want := range map[string]string{
		"git-freebsd":          "src main 0a1b2c3d4e5f tom: foo: fix bar [sys/foo/bar.c]",
		"git-quoted-printable": "*",
		"git-multipart":        "*",
		"svn":                  "base head r424709 ida: Keep the LED driver from blinking after it was detached, which [head/sys/dev/led/led.c]",
		"svnnotify":            " trunk r7 ida: Keep the LED driver quiet. [trunk/led.c]",
		"cvs":                  " HEAD  ida: Start the clock before the cron. []",
		"hg-notify":            "tools  1e2f3a4b5c6d ida: foo: fix bar []",
		"multimail":            "tools main 0a1b2c3d4e5f jane: foo: fix bar [foo.c]",
		"post-receive-many":    "tools main 0a1b2c3d4e5f jane: foo: fix bar []\ntools main 222222222222 ida: bar: nothing to merge []\ntools main 333333333333 ida: baz: merge me []",
		"plain":                "",
		"plain-patch":          "",
		"no-message-id":        "*",
		"reply":                "",
		"reply-bare":           "",
		"bounce":               "",
		"vacation":             "",
		"own":                  "",
		"garbage":              "",
		"html-only":            "",
	} {
		data, err := os.ReadFile(filepath.Join("../testdata/mails", file+".eml"))
		if err != nil {
			t.Fatal(err)
		}
		f, silent, usual := announcing(t), announcing(t), newFilter(t)
		result, err := f.Run(strings.NewReader(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		got := announced(t, f)
		if want == "*" {
			if len(got) > 1 {
				t.Errorf("%s: announced\n%s", file, brief(got))
			}
		} else if brief(got) != want {
			t.Errorf("%s: announced\n%s\nwant\n%s", file, brief(got), want)
		}
		// Requests are the same as without announcements.
		plain, err := usual.Run(strings.NewReader(string(data)))
		if err != nil || plain != result || fmt.Sprint(spooled(t, usual)) != fmt.Sprint(spooled(t, f)) {
			t.Errorf("%s: without announcements %+v, with %+v, %v", file, plain, result, err)
		}
		text := strings.NewReplacer("MFC", "XYZ", "Backport after", "XYZ", "Merge after", "XYZ", "MERGE", "XYZ").Replace(string(data))
		if _, err := silent.Run(strings.NewReader(text)); err != nil {
			t.Error(err)
		}
		if quiet := announced(t, silent); len(quiet) != len(got) {
			t.Errorf("%s, not asking: announced\n%s\nwant\n%s", file, brief(quiet), brief(got))
		}
	}
}

// Without repository and branch, a commit is announced only if the header or subject
// shows a commit mailer: a person may quote a commit.
func TestAnnounceQuoted(t *testing.T) {
	const log = "commit 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567\nAuthor: Ida Koch <ida@example.org>\nDate:   Fri Nov 20 10:29:58 2026 +0100\n\n    foo: fix bar\n"
	for _, test := range []struct {
		header, body string
		want         int
	}{
		{"Subject: what is this?", "look:\n" + log, 0},
		{"Subject: git: what is this?", log, 0},
		{"Subject: commit 0a1b2c3d4e5f", log, 0},
		{"Subject: [dev] Changes: r7", log, 0},
		{"Subject: foo", "The branch main has been updated by ida:\n\n" + log, 1},
		{"Subject: git: 0a1b2c3d4e5f - main - foo: fix bar", log, 1},
		{"Subject: [src] git: 0a1b2c3d4e5f - main - foo: fix bar", log, 1},
		{"Subject: foo\nX-Git-Rev: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", log, 1},
		{"Subject: svn commit: r7 - x", "Author: ida\nNew Revision: 7\n\nLog:\n  s\n", 1},
		{"Subject: [x] CVS commit: x", "Module Name:\tx\n\nLog Message:\nfix\n", 1},
		{"Subject: r7 - x", "Author: ida\nNew Revision: 7\n\nLog:\n  s\n", 1},
		{"Subject: [7] s\nX-Mailer: SVN::Notify 2.87", "Revision: 7\nLog Message:\n-----------\ns\n", 1},
		{"Subject: who?", "Revision: 7\nLog Message:\n-----------\ns\n", 0},
	} {
		f := announcing(t)
		if _, err := f.Run(strings.NewReader("From: ida@example.org\n" + test.header + "\n\n" + test.body)); err != nil {
			t.Fatal(err)
		}
		if got := announced(t, f); len(got) != test.want {
			t.Errorf("%s: announced %d: %s", test.header, len(got), brief(got))
		}
	}
}

// A mail can't claim another source.
func TestAnnounceForged(t *testing.T) {
	mail, err := os.ReadFile("../testdata/mails/git-freebsd.eml")
	if err != nil {
		t.Fatal(err)
	}
	f := announcing(t)
	if _, err := f.Run(strings.NewReader(commit.SourceHeader + ": webhook\n" + string(mail))); err != nil {
		t.Fatal(err)
	}
	got := announced(t, f)
	if len(got) != 1 || !commit.Forgeable(got[0].Source) || got[0].Sender != "jane@example.org" {
		t.Errorf("announced %+v", got)
	}
}

// The JSON of a hook and that of a forge are announced as well, on every branch.
func TestAnnounceJSON(t *testing.T) {
	f := announcing(t)
	const object = `{"repository":"src","refname":"refs/heads/dev","revision":"r5","committer":{"email":"ida@example.org"},"message":"one\n\ntwo"}`
	for range 2 {
		if got, err := f.Run(strings.NewReader(object)); err != nil || got.Verdict != Ignored {
			t.Errorf("%+v, %v", got, err)
		}
		if got := brief(announced(t, f)); got != "src dev r5 ida: one []" {
			t.Errorf("announced %s", got)
		}
	}
	for file, isCut := range map[string]bool{"github-push.json": false, "gitlab-push.json": false, "gitlab-push-many.json": true, "bitbucket-cloud-push.json": false} {
		if _, err := f.Run(strings.NewReader(payload(t, file))); err != nil {
			t.Fatal(err)
		}
		got := announced(t, f)
		if len(got) < 2 {
			t.Errorf("%s: announced %s", file, brief(got))
			continue
		}
		last := got[len(got)-1]
		if (last.More > 0) != isCut || last.Source != commit.FromJSON || strings.HasPrefix(file, "git") && last.Files.Count == 0 {
			t.Errorf("%s: the last is %+v", file, last)
		}
	}
}

// Without a process that announces commits, no announcement is written.
func TestAnnounceNobody(t *testing.T) {
	f := newFilter(t)
	if _, err := f.Run(strings.NewReader(payload(t, "github-push.json"))); err != nil {
		t.Fatal(err)
	}
	announces, err := f.Spool.Announces()
	if got := announced(t, f); announces || err != nil || len(got) > 0 {
		t.Errorf("announced\n%s", brief(got))
	}
}

// When request and announcement can't be stored, the next attempt stores both, once.
func TestAnnounceFails(t *testing.T) {
	mail, err := os.ReadFile("../testdata/mails/git-freebsd.eml")
	if err != nil {
		t.Fatal(err)
	}
	f := announcing(t)
	for _, input := range []string{string(mail), payload(t, "github-push.json")} {
		dir := f.Spool.Dir()
		if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o640)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Run(strings.NewReader(input)); err == nil {
			t.Error("no error")
		}
		if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)); err != nil {
			t.Fatal(err)
		}
		before := len(spooled(t, f))
		for range 2 {
			if _, err := f.Run(strings.NewReader(input)); err != nil {
				t.Error(err)
			}
		}
		once, twice := announced(t, f), spooled(t, f)
		if len(once) == 0 || len(once)%2 != 0 || len(twice) == before {
			t.Errorf("announced %s; %d in the spool, were %d", brief(once), len(twice), before)
		}
	}
}

// An endless push is described up to a bound, with its last commit and the number of all
// commits.
func TestArrivalsBound(t *testing.T) {
	var a arrivals
	const n = maxArrivals + 1000
	for i := range n {
		c := commit.Arrival{Commit: commit.Commit{Repository: "src", Refname: "refs/heads/main", Revision: fmt.Sprintf("r%d", i+1), Message: "s\n"}}
		if a.add(c); i == 10 {
			c.Refname = "refs/heads/other"
			a.add(c)
		}
	}
	count := 0
	for _, c := range a.list {
		count += 1 + c.More
	}
	last := a.list[len(a.list)-1]
	var counted []string
	for _, c := range a.list {
		counted = append(counted, c.Counted...)
	}
	slices.Sort(counted)
	if len(slices.Compact(counted)) != count-maxArrivals || slices.Contains(counted, last.Revision) {
		t.Errorf("%d revisions of %d that are counted", len(counted), count-maxArrivals)
	}
	if len(a.list) != maxArrivals || count != n+1 || last.Revision != fmt.Sprintf("r%d", n) || last.Message != "" {
		t.Errorf("%d described, %d counted, the last is %+v", len(a.list), count, last)
	}
}

func FuzzParseArrivals(f *testing.F) {
	c := commit.Arrival{More: 3, Page: "https://example.org", Commit: commit.Commit{
		Repository: "src", Refname: "refs/heads/main", Revision: "r1", Subject: "s", Author: commit.Person{Name: "A", Email: "a@b"},
		Files: commit.FilesOf([]string{"a", "b"}), Source: commit.FromHook,
	}, Counted: []string{"r0"}}
	f.Add(c.Line())
	f.Add([]byte("{}\n\n[]\n{\"more\":-1,\"files\":[\"\\n\"]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		arrivals, _ := ParseArrivals(data)
		for i := range arrivals {
			line := arrivals[i].Line()
			again, err := commit.ParseArrival(line)
			if err != nil || string(again.Line()) != string(line) || strings.Count(string(line), "\n") != 1 {
				t.Errorf("%s\nagain is\n%s, %v", line, again.Line(), err)
			}
		}
	})
}

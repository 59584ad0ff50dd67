package test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

// sendmail returns a program that commit mailers run in place of sendmail(8):
// it keeps a copy of the mail in sent, and pipes the mail into the filter.
func (s *service) sendmail() (path, sent string) {
	s.t.Helper()
	dir := openDir(s.t)
	path, sent = filepath.Join(dir, "sendmail"), filepath.Join(dir, "sent")
	ok(s.t, os.Mkdir(sent, 0o755))
	write(s.t, path, 0o755, fmt.Sprintf("#!/bin/sh\ncat >%[1]s/$$ && exec %[2]s -state %[3]s <%[1]s/$$\n", sent, s.filter, s.state))
	return path, sent
}

// wantList checks what waits, in the order of the subjects. The names and what
// was asked are left to other tests.
func (s *service) wantList(want ...item) {
	s.t.Helper()
	got := s.list()
	for i := range got {
		got[i].Name, got[i].Asked = "", ""
	}
	slices.SortFunc(got, func(a, b item) int { return cmp.Compare(a.Subject, b.Subject) })
	if !slices.Equal(got, want) {
		s.t.Errorf("vext list:\n%+v\nwant:\n%+v", got, want)
	}
}

// A gitRepository is a bare repository whose post-receive hook is git's own
// mailer, and a clone of it to commit in.
type gitRepository struct {
	t           *testing.T
	bare, clone string
}

// newGit makes a repository. The mailer is as it was installed but for the
// path of sendmail, which it does not take from anywhere.
func newGit(t *testing.T, s *service) *gitRepository {
	t.Helper()
	testkit.Program(t, "git")
	dir := t.TempDir()
	r := &gitRepository{t, filepath.Join(dir, "src.git"), filepath.Join(dir, "clone")}
	sendmail, _ := s.sendmail()
	hook := strings.ReplaceAll(read(t, postReceiveEmail(t)), "/usr/sbin/sendmail", sendmail)
	ok(t, os.Mkdir(r.bare, 0o755))
	r.git(r.bare, "init", "--quiet", "--bare", "--initial-branch=main")
	write(t, filepath.Join(r.bare, "hooks", "post-receive"), 0o755, hook)
	write(t, filepath.Join(r.bare, "description"), 0o644, "src\n")
	r.git(r.bare, "config", "hooks.mailinglist", list)
	r.git(dir, "clone", "--quiet", r.bare, r.clone)
	return r
}

// postReceiveEmail returns the path of git's mailer.
func postReceiveEmail(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/usr/share/git-core", "/usr/share/doc/git", "/usr/local/share/git-core"} {
		path := filepath.Join(dir, "contrib", "hooks", "post-receive-email")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	testkit.Missing(t, "git's post-receive-email is not installed")
	return ""
}

func (r *gitRepository) git(dir string, args ...string) string {
	r.t.Helper()
	return program{dir: dir, env: []string{
		"GIT_AUTHOR_NAME=Oskar Example", "GIT_AUTHOR_EMAIL=oskar@example.org", "GIT_AUTHOR_DATE=2025-03-01T08:30:00Z",
		"GIT_COMMITTER_NAME=Olivia Example", "GIT_COMMITTER_EMAIL=" + olivia, "GIT_COMMITTER_DATE=" + committed,
	}}.run(r.t, testkit.Program(r.t, "git"), args...).ok(r.t)
}

// commit commits a file of that text and returns the hash.
func (r *gitRepository) commit(message, text string) string {
	r.t.Helper()
	write(r.t, filepath.Join(r.clone, "frob.c"), 0o644, text)
	r.git(r.clone, "add", "frob.c")
	r.git(r.clone, "commit", "--quiet", "--allow-empty", "--message", message)
	return strings.TrimSpace(r.git(r.clone, "rev-parse", "HEAD"))
}

func (r *gitRepository) push(ref string) {
	r.t.Helper()
	r.git(r.clone, "push", "--quiet", "origin", ref)
}

// A commit pushed to a repository with git's post-receive-email waits for its
// day under its hash. The mail names no committer, only the author.
func TestGitMailerOneCommit(t *testing.T) {
	s := newService(t, account{})
	r := newGit(t, s)
	revision := r.commit("frob: keep the knob\n\nIt was lost.\n\nMFC after:\t2 weeks", "1\n")
	r.push("main")
	if got, want := s.run(committed), "1 queued\n"; got != want {
		t.Errorf("vext run said %q, want %q", got, want)
	}
	s.wantList(item{
		Place: "queue", Due: due, Committer: "Oskar Example", Address: "oskar@example.org",
		Repository: "src", Branch: "main", Revision: revision, Subject: "frob: keep the knob",
	})
}

// With `git show` as the repository's hooks.showrev the mail names the
// committer and has the diff in it, whose lines ask for nothing.
func TestGitMailerWithCommitterAndDiff(t *testing.T) {
	s := newService(t, account{})
	r := newGit(t, s)
	r.git(r.bare, "config", "hooks.showrev", "git show -C --pretty=fuller %s; echo")
	r.commit("frob: a manual\n\nIt says how to be reminded.", "MFC after:\t1 day\n")
	revision := r.commit("frob: keep the knob\n\nMFC after:\t2 weeks", "MFC after:\t1 day\nMFC after:\t3 days\n")
	r.push("main")
	s.run(committed)
	s.wantList(item{
		Place: "queue", Due: due, Committer: "Olivia Example", Address: olivia,
		Repository: "src", Branch: "main", Revision: revision, Subject: "frob: keep the knob",
	})
}

// A push of three commits is one mail; the two commits in it that ask for a
// reminder are two messages in the spool, and two reminders.
func TestGitMailerThreeCommitsOfOnePush(t *testing.T) {
	s := newService(t, account{})
	r := newGit(t, s)
	first := r.commit("frob: first\n\nMFC after:\t2 weeks", "1\n")
	r.commit("frob: second\n\nReviewed by:\tpeter", "2\n")
	third := r.commit("frob: third\n\nMFC after:\t1 month", "3\n")
	r.push("main")
	if got := s.spooled(); len(got) != 2 {
		t.Errorf("in the spool: %q, want 2 messages", got)
	}
	s.run(committed)
	oskars := item{Place: "queue", Committer: "Oskar Example", Address: "oskar@example.org", Repository: "src", Branch: "main"}
	one, two := oskars, oskars
	one.Due, one.Revision, one.Subject = due, first, "frob: first"
	two.Due, two.Revision, two.Subject = "2025-04-03", third, "frob: third"
	s.wantList(one, two)

	s.run("2025-04-03")
	var got []string
	for _, m := range mails(t, s.maildir) {
		got = append(got, m.Header.Get("Subject"))
	}
	slices.Sort(got)
	if want := []string{"[MFC reminder] frob: first", "[MFC reminder] frob: third"}; !slices.Equal(got, want) {
		t.Errorf("reminders: %q, want %q", got, want)
	}
}

// Tags, deleted branches and branches without development on them are no
// reason for a reminder, even when the mailer mentions a trailer.
func TestGitMailerOtherRefs(t *testing.T) {
	s := newService(t, account{})
	r := newGit(t, s)
	r.commit("frob: first", "1\n")
	r.git(r.clone, "tag", "--annotate", "--message", "frob 1.0\n\nMFC after:\t2 weeks", "v1.0")
	r.push("main")
	r.push("v1.0")
	s.wantSpooled()

	r.commit("frob: for the old branch\n\nMFC after:\t2 weeks", "2\n")
	r.push("HEAD:refs/heads/stable/14")
	r.push(":stable/14")
	if got, want := s.run(committed), "1 ignored\n"; got != want {
		t.Errorf("vext run said %q, want %q", got, want)
	}
	s.wantList()
}

// lookAlikes is text of a commit message that looks like what mailers put behind
// one.
const lookAlikes = `Why, after r3
--------------------
====================
---
-- 
diff --git a/knob b/knob
Modified Paths:
- the knob
Added Paths:
-----------
Changed:
    nothing else
Index: knob
`

// A Subversion repository reports its commits to svnnotify, by the handler whose
// mails are plain text and by the one that adds HTML.
func TestSvnnotify(t *testing.T) {
	for _, test := range []struct {
		name    string
		options string
	}{
		{"plain", ""},
		{"with the diff and the path in the subject", "--with-diff --subject-cx"},
		{"with the diff attached", "--attach-diff"},
		{"plain and HTML", "--with-diff --handler Alternative"},
		{"plain and HTML, with the diff attached", "--attach-diff --handler Alternative"},
		{"with words around it", "--with-diff --header '---' --footer 'MFC after: 1 day' --revision-url http://svn.example.org/%s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newService(t, account{})
			r := newSvn(t, s, test.options)
			r.commit("trunk", "frob: no reminder", "MFC after: 1 day\n")
			s.wantSpooled()
			r.commit("branches/9", "frob: for the old branch\n\nMFC after: 2 weeks\n", "")
			made := r.commit("trunk", "frob: keep the knob\n\nIt was lost.\n\n"+lookAlikes+"\nMFC after: 2 weeks\n", "MFC after: 3 days\n")
			if got, want := s.run(made.Format(time.RFC3339)), "1 queued, 1 ignored\n"; got != want {
				t.Errorf("vext run said %q, want %q", got, want)
			}
			s.wantList(item{
				Place: "queue", Due: made.AddDate(0, 0, 14).Format(time.DateOnly), Address: olivia,
				Branch: "trunk", Revision: "r4", Subject: "frob: keep the knob",
			})
		})
	}
}

// An svnRepository has svnnotify for a post-commit hook, and a working copy.
type svnRepository struct {
	t         *testing.T
	dir, copy string
	url       string
}

func newSvn(t *testing.T, s *service, options string) *svnRepository {
	t.Helper()
	dir := t.TempDir()
	repository := filepath.Join(dir, "repository")
	r := &svnRepository{t, dir, filepath.Join(dir, "copy"), "file://" + repository}
	svnnotify := testkit.Program(t, "svnnotify")
	sendmail, _ := s.sendmail()
	program{dir: dir}.run(t, testkit.Program(t, "svnadmin"), "create", repository).ok(t)
	r.svn("mkdir", "--parents", "--message", "The usual layout.", r.url+"/trunk", r.url+"/branches/9")
	r.svn("checkout", r.url, r.copy)
	// A hook's environment is empty.
	write(t, filepath.Join(repository, "hooks", "post-commit"), 0o755, fmt.Sprintf(`#!/bin/sh
exec %s --repos-path "$1" --revision "$2" --svnlook %s --sendmail %s --to %s --user-domain example.org %s
`, svnnotify, testkit.Program(t, "svnlook"), sendmail, list, options))
	return r
}

func (r *svnRepository) svn(args ...string) string {
	r.t.Helper()
	args = append([]string{"--non-interactive", "--username", "olivia", "--config-dir", filepath.Join(r.dir, "config")}, args...)
	result := program{dir: r.dir}.run(r.t, testkit.Program(r.t, "svn"), args...)
	if strings.Contains(result.stderr, "post-commit hook failed") {
		r.t.Fatalf("svnnotify failed:\n%s", result.stderr)
	}
	return result.ok(r.t)
}

// commit commits a line at a path, and returns when that was.
func (r *svnRepository) commit(path, message, line string) time.Time {
	r.t.Helper()
	file := filepath.Join(r.copy, path, "frob.c")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	ok(r.t, err)
	_, err = fmt.Fprintf(f, "// %s%s", message, line)
	ok(r.t, err)
	ok(r.t, f.Close())
	r.svn("add", "--force", file)
	r.svn("commit", "--message", message, r.copy)
	at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(r.svn("propget", "--revprop", "--revision", "HEAD", "svn:date", r.url)))
	ok(r.t, err)
	return at
}

// A Mercurial repository with the notify extension sends a mail for each
// changeset that it is handed; of three, two ask for a reminder. Such mails do
// not say when a changeset was made: its day is that of the mail.
func TestMercurialNotify(t *testing.T) {
	s := newService(t, account{})
	r := newHg(t, s)
	first := r.commit("frob: first\n\nMFC after: 2 weeks", "MFC after: 1 day\n")
	r.commit("frob: second\n\nReviewed by: peter", "MFC after: 3 days\n")
	third := r.commit("frob: third\n\nIt was lost.\n\nMFC after: 1 week", "3\n")
	r.hg(r.clone, "push", "--quiet")
	if got := s.spooled(); len(got) != 2 {
		t.Fatalf("in the spool: %q, want 2 messages", got)
	}
	days := r.daysSent()
	s.run(time.Now().UTC().Format(time.RFC3339))
	olivias := item{Place: "queue", Committer: "Olivia Example", Address: olivia, Repository: "src"}
	one, two := olivias, olivias
	one.Due, one.Revision, one.Subject = days["frob: first"].AddDate(0, 0, 14).Format(time.DateOnly), first[:12], "frob: first"
	two.Due, two.Revision, two.Subject = days["frob: third"].AddDate(0, 0, 7).Format(time.DateOnly), third[:12], "frob: third"
	s.wantList(one, two)
}

// An hgRepository has the notify extension for an incoming hook, and a clone to
// commit in.
type hgRepository struct {
	t           *testing.T
	main, clone string
	sent        string // where copies of the mails are kept
}

func newHg(t *testing.T, s *service) *hgRepository {
	t.Helper()
	testkit.Program(t, "hg")
	dir := t.TempDir()
	sendmail, sent := s.sendmail()
	r := &hgRepository{t, filepath.Join(dir, "src"), filepath.Join(dir, "clone"), sent}
	r.hg(dir, "init", r.main)
	r.hg(dir, "clone", "--quiet", r.main, r.clone)
	write(t, filepath.Join(r.main, ".hg", "hgrc"), 0o644, fmt.Sprintf(`[extensions]
notify =
[hooks]
incoming.notify = python:hgext.notify.hook
[email]
from = %s
method = %s
[notify]
sources = serve push pull bundle
test = False
maxsubject = 200
[reposubs]
* = %s
`, list, sendmail, list))
	return r
}

func (r *hgRepository) hg(dir string, args ...string) string {
	r.t.Helper()
	return program{dir: dir}.run(r.t, testkit.Program(r.t, "hg"), args...).ok(r.t)
}

// commit commits a file of that text and returns the hash.
func (r *hgRepository) commit(message, text string) string {
	r.t.Helper()
	write(r.t, filepath.Join(r.clone, "frob.c"), 0o644, text)
	r.hg(r.clone, "commit", "--addremove", "--quiet", "--user", "Olivia Example <"+olivia+">", "--date", "2025-03-03 12:00 +0000", "--message", message)
	return strings.TrimSpace(r.hg(r.clone, "log", "--rev", ".", "--template", "{node}"))
}

// daysSent returns the dates of the mails that were sent, by what stands at the
// end of their subjects.
func (r *hgRepository) daysSent() map[string]time.Time {
	r.t.Helper()
	days := map[string]time.Time{}
	for _, name := range names(r.t, r.sent) {
		m := parseMail(r.t, read(r.t, filepath.Join(r.sent, name)))
		at, err := m.Header.Date()
		ok(r.t, err)
		_, subject, _ := strings.Cut(m.Header.Get("Subject"), "src: ")
		days[subject] = at.UTC()
	}
	return days
}

package commit

import (
	"strings"
	"testing"
)

// lookAlikes are parts of commit messages that look like the text of mailers behind a
// message.
var lookAlikes = []string{
	"--------------------", "====================", strings.Repeat("=", 67), strings.Repeat("_", 47), strings.Repeat("#", 80),
	"---", "-- ", "--", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "diff --git a/x b/x", "diff -r 1 x", "Index: x", "Property changes on: x",
	"Changed:", "Changed:\n- the colour", "Changed:\n  the colour", "Added:\n\n   nothing", "Modified Paths:", "Modified Paths:\n- x", "Modified Paths:\n--------------------",
	"Modified Paths:\n--------------\nthe rule above is as long", "Modified: nothing", "Modified: x\n\n", "Removed files:\n    x", "Log Message:\n-----------", "Log:",
	"To generate a diff of this commit:", "Revision Links:\n--------------", "Author: x", "commit 0123456789012345678901234567890123456789\nAuthor: x", "Revision  Changes    Path",
	"- - - - -", "- - - - -\n\nnext", "  Commit: 0123456789abcdef0123456789abcdef01234567\n  Author: x", "Compare: https://x/compare/y", "  Log Message:\n  -----------",
	"-----BEGIN PGP SIGNATURE-----", "-----Original Message-----", "> quoted", "description:", "LOG: x", "changeset 0123456789ab in x",
	// A quoted mail, and a quoted diff.
	"Modified Paths:\n--------------\n    x.c", "diff --git a/x b/x\nindex 1..2\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-x\n+y",
	"Modified: x.c\n===================================================================\n--- x.c\n+++ x.c",
}

// A message ends where its mailer ends it, not at text that looks like its end.
func TestMessageEnds(t *testing.T) {
	indented := func(by string) func(string) string {
		return func(s string) string {
			return by + strings.ReplaceAll(s, "\n", "\n"+by)
		}
	}
	asIs := func(s string) string { return s }
	const svnDiff = "\nModified: trunk/led.c\n===================================================================\n--- trunk/led.c\t(rev 9)\n+++ trunk/led.c\t(rev 10)\n@@ -1 +1 @@\n-x\n MFC after: 1 day\n+MFC after: 1 day\n"
	const gitDiff = "diff --git a/led.c b/led.c\nindex 1..2 100644\n--- a/led.c\n+++ b/led.c\n@@ -1 +1 @@\n MFC after: 1 day\n"
	for _, test := range []struct {
		name, before string
		write        func(string) string
		after        string
	}{
		{"svnnotify", "X-Mailer: SVN::Notify 2.87\n\nRevision: 9\nAuthor:   ida\nLog Message:\n-----------\n", asIs, "\n\nModified Paths:\n--------------\n    trunk/led.c\n\n"},
		{"svnnotify with a diff", "X-Mailer: SVN::Notify 2.87\n\nRevision: 9\nAuthor:   ida\nLog Message:\n-----------\n", asIs, "\n\nAdded Paths:\n-----------\n    trunk/x\n\nProperty Changed:\n----------------\n    trunk/\n" + svnDiff},
		{"svnnotify with a footer", "X-Mailer: SVN::Notify 2.87\n\nRevision: 9\nAuthor:   ida\nLog Message:\n-----------\n", asIs, "\n\nRemoved Paths:\n-------------\n    trunk/led.c\n\nMFC after: 1 day\n\n"},
		{"svnnotify with links", "X-Mailer: SVN::Notify 2.87\n\nRevision: 9\nAuthor:   ida\nLog Message:\n-----------\n", asIs, "\n\nTicket Links:\n------------\n    http://x/1\n\nModified Paths:\n--------------\n    " + strings.Repeat("trunk/led.c\n    ", 1000) + "x\n" + svnDiff},
		{"mailer.py", "Subject: svn commit: r9 - trunk\n\nAuthor: ida\nNew Revision: 9\n\nLog:\n", asIs, "\n\nAdded:\n   trunk/x\nModified:\n   trunk/led.c   (props changed)\n" + svnDiff},
		{"mailer.py without a diff", "Subject: svn commit: r9 - trunk\n\nAuthor: ida\nNew Revision: 9\n\nLog:\n", asIs, "\n\nModified:\n   trunk/led.c\n"},
		{"FreeBSD's svn", "Subject: svn commit: r9 - head\nX-SVN-Group: head\n\nAuthor: ida\nNew Revision: 9\n\nLog:\n", indented("  "), "\n\nModified:\n  head/led.c\n" + svnDiff},
		{"FreeBSD's svn, by its look", "Subject: svn commit: r9 - head\n\nAuthor: ida\nNew Revision: 9\n\nLog:\n", indented("  "), "\n\nModified:\n  head/led.c\nDirectory Properties:\n  head/   (props changed)\nChanges in other areas also in this revision:\nModified:\n  x/y\n" + svnDiff},
		{"CVS", "\n  Modified files:\n    etc    rc.conf\n  Log:\n", indented("  "), "\n  \n  Revision  Changes    Path\n  1.23      +125 -41   src/etc/rc.conf\n"},
		{"LLVM", "\nAuthor: Ida\nNew Revision: 0123456789012345678901234567890123456789\n\nURL: https://x/a/b/commit/0123456789012345678901234567890123456789\n\nLOG: foo\n\n", asIs, "\n\nAdded: \n    \n\nModified: \n    led.c\n\nRemoved: \n    \n\n\n" + strings.Repeat("#", 80) + "\n" + gitDiff},
		{"hg", "\nchangeset 0123456789ab in /x\ndetails: x\ndescription:\n", indented("\t"), "\n\ndiffs (8 lines):\n\ndiff -r 0 -r 1 x\n--- a/x\n MFC after: 1 day\n"},
		{"git", "\ncommit 0123456789abcdef0123456789abcdef01234567\nAuthor: Ida <ida@example.org>\n\n", indented("    "), "\n---\n x | 1 +\n\n" + gitDiff + "-- \nMFC after: 1 day\n"},
		{"git, several", "X-Git-Newrev: x\n\nThe branch, main has been updated\n\ncommit 0123456789abcdef0123456789abcdef01234567\nAuthor: Ida <ida@example.org>\n\n", indented("    "), "\n\n-----\n\nSummary of changes:\n x | 1 +\n"},
		{"git-notifier", "\nRepository : ssh://x/y\n\nOn branch  : main\n\n>----\n\ncommit 0123456789abcdef0123456789abcdef01234567\nAuthor: Ida <ida@example.org>\nDate:   x\n\n", indented("    "), "\n\n\n>-----\n\n0123\n\n" + gitDiff},
		{"GitHub", "\n  Branch: refs/heads/main\n  Home:   https://x/a/b\n  Commit: 0123456789abcdef0123456789abcdef01234567\n      https://x/a/b/commit/0123456789abcdef0123456789abcdef01234567\n  Author: Ida <ida@example.org>\n\n  Log Message:\n  -----------\n  ", asIs, "\n\n\n"},
		{"GitLab", "Subject: [Git][a/b][main] x\n\nIda pushed to branch main at a / b\n\n\nCommits:\n01234567 by Ida at 2026-11-30T11:00:00+01:00\n", asIs, "\n\n- - - - -\n\n\n1 changed file:\n\n- x\n\nChanges:\n\n=====\nx\n=====\n@@ -1 +1 @@\n MFC after: 1 day\n"},
	} {
		for _, alike := range lookAlikes {
			if test.name == "git, several" && strings.HasPrefix(alike, "commit ") {
				continue
			}
			message := "foo: fix bar\n\nwhy\n" + alike + "\nand more\n\nMFC after: 1 week"
			data := "From: ida@example.org\nMessage-ID: <a@b>\n" + test.before + test.write(message) + test.after
			m := ReadMail(strings.NewReader(data))
			if got := asked(m); got != "1 week" {
				t.Errorf("%s, %q: asks for %q (%d commits, %s)", test.name, alike, got, len(m.Commits), m.Ignored)
				continue
			}
			got := strings.TrimPrefix(strings.ReplaceAll(m.Commits[0].Message, "\n\n", "\n"), "foo\n")
			want := strings.ReplaceAll(message+"\n", "\n\n", "\n")
			if strings.ReplaceAll(got, "-- \n", "--\n") != strings.ReplaceAll(want, "-- \n", "--\n") && strings.TrimSpace(alike) == alike {
				t.Errorf("%s, %q: the message is\n%s", test.name, alike, got)
			}
			again := ReadMail(strings.NewReader(string(m.Cut(1 << 30))))
			if again := asked(again); again != "1 week" {
				t.Errorf("%s, %q: cut it asks for %q:\n%s", test.name, alike, again, m.Cut(1<<30))
			}
		}
	}
}

// Without a list of paths, the diff ends the message.
func TestDiffEndsMessage(t *testing.T) {
	const log = "From: ida@example.org\nSubject: svn commit: r9 - trunk\n\nAuthor: ida\nNew Revision: 9\n\nModified:\n   trunk/x\n\nLog:\nfoo\n\nMFC after: 1 week\n\n"
	for _, diff := range []string{
		"Modified: trunk/x\n" + strings.Repeat("=", 70) + "\n@@ -1 +1 @@\nMFC after: 1 day\n",
		"Index: trunk/x\n" + strings.Repeat("=", 67) + "\n--- trunk/x\nMFC after: 1 day\n",
		"Property changes on: trunk\n" + strings.Repeat("_", 67) + "\nAdded: x\nMFC after: 1 day\n",
		"diff --git a/x b/x\nnew file mode 100644\nMFC after: 1 day\n",
		"diff -u -r1.1 x\n--- x\nMFC after: 1 day\n",
		strings.Repeat("_", 47) + "\ncommits mailing list\ncommits@example.org\nMFC after: 1 day\n",
		"To Unsubscribe: send mail to x\nMFC after: 1 day\n",
		"Modified: trunk/x\n" + strings.Repeat("=", 70) + "\n" + strings.Repeat("+x\n", 1<<18) + "Modified: trunk/y\n" + strings.Repeat("=", 70) + "\nMFC after: 1 day\n",
	} {
		m := ReadMail(strings.NewReader(log + diff))
		if got := asked(m); got != "1 week" || m.Commits[0].Message != "foo\n\nMFC after: 1 week\n" {
			t.Errorf("%.200s: asks for %q: %+v", diff, got, m.Commits)
		}
	}
}

package commit

import (
	"strings"
	"testing"
)

func TestIsRobot(t *testing.T) {
	for _, address := range []string{
		"noreply@github.com", "no-reply@example.org", "No_Reply@example.org", "do-not-reply@example.org", "donotreply+x@example.org", "git-noreply@example.org",
		"commits-noreply@bitbucket.org", "gitlab@git.example.org", "GitLab+x@example.org", "gitea@example.org", "notifications@github.com", "git@example.org", "svn@example.org",
		"123+jane@users.noreply.github.com", "jane@users.noreply.github.com", "12-jane@users.noreply.gitlab.com", "jane@noreply.codeberg.org", "jane@no-reply.example.org",
		"49699333+dependabot[bot]@users.noreply.github.com", "x[bot]@example.org", "bot@example.org", "build-bot@example.org", "llvmlistbot@example.org", "buildbot@example.org", "llvmbot@example.org", "commits@example.org", "robot@example.org",
		"mailer-daemon@example.org", "www-data@example.org",
	} {
		if !(Person{Email: address}).IsRobot() {
			t.Errorf("%s is a person", address)
		}
	}
	for _, address := range []string{
		"jane@github.com", "jane@example.org", "talbot@example.org", "abbot@example.org", "robot.smith@example.org", "reply@example.org", "ignore@example.org",
		"gita@example.org", "hgw@example.org", "jane+git@example.org", "jane@gitlab.example.org", "jane", "", "norepl@example.org", "jane@noreplying.org",
	} {
		if (Person{Email: address}).IsRobot() {
			t.Errorf("%s is a robot", address)
		}
	}
}

// The author of a mail is From or, if that is a list or a program, the one person that
// another field names. It is never the list.
func TestAuthor(t *testing.T) {
	const list = "To: commits@lists.example.org\n"
	for _, test := range []struct{ header, want string }{
		{"From: Ida Koch <ida@example.org>\n" + list, "Ida Koch <ida@example.org>"},
		{"From: ida@example.org\nReply-To: dev@example.org\n" + list, "ida@example.org"},
		{"From: ida\n" + list, "ida"},
		{list, ""},
		{"From: Ida Koch via commits <commits@lists.example.org>\nReply-To: Ida Koch <ida@example.org>\n", "Ida Koch <ida@example.org>"},
		{"From: \"'Ida Koch' via commits\" <c@example.org>\nReply-To: 'Ida Koch' <ida@example.org>\n", "Ida Koch"},
		{"From: Ida Koch via commits <commits@lists.example.org>\n" + list, "Ida Koch"},
		{"From: Ida Koch VIA commits <commits@lists.example.org>\n", "Ida Koch"},
		{"From: Ida Koch <commits@lists.example.org>\n" + list, "Ida Koch"},
		{"From: Ida Koch <COMMITS@lists.example.org>\n" + list, "Ida Koch"},
		{"From: Ida Koch <commits@example.org>\nList-Post: <mailto:commits@example.org>\n", "Ida Koch"},
		{"From: Ida Koch <commits@example.org>\nList-Post: <mailto:commits@example.org?subject=x> (moderated)\n", "Ida Koch"},
		{"From: Ida Koch <commits@example.org>\nList-Id: Commits <commits.lists.example.org>\n", "Ida Koch"},
		{"From: Ida Koch <commits@example.org>\nList-Id: commits.example.org\n", "Ida Koch"},
		{"From: Ida Koch <commits@example.org>\nList-Id: <commits@example.org>\n", "Ida Koch"},
		{"From: Ida Koch <ida@example.org>\nList-Id: <idas.example.org>\n", "Ida Koch <ida@example.org>"},
		{"From: Ida Koch <commits@example.org>\nX-BeenThere: commits@example.org\n", "Ida Koch"},
		{"From: Ida Koch <commits@example.org>\nMailing-List: list commits@example.org; contact x-owner@example.org\n", "Ida Koch"},
		{"From: Ida Koch <commits@example.org>\nTo: \"The list\" <jane@example.org>,\n dev@example.org, commits@example.org (all)\n", "Ida Koch"},
		{"From: Ida Koch <commits@example.org>\nTo: jane@example.org\nTo: commits@example.org\n", "Ida Koch"},
		{"From: Ida Koch <ida@example.org>\nTo: ida@example.org\n", "Ida Koch"},
		{"From: Ida Koch <commits@lists.example.org>\nX-Original-From: Ida K. <ida@example.org>\n" + list, "Ida K. <ida@example.org>"},
		{"From: Ida Koch <c@example.org>\nAuthor: Ida K. <ida@example.org>\n", "Ida K. <ida@example.org>"},
		{"From: Ida Koch <c@example.org>\nX-Original-From: commits@lists.example.org\n" + list, "Ida Koch <c@example.org>"},
		{"From: Ida Koch <commits@lists.example.org>\nX-Original-From: Git <noreply@example.org>\nReply-To: Ida Koch <ida@example.org>\n" + list, "Ida Koch <ida@example.org>"},
		{"From: Ida Koch <noreply@github.com>\nReply-To: Ida Koch <noreply@github.com>\n" + list, "Ida Koch"},
		{"From: GitLab <gitlab@example.org>\nReply-To: GitLab <noreply@example.org>\n" + list, "GitLab"},
		{"From: Ida Koch via commits <commits@lists.example.org>\nReply-To: Developers <dev@lists.example.org>\n" + list, "Ida Koch"},
		{"From: Ida Koch via commits <commits@lists.example.org>\nReply-To: dev@lists.example.org\n" + list, "Ida Koch"},
		{"From: Ida Koch via commits <commits@lists.example.org>\nReply-To: ida@example.net\n" + list, "Ida Koch <ida@example.net>"},
		{"From: Ida Koch via commits <commits@lists.example.org>\nReply-To: ida@example.net, jane@example.net\n" + list, "Ida Koch"},
		{"From: Ida Koch via commits <commits@lists.example.org>\nReply-To: \"commits, all\" <commits@lists.example.org>, Ida Koch <ida@example.net>\n" + list, "Ida Koch <ida@example.net>"},
		{"From: Ida Koch via commits <commits@lists.example.org>\nCc: jane@example.net, \"Ida Koch\" <ida@example.net>\n" + list, "Ida Koch <ida@example.net>"},
		{"From: \"Koch, Ida via commits\" <commits@lists.example.org>\nReply-To: \"Koch, Ida\" <ida@example.net>\n" + list, "Koch, Ida <ida@example.net>"},
		{"From: =?utf-8?q?J=C3=BCrg_via_commits?= <commits@lists.example.org>\nReply-To: =?utf-8?q?J=C3=BCrg?= <j@example.net>\n" + list, "Jürg <j@example.net>"},
		{"From: Ida Koch <ida=example.org@groups.example.org>\n" + list, "Ida Koch"},
		{"From: Ida Koch <ida@example.org.invalid>\n" + list, "Ida Koch <ida@example.org>"},
		{"From: Ida Koch <commits@lists.example.org>\nReply-To: ,;<>,\"\n" + list, "Ida Koch"},
	} {
		m := ReadMail(strings.NewReader(test.header + "\ntext\n"))
		if got := m.Header.author().String(); got != test.want {
			t.Errorf("%sauthor is %q, want %q", test.header, got, test.want)
		}
		if len(m.Commits) != 1 || m.Commits[0].Committer.String() != test.want {
			t.Errorf("%scommits: %+v", test.header, m.Commits)
		}
	}
}

// A list's address in the body is not the committer's.
func TestListInBody(t *testing.T) {
	for _, test := range []struct{ author, commit, want string }{
		{"Ida Koch <ida@example.org>", "The list <commits@example.org>", "Jane <jane@example.org>"},
		{"The list <commits@example.org>", "Ida Koch <ida@example.org>", "Ida Koch <ida@example.org>"},
		{"The list <commits@example.org>", "The list <commits@example.org>", "Jane <jane@example.org>"},
	} {
		m := ReadMail(strings.NewReader("From: Jane <jane@example.org>\nTo: commits@example.org\n\n" +
			"commit 0123456789012345678901234567890123456789\nAuthor: " + test.author + "\nCommit: " + test.commit + "\n\n    foo\n"))
		if len(m.Commits) != 1 || m.Commits[0].Committer.String() != test.want || strings.HasPrefix(m.Commits[0].Author.Email, "commits@") {
			t.Errorf("%+v: %+v", test, m.Commits)
		}
	}
}

//go:build linux

package crash

import (
	"fmt"
	"io"
	"net/mail"
	"strings"
)

// A commit is made into a mail as FreeBSD's git mailer writes it.
type commit struct {
	id     string // of the mail, and so the name of the message
	hash   string // begins the hash
	branch string
	login  string
	asks   string // the trailer's value
}

var (
	pump   = commit{"202101060630.pump@git.example.org", "a1b2", "main", "anna", "1 week"}
	valve  = commit{"202101060631.valve@git.example.org", "c3d4", "main", "boris", "1 week"}
	gasket = commit{"202101070630.gasket@git.example.org", "e5f6", "main", "anna", "6 days"}
	flange = commit{"202101060633.flange@git.example.org", "0718", "main", "clara", "2 months"}
	// pump's commit once more, by another list, and valve's on another branch.
	again     = commit{"202101060640.again@git.example.org", "a1b2", "main", "anna", "1 week"}
	elsewhere = commit{"202101060641.elsewhere@git.example.org", "c3d4", "master", "boris", "1 week"}
	// Nobody knows when that is.
	unclear = commit{"202101060642.unclear@git.example.org", "2a3b", "main", "clara", "when the dust is gone"}
)

// twins names both mails of a commit alike. Which of them is taken for the
// duplicate depends on which can be read first.
var twins = strings.NewReplacer(again.id, pump.id, elsewhere.id, valve.id)

func (c commit) fullHash() string { return strings.Repeat(c.hash, 10) }

// lastLine ends the commit message, by which a whole reminder is known.
func (c commit) lastLine() string {
	return "Differential Revision: https://reviews.example.org/" + c.hash
}

func (c commit) mail() []byte {
	return fmt.Appendf(nil, `Date: Wed, 6 Jan 2021 06:30:12 GMT
Message-Id: <%[1]s>
To: src-committers@example.org, dev-commits-src-all@example.org,
	dev-commits-src-main@example.org
From: %[4]s Example <%[4]s@example.org>
Subject: git: %.12[2]s - %[3]s - hydraulics: mend %[2]s
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
X-Git-Committer: %[4]s
X-Git-Repository: src
X-Git-Refname: refs/heads/%[3]s
X-Git-Reftype: branch
X-Git-Commit: %[2]s
Auto-Submitted: auto-generated

The branch %[3]s has been updated by %[4]s:

URL: https://cgit.example.org/src/commit/?id=%[2]s

commit %[2]s
Author:     %[4]s Example <%[4]s@example.org>
AuthorDate: 2021-01-06 06:29:31 +0000
Commit:     %[4]s Example <%[4]s@example.org>
CommitDate: 2021-01-06 06:30:00 +0000

    hydraulics: mend what leaked

    MFC after:      %[5]s
    %[6]s
---
 sys/dev/hydraulics/pump.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

diff --git a/sys/dev/hydraulics/pump.c b/sys/dev/hydraulics/pump.c
--- a/sys/dev/hydraulics/pump.c
+++ b/sys/dev/hydraulics/pump.c
@@ -1,1 +1,1 @@
-leaks
+holds
`, c.id, c.fullHash(), c.branch, c.login, c.asks, c.lastLine())
}

// A reminder is a mail that was delivered.
type reminder struct {
	id   string
	body string
}

// parse reads a delivered mail; whatever is not a whole one is an error.
func parse(data string) (reminder, error) {
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		return reminder{}, fmt.Errorf("not a whole mail: %w: %q", err, data)
	}
	body, err := io.ReadAll(m.Body)
	r := reminder{id: m.Header.Get("Message-ID"), body: string(body)}
	if r.id == "" || err != nil {
		return r, fmt.Errorf("not a whole mail: %v: %q", err, data)
	}
	return r, nil
}

// isOf reports whether it reminds of a commit.
func (r *reminder) isOf(c commit) bool { return strings.Contains(r.body, c.lastLine()) }

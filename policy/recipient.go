package policy

import (
	"fmt"
	"strings"

	"vext/internal/commit"
	"vext/internal/text"
)

// Recipient returns the person who is reminded of c: the committer, or the author when
// the committer is a program, as for commits merged on GitHub's pages.
func (p *Policy) Recipient(c *commit.Commit) commit.Person {
	if p.ToAuthor || c.Committer.IsRobot() {
		return c.Author
	}
	return c.Committer
}

// Denies returns why the reminder of c must not be sent, "" when it may be. Only mails
// are checked: the targets on IRC are the operator's own.
func (p *Policy) Denies(c *commit.Commit) string {
	if !p.RouteOf(c).Mail {
		return ""
	}
	return p.DeniesRecipient(p.Recipient(c), c.Source)
}

// DeniesRecipient returns why the person must not be written to about a commit from a source
// (see commit.FromMail), with advice, as a reason of queue.WithID; "" for one who may.
// vext never writes to a program, even when a commit names it as its committer. An
// allowed address can be abused: anybody who can send commit mails can make vext write
// to it.
func (p *Policy) DeniesRecipient(to commit.Person, source string) string {
	switch {
	case to.Email == "":
		return "no recipient: the message gives no address for its committer (addresses that the mail was sent to, and those of mailing lists and programs, do not count)\n" +
			"have the mailer name the committer in the message or in Reply-To, or use a webhook or a hook; a login needs domain under [[repository]]\n" +
			"to drop this one: vext cancel ID"
	case to.IsRobot():
		return fmt.Sprintf("no recipient: %s is a program's address, or stands for one that a forge keeps private; nobody reads what is sent there\n"+
			"the committer must commit with an address of their own, or the mailer, webhook or hook must send it\n"+
			"to drop this one: vext cancel ID", text.OneLine(to.Email))
	case !isAddress(to.Email):
		return fmt.Sprintf("no recipient: %q is not an address", to.Email)
	case len(p.Allow) == 0 || !matchAny(p.Allow, true, to.Email):
		return fmt.Sprintf("%s may not be written to: no pattern of allow, under [reminders], matches this address\n"+
			"%s\n"+
			"to drop this one: vext cancel ID; after a change of allow: vext retry ID", to.Email, allowAdvice(source))
	}
	return ""
}

// allowAdvice returns what to consider before an address is allowed.
func allowAdvice(source string) string {
	switch {
	case source == commit.FromWebhook:
		return "to have reminders sent to it, add it to allow"
	case commit.ReadsRepository(source):
		return "to have reminders sent to it, add it to allow; to take only the commits of some people: committers = [...] under [[repository]]"
	}
	return "a forged commit mail can name anybody, so do not allow an address only because this message names it: see allow in vext.toml(5)"
}

// isAddress reports whether s is the address of one person that is safe in an SMTP
// command and in a header. It accepts less than RFC 5321, section 4.1.2: no quoted
// local parts, and no % and !, which route a mail elsewhere on some servers.
func isAddress(s string) bool {
	local, domain, _ := strings.Cut(s, "@")
	if local == "" || domain == "" || local[0] == '/' || len(s) > 254 || strings.Contains(domain, "@") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || strings.ContainsRune(`<>()[]\,;:"%!|`, r) || r == '\ufffd'
	})
}

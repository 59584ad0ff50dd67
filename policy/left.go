package policy

import (
	"strings"

	"vext/internal/commit"
)

// Person returns the person whom c is about: the committer, or the author when the
// committer is a program, as for commits merged on GitHub's pages.
func (p *Policy) Person(c *commit.Commit) commit.Person {
	if p.ToAuthor || c.Committer.IsRobot() {
		return c.Author
	}
	return c.Committer
}

// Recipient returns who is reminded of c: its person, or who stands in when that one has
// left, see Left.
func (p *Policy) Recipient(c *commit.Commit) commit.Person {
	person := p.Person(c)
	if address := p.standIn(person.Email); address != "" {
		return commit.Person{Email: address}
	}
	return person
}

// HasLeft reports whether somebody else is reminded of c than its person.
func (p *Policy) HasLeft(c *commit.Commit) bool { return p.standIn(p.Person(c).Email) != "" }

// standIn returns the address that gets the reminders for another, "" for none. Only an
// address that may be written to has one: a stranger whose login is that of somebody who
// has left causes no mail.
func (p *Policy) standIn(address string) string {
	to := p.Left[strings.ToLower(commit.Login(address))]
	if to == "" || strings.EqualFold(to, address) || len(p.Allow) == 0 || !matchAny(p.Allow, true, address) {
		return ""
	}
	return to
}

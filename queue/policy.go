package queue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/text"
)

// A Policy says which commits count and who may be written to. Patterns are
// literal but for *, which stands for anything, and ?, which stands for one
// character. An empty list of Branches, Senders or Repositories takes all; an
// empty Allow takes nobody.
type Policy struct {
	Branches     []string
	Senders      []string
	Repositories []string
	Allow        []string
	Trailers     []string // names in addition to the usual ones
	ToAuthor     bool     // remind the author instead of the committer
	Routes       []Route  // which way reminders go; by mail where none matches

	// Names are the other names under which repositories arrive, as
	// commit.RepositoryName writes them and in lower case, with the one that
	// each of them has.
	Names map[string]string
	// Own are the branches that count in single repositories, by their names,
	// instead of Branches.
	Own map[string][]string
	// Domains make addresses of logins in single repositories, by their names.
	Domains map[string]string
	// Hold is how long a commit that came by mail waits in the spool for
	// another way to bring it.
	Hold time.Duration
}

// complete gives people who have only a login the address that this makes in
// their repository.
func (p *Policy) complete(c *commit.Commit) {
	domain := p.Domains[c.Repository]
	for _, person := range []*commit.Person{&c.Author, &c.Committer} {
		if domain != "" && person.Email == "" && person.Name != "" && !strings.ContainsAny(person.Name, " @<>") {
			person.Email = person.Name + "@" + domain
		}
	}
}

// Repository returns the name that a repository has, of one under which it
// came.
func (p *Policy) Repository(name string) string {
	name = commit.RepositoryName(name)
	if one, ok := p.Names[strings.ToLower(name)]; ok {
		return one
	}
	return name
}

// DefaultBranches are the branches that count unless others are configured: on
// these, development goes on.
var DefaultBranches = []string{"main", "master", "head", "HEAD", "trunk", "default"}

func (p *Policy) trailers(more string) []string {
	if more == "" {
		return p.Trailers
	}
	return append(p.Trailers[:len(p.Trailers):len(p.Trailers)], more)
}

// Recipient returns the person who is reminded of c: the committer, or the author
// when the committer is a program, such as GitHub for commits that are merged on
// its pages.
func (p *Policy) Recipient(c *commit.Commit) commit.Person {
	if p.ToAuthor || c.Committer.IsRobot() {
		return c.Author
	}
	return c.Committer
}

// ignores returns why c does not count, "" when it does.
func (p *Policy) ignores(c *commit.Commit) string {
	if c.Branch() != "" && !p.countsBranch(c) {
		return fmt.Sprintf("branch %s does not count", c.Branch())
	}
	return cmp.Or(p.ignoresSender(c), p.ignoresRepository(c))
}

func (p *Policy) ignoresSender(c *commit.Commit) string {
	if commit.Forgeable(c.Source) && !matchAny(p.Senders, c.Sender, true) {
		return fmt.Sprintf("sender %s is not listed in senders", c.Sender)
	}
	return ""
}

func (p *Policy) ignoresRepository(c *commit.Commit) string {
	if !p.HasRepository(p.Repositories, c.Repository) {
		return fmt.Sprintf("repository %q is not listed in repositories", c.Repository)
	}
	return ""
}

// countsBranch reports whether the branch of a commit counts. Who looks into a
// repository has taken only what counts there.
func (p *Policy) countsBranch(c *commit.Commit) bool {
	switch c.Source {
	case commit.FromHook, commit.FromFollow, commit.FromImport:
		return true
	}
	return MatchBranch(p.BranchesOf(c.Repository), c.Refname)
}

// BranchesOf returns the patterns of the branches that count in a repository.
func (p *Policy) BranchesOf(repository string) []string {
	if own := p.Own[p.Repository(repository)]; len(own) > 0 {
		return own
	}
	return p.Branches
}

// MatchBranch reports whether one of the patterns matches a branch, with
// refs/heads/ or without; an empty list matches every branch.
func MatchBranch(patterns []string, refname string) bool {
	return matchAny(patterns, commit.BranchName(refname), false) || matchAny(patterns, refname, false)
}

// MatchAddress reports whether one of the patterns matches an address; an
// empty list matches every address.
func MatchAddress(patterns []string, address string) bool { return matchAny(patterns, address, true) }

// HasRepository reports whether one of the patterns matches a repository, by
// any of its names; an empty list matches every repository.
func (p *Policy) HasRepository(patterns []string, name string) bool {
	name = p.Repository(name)
	names := []string{name, name + ".git"}
	for other, one := range p.Names {
		if one == name {
			names = append(names, other)
		}
	}
	return slices.ContainsFunc(names, func(name string) bool { return matchAny(patterns, name, true) }) ||
		slices.ContainsFunc(patterns, func(pattern string) bool { return p.Repository(pattern) == name })
}

// developmentBranches are those on which a cherry-pick may well be the first
// that comes of a commit.
var developmentBranches = append([]string{"develop", "devel", "development"}, DefaultBranches...)

// Refuses returns why the person must not be written to about a commit from a
// source (see commit.FromMail), with what to do about it, and "" for one who may. In
// what to do, ID stands for the ID of the message, see WithID. vext never writes to a
// program, even when a commit names it as its committer. An allowed address can be
// abused: whoever can submit a commit mail that names it makes vext write to it.
func (p *Policy) Refuses(to commit.Person, source string) string {
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
	case len(p.Allow) == 0 || !matchAny(p.Allow, to.Email, true):
		return fmt.Sprintf("%s may not be written to: no pattern of allow, under [reminders], matches this address\n"+
			"%s\n"+
			"to drop this one: vext cancel ID; after a change of allow: vext retry ID", to.Email, allowAdvice(source))
	}
	return ""
}

// allowAdvice says what to consider before an address is allowed.
func allowAdvice(source string) string {
	switch source {
	case commit.FromWebhook:
		return "to have reminders sent to it, add it to allow"
	case commit.FromHook, commit.FromFollow, commit.FromImport:
		return "to have reminders sent to it, add it to allow; to take only the commits of some people: committers = [...] under [[repository]]"
	}
	return "a forged commit mail can name anybody, so do not allow an address only because this message names it: see allow in vext.toml(5)"
}

// isAddress reports whether s can be the address of one person in an SMTP
// command and in a header: one @, something on both sides, and nothing that
// would end it early. It is narrower than RFC 5321, section 4.1.2: quoted
// local parts are of no use to anybody's commits, and % and ! route a mail to
// somebody else on servers that honour them.
func isAddress(s string) bool {
	local, domain, _ := strings.Cut(s, "@")
	if local == "" || domain == "" || local[0] == '/' || len(s) > 254 || strings.Contains(domain, "@") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || strings.ContainsRune(`<>()[]\,;:"%!|`, r) || r == '\ufffd'
	})
}

// matchAny reports whether s matches one of the patterns; an empty list
// matches everything.
func matchAny(patterns []string, s string, fold bool) bool {
	if len(patterns) == 0 {
		return true
	}
	if fold {
		s = strings.ToLower(s)
	}
	for _, p := range patterns {
		if fold {
			p = strings.ToLower(p)
		}
		if text.Match(p, s) {
			return true
		}
	}
	return false
}

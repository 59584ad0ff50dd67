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

// A Policy says which commits count and who may be written to. In patterns, * matches
// any string and ? any character. An empty list of Branches, Senders or Repositories
// matches everything; an empty Allow matches nobody.
type Policy struct {
	Branches     []string
	Senders      []string
	Repositories []string
	Allow        []string
	Trailers     []string // in addition to the default ones
	ToAuthor     bool     // remind the author instead of the committer
	Routes       []Route  // the first match counts; without one, a mail is sent

	// Names maps the other names of repositories, as commit.RepositoryName returns
	// them and in lower case, to their names.
	Names map[string]string
	// Own has the branches that count in single repositories instead of Branches, by
	// the name of the repository.
	Own map[string][]string
	// Domains make addresses of logins, by the name of the repository.
	Domains map[string]string
	// Hold is how long a commit that came by mail waits in the spool for another
	// source.
	Hold time.Duration
}

// complete makes the addresses of people who have only a login, with the domain of the
// repository.
func (p *Policy) complete(c *commit.Commit) {
	domain := p.Domains[c.Repository]
	for _, person := range []*commit.Person{&c.Author, &c.Committer} {
		if domain != "" && person.Email == "" && person.Name != "" && !strings.ContainsAny(person.Name, " @<>") {
			person.Email = person.Name + "@" + domain
		}
	}
}

// Repository returns the name of a repository, given any of its names.
func (p *Policy) Repository(name string) string {
	name = commit.RepositoryName(name)
	if one, ok := p.Names[strings.ToLower(name)]; ok {
		return one
	}
	return name
}

// DefaultBranches are the branches that count unless others are configured.
var DefaultBranches = []string{"main", "master", "head", "HEAD", "trunk", "default"}

func (p *Policy) trailers(more string) []string {
	if more == "" {
		return p.Trailers
	}
	return append(p.Trailers[:len(p.Trailers):len(p.Trailers)], more)
}

// Recipient returns the person who is reminded of c: the committer, or the author when
// the committer is a program, as for commits merged on GitHub's pages.
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

// countsBranch reports whether the branch of a commit counts. Sources that read a
// repository have checked that before.
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

// MatchBranch reports whether a pattern matches a branch, with or without refs/heads/.
// An empty list matches every branch.
func MatchBranch(patterns []string, refname string) bool {
	return matchAny(patterns, commit.BranchName(refname), false) || matchAny(patterns, refname, false)
}

// MatchAddress reports whether a pattern matches an address. An empty list matches
// every address.
func MatchAddress(patterns []string, address string) bool { return matchAny(patterns, address, true) }

// HasRepository reports whether a pattern matches any name of a repository. An empty
// list matches every repository.
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

// developmentBranches are the branches on which a cherry-pick can arrive before its
// original.
var developmentBranches = append([]string{"develop", "devel", "development"}, DefaultBranches...)

// Refuses returns why the person must not be written to about a commit from a source
// (see commit.FromMail), with advice, as a reason of queue.WithID; "" for one who may.
// vext never writes to a program, even when a commit names it as its committer. An
// allowed address can be abused: anybody who can send commit mails can make vext write
// to it.
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

// allowAdvice returns what to consider before an address is allowed.
func allowAdvice(source string) string {
	switch source {
	case commit.FromWebhook:
		return "to have reminders sent to it, add it to allow"
	case commit.FromHook, commit.FromFollow, commit.FromImport:
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

// matchAny reports whether s matches a pattern. An empty list matches everything.
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

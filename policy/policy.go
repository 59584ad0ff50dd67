// Package policy decides which commits count, who may be written to, and where reminders
// go.
package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/target"
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
	Trailers     []string // in addition to the usual ones
	ToAuthor     bool     // remind the author instead of the committer
	Routes       []Route  // the first match counts; without one, a mail is sent

	// Left has who is reminded instead of people who have left, by their logins in lower
	// case: the part of an address before the @.
	Left map[string]string

	// Names maps the other names of repositories, as commit.RepositoryName returns
	// them and in lower case, to their names.
	Names map[string]string
	// Own has the branches that count in single repositories instead of Branches, by
	// the name of the repository.
	Own map[string][]string
	// Asking has what asks for a reminder in repositories with a convention, by the name of
	// the repository, and under "" for all others. Where it has none, the usual trailers
	// and Trailers do.
	Asking map[string]*commit.Trailers
	// Domains make addresses of logins, by the name of the repository.
	Domains map[string]string
	// Hold is how long a commit that came by mail waits in the spool for another
	// source.
	Hold time.Duration
}

// Complete makes the addresses of people who have only a login, with the domain of the
// repository.
func (p *Policy) Complete(c *commit.Commit) {
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

// TrailersOf returns what asks for a reminder in a repository, given any of its names. The
// error is about a name in Trailers.
func (p *Policy) TrailersOf(repository string) (*commit.Trailers, error) {
	for _, name := range []string{p.Repository(repository), ""} {
		if set := p.Asking[name]; set != nil {
			return set, nil
		}
	}
	return commit.NewTrailers(p.Trailers...)
}

// Request returns the request in the trailer of a commit, false when there is none. The
// error is about a trailer name that the commit's source configured.
func (p *Policy) Request(c *commit.Commit) (commit.Request, bool, error) {
	trailers, err := p.TrailersOf(c.Repository)
	if err == nil && c.Trailer != "" && !trailers.Has(c.Trailer) {
		trailers, err = trailers.Also(c.Trailer)
	}
	if err != nil {
		return commit.Request{}, false, err
	}
	request, ok := trailers.Request(c.Asking())
	return request, ok, nil
}

// Ignores returns why c does not count, "" when it does. Sources that read a repository
// have checked its branch before.
func (p *Policy) Ignores(c *commit.Commit) string {
	if c.Branch() != "" && !commit.ReadsRepository(c.Source) && !MatchBranch(p.BranchesOf(c.Repository), c.Refname) {
		return fmt.Sprintf("branch %s does not count", c.Branch())
	}
	return cmp.Or(p.Distrusts(c), p.ignoresRepository(c))
}

// Distrusts returns why a commit from a forgeable source is ignored, "" when it is not.
// It checks all that is checked before a reminder, except the branch.
func (p *Policy) Distrusts(c *commit.Commit) string {
	switch {
	case !commit.Forgeable(c.Source):
		return ""
	case !matchAny(p.Senders, true, c.Sender):
		return fmt.Sprintf("sender %s is not listed in senders", c.Sender)
	}
	return p.ignoresRepository(c)
}

func (p *Policy) ignoresRepository(c *commit.Commit) string {
	if !p.HasRepository(p.Repositories, c.Repository) {
		return fmt.Sprintf("repository %q is not listed in repositories", c.Repository)
	}
	return ""
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
	return matchAny(patterns, false, commit.BranchName(refname), refname)
}

// MatchAddress reports whether a pattern matches an address. An empty list matches
// every address.
func MatchAddress(patterns []string, address string) bool { return matchAny(patterns, true, address) }

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
	return matchAny(patterns, true, names...) ||
		slices.ContainsFunc(patterns, func(pattern string) bool { return p.Repository(pattern) == name })
}

// matchAny reports whether a pattern matches one of the names. An empty list matches
// everything.
func matchAny(patterns []string, fold bool, names ...string) bool {
	for _, pattern := range patterns {
		for _, name := range names {
			if fold {
				pattern, name = strings.ToLower(pattern), strings.ToLower(name)
			}
			if text.Match(pattern, name) {
				return true
			}
		}
	}
	return len(patterns) == 0
}

// Denies returns why the reminder of c must not be sent, "" when it may be. Only mails
// are checked: the targets are the operator's own.
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

// A Route says where reminders go for the commits whose recipient, repository and
// branch match its patterns.
type Route struct {
	Committers, Repositories, Branches []string

	Mail    bool
	Targets []target.Target // on IRC and XMPP
}

// RouteOf returns the first route that matches c, or a mail when none does. A commit
// selects a route, and can't add a target.
func (p *Policy) RouteOf(c *commit.Commit) Route {
	return p.route(p.Recipient(c).Email, c.Repository, c.Refname)
}

// RouteOfEvent is RouteOf for a reminder whose message is not kept.
func (p *Policy) RouteOfEvent(e *history.Event) Route {
	return p.route(e.Address, e.Repository, "refs/heads/"+e.Branch)
}

func (p *Policy) route(address, repository, refname string) Route {
	for _, r := range p.Routes {
		if MatchAddress(r.Committers, address) && p.HasRepository(r.Repositories, repository) && MatchBranch(r.Branches, refname) {
			return r
		}
	}
	return Route{Mail: true}
}

// Has reports whether the route has a target, named as by target.Target.String.
func (r *Route) Has(name string) bool {
	return slices.ContainsFunc(r.Targets, func(t target.Target) bool { return t.String() == name })
}

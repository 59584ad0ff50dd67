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

// Request returns the request in the trailer of a commit, false when there is none. The
// error is about a trailer name that the commit's source configured.
func (p *Policy) Request(c *commit.Commit) (commit.Request, bool, error) {
	names := p.Trailers
	if c.Trailer != "" {
		names = append(slices.Clip(names), c.Trailer)
	}
	trailers, err := commit.NewTrailers(names...)
	if err != nil {
		return commit.Request{}, false, err
	}
	request, ok := trailers.Request(c.Message)
	return request, ok, nil
}

// Ignores returns why c does not count, "" when it does.
func (p *Policy) Ignores(c *commit.Commit) string {
	if c.Branch() != "" && !p.countsBranch(c) {
		return fmt.Sprintf("branch %s does not count", c.Branch())
	}
	return cmp.Or(p.ignoresSender(c), p.ignoresRepository(c))
}

// Distrusts returns why a commit from a forgeable source is ignored, "" when it is not.
// It checks all that is checked before a reminder, except the branch.
func (p *Policy) Distrusts(c *commit.Commit) string {
	if !commit.Forgeable(c.Source) {
		return ""
	}
	return cmp.Or(p.ignoresSender(c), p.ignoresRepository(c))
}

func (p *Policy) ignoresSender(c *commit.Commit) string {
	if commit.Forgeable(c.Source) && !matchAny(p.Senders, true, c.Sender) {
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
	return commit.ReadsRepository(c.Source) || MatchBranch(p.BranchesOf(c.Repository), c.Refname)
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

package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vext/internal/backport"
	"vext/internal/commit"
	"vext/internal/hint"
	"vext/internal/history"
)

// Question returns a question about a commit of a repository, with what persons have said
// of it and of its fixes.
func (b *Backports) Question(of *Lookable, revision string, targets []string) backport.Question {
	q := backport.Question{Revision: revision, Targets: targets}
	if of.Name == "" {
		return q
	}
	key := b.q.History.CanonicalKey(commit.MakeKey(of.Name, revision))
	for i := range b.marked() {
		m := &b.marks[i]
		repository, marked := commit.CutKey(m.Key)
		if commit.SameCommit(m.Key, key) {
			marked = ""
		} else if repository != of.Name {
			continue
		}
		q.Marks = append(q.Marks, backport.Mark{
			Kind: backport.MarkKind(m.Mark), Revision: marked, Target: m.Target, Other: m.Other, Who: m.By, Since: m.Time,
		})
	}
	return q
}

// IsNoFix reports whether a person has said that a commit does not fix what it names.
func (b *Backports) IsNoFix(of *Lookable, fix *backport.Fix) bool {
	key := b.q.History.CanonicalKey(commit.MakeKey(of.Name, fix.Fixes))
	return slices.ContainsFunc(b.marked(), func(m history.Event) bool {
		return m.Mark == history.MarkNotAFix && m.Other == fix.Revision && commit.SameCommit(m.Key, key)
	})
}

// marked returns the marks of all commits. A history that can't be read has none: whoever
// needs more of it reports the error.
func (b *Backports) marked() []history.Event {
	if !b.read {
		b.marks, _ = b.q.History.Marks()
		b.read = true
	}
	return b.marks
}

// Find returns the commit that a revision means, which may be abbreviated, with the name of
// its repository. Without the name of one, all repositories are searched.
func (b *Backports) Find(ctx context.Context, repository, revision string) (*commit.Commit, error) {
	names := b.Names()
	if repository != "" {
		names = []string{b.q.Policy.Repository(repository)}
	}
	var found []*commit.Commit
	var errs []error
	for _, name := range names {
		one, err := b.Open(ctx, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		c, err := one.Find(ctx, strings.ToLower(revision))
		if err != nil {
			return nil, err
		}
		if c != nil {
			c.Repository = name
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, hint.Wrap(fmt.Errorf("several repositories have a commit %s", revision), "name one with --repository: "+strings.Join(names, ", "))
	}
	err := hint.Wrap(fmt.Errorf("no commit %s is known", revision), "vext needs the repository, and at least seven digits of the commit that no other one begins with")
	return nil, errors.Join(append([]error{err}, errs...)...)
}

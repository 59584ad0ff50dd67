package follow

import (
	"cmp"
	"context"
	"slices"

	"vext/filter"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/text"
	"vext/internal/vcs"
)

// A note of git about a commit (git-notes(1)) asks for a reminder as the message of the
// commit would. The notes are in a ref of their own, whose position is kept as that of a
// branch. The notes that are there at the first look are not read: they are as old as the
// commits at that time.

// fetchNotes makes the next update fetch the notes, in a copy.
func (p *pass) fetchNotes() {
	if git, ok := p.repo.(vcs.GitRepository); ok && p.repository.Notes != "" && !p.repository.URL.IsZero() {
		git.FetchNotes(p.repository.Notes)
	}
}

// readNotes stores the requests in new notes, and then moves the position. In a clone of a
// user the notes are the user's own, and are not read.
func (p *pass) readNotes(ctx context.Context) error {
	git, ok := p.repo.(vcs.GitRepository)
	ref, s := p.repository.Notes, p.state
	if !ok || ref == "" || p.repository.Tracks != nil {
		return nil
	}
	position, err := git.NotesPosition(ctx, ref)
	if err != nil {
		return err
	}
	old, looked := s.NotesAt[ref]
	if looked && position == old {
		return nil
	}
	if looked && position != "" {
		if err := p.takeNotes(ctx, git, old, position); err != nil {
			return err
		}
	}
	s.NotesAt = map[string]string{ref: position} // of a former ref, none is kept
	return nil
}

// takeNotes stores the requests in the notes between two positions.
func (p *pass) takeNotes(ctx context.Context, git vcs.GitRepository, old, position string) error {
	notes, err := git.Notes(ctx, old, position)
	if err != nil {
		return err
	}
	trailers, err := p.Queue.Policy.TrailersOf(cmp.Or(p.repository.As, p.repository.Name))
	if err != nil {
		return err
	}
	var hashes []string
	asked := notes[:0]
	for _, n := range notes {
		if trailers.Ask([]byte(n.Text)) {
			asked, hashes = append(asked, n), append(hashes, n.Revision)
		}
	}
	commits, err := git.Commits(ctx, hashes)
	if err != nil {
		return err
	}
	var arrivals []commit.Arrival
	for _, n := range asked {
		c := commits[n.Revision]
		refname := ""
		if c != nil {
			if refname, err = p.branchOf(ctx, git, n.Revision); err != nil {
				return err
			}
		}
		request, _ := trailers.Request(n.Text)
		who := text.OneLine(cmp.Or(n.By.Name, n.By.Email))
		switch {
		case refname == "":
			p.note("a note of %s asks for a reminder of %s, which is on no branch that counts", who, commit.ShortRevision(n.Revision))
			continue
		case request.Err != nil:
			p.note("a note of %s on %s is not understood: %s: %v", who, commit.ShortRevision(n.Revision), text.OneLine(request.Line()), request.Err)
			continue
		}
		one := *c
		one.Refname = refname
		one.Asked = commit.Asked{Line: request.Line(), To: commit.Values(n.Text, "MFC to"), By: n.By, Date: n.Date}
		one.Asked.Clean()
		if p.counts(&one) {
			arrivals = append(arrivals, commit.Arrival{Commit: one})
		}
	}
	if len(arrivals) == 0 {
		return nil
	}
	push := filter.NewPush(arrivals...)
	push.Past = true // the commits are announced when they arrive
	accepted, err := p.store(push)
	if err == nil {
		p.Log.Info("notes", "repository", p.repository.Name, "asking", calendar.Plural(len(accepted.Names), "request"))
	}
	return err
}

// branchOf returns the refname of a branch that counts and has a commit, "" when there is
// none; of several, the first in the order of the patterns.
func (p *pass) branchOf(ctx context.Context, git vcs.GitRepository, revision string) (string, error) {
	refnames, err := git.Containing(ctx, revision)
	if err != nil {
		return "", err
	}
	return BranchOf(refnames, p.repository.Branches, p.repository.wants), nil
}

// BranchOf returns the first of some refnames that counts, in the order of the patterns that
// are plain names: the development branch stands before those that have its commits, too.
func BranchOf(refnames, patterns []string, counts func(refname string) bool) string {
	for _, pattern := range patterns {
		for _, refname := range []string{pattern, "refs/heads/" + pattern} {
			if slices.Contains(refnames, refname) {
				return refname
			}
		}
	}
	if i := slices.IndexFunc(refnames, counts); i >= 0 {
		return refnames[i]
	}
	return ""
}

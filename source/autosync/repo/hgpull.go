package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Pull implements Repository. It takes all from the remote: hg has no way to check a commit
// that comes from elsewhere before it is in the repository.
func (h *hgRepo) Pull(ctx context.Context, _ PullOptions) (*Pulled, error) {
	if err := h.Ready(ctx); err != nil {
		return nil, err
	}
	head, _, err := h.parents()
	if err != nil {
		return nil, err
	}
	p := &Pulled{Before: head, After: head}
	f, err := h.follow(ctx)
	if err != nil || f.remote == "" {
		return p, err
	}
	if p.Upstream, err = h.fetch(ctx, f); err != nil || p.Upstream == "" {
		return p, err
	}
	if err := h.takeIn(ctx, f, p); err != nil {
		return nil, err
	}
	return p, h.remember(func(s *hgState) { s.Upstream[f.key()], s.Head = p.Upstream, p.After })
}

// fetch brings the last commit of the remote branch here, and returns it.
func (h *hgRepo) fetch(ctx context.Context, f hgBranch) (string, error) {
	theirs, err := h.theirs(ctx, f, f.branch)
	before := h.state().Upstream[f.key()]
	switch {
	case err != nil || theirs == before:
		return theirs, err
	case theirs == "":
		return "", &StoppedError{f.String() + " was deleted there. To make it again: hg push " + f.remote}
	}
	if !h.knows(ctx, theirs) {
		if _, err := h.network(ctx, f, "pull", "--quiet", "--rev", theirs, "--", f.remote); err != nil {
			return "", err
		}
	}
	if before == "" || h.matches(ctx, before+" and ::"+theirs) {
		return theirs, nil
	}
	if there, err := h.theirs(ctx, f, before); err != nil || there == before { // another head of the branch
		return theirs, err
	}
	return "", &StoppedError{fmt.Sprintf("%s was set back: it has no longer %.12s, which was there before. To push it again: hg push %s", f, before, f.remote)}
}

// knows reports whether a commit is here.
func (h *hgRepo) knows(ctx context.Context, hash string) bool { return h.matches(ctx, hash) }

// matches reports whether there are commits in a set.
func (h *hgRepo) matches(ctx context.Context, set string) bool {
	out, err := h.run(ctx, "log", "-r", set, "-T", "x", "--limit", "1")
	return err == nil && out != ""
}

// A hgCommit is a commit as hg log prints it.
type hgCommit struct {
	hash, author, subject string
	isDraft, isMerge      bool
}

// log returns the commits of a set, the first one first.
func (h *hgRepo) log(ctx context.Context, set string) ([]hgCommit, error) {
	out, err := h.run(ctx, "log", "-r", "sort("+set+", rev)", "-T", `{node}\0{phase}\0{ifeq(p2.rev, -1, "", "merge")}\0{author|person}\0{desc|firstline}\0`)
	var commits []hgCommit
	fields := strings.Split(out, "\x00")
	for ; len(fields) > 5; fields = fields[5:] {
		commits = append(commits, hgCommit{fields[0], fields[3], fields[4], fields[1] == "draft", fields[2] != ""})
	}
	return commits, err
}

// takeIn integrates the commit that was fetched.
func (h *hgRepo) takeIn(ctx context.Context, f hgBranch, p *Pulled) error {
	if p.Before == p.Upstream {
		return nil
	}
	ours, since := []hgCommit(nil), "::"+p.Upstream
	if p.Before != "" {
		var err error
		if ours, err = h.log(ctx, "only("+p.Before+", "+p.Upstream+")"); err != nil {
			return err
		}
		since = "only(" + p.Upstream + ", " + p.Before + ")"
	}
	theirs, err := h.log(ctx, since)
	if err != nil || len(theirs) == 0 {
		return err
	}
	for i := len(theirs) - 1; i >= 0; i-- {
		p.Commits = append(p.Commits, Incoming{theirs[i].hash, theirs[i].author, theirs[i].subject})
	}
	next, old := p.Upstream, []string(nil)
	if len(ours) > 0 {
		if next, old, err = h.integrate(ctx, f, p, ours); err != nil {
			return err
		}
	}
	if err := h.update(ctx, next); err != nil {
		return err
	}
	p.After = next
	if len(old) > 0 {
		_, err = h.run(ctx, append([]string{"phase", "--quiet", "--secret", "--force"}, old...)...)
	}
	return err
}

// update checks a commit out. It writes over nothing that was changed and not committed.
func (h *hgRepo) update(ctx context.Context, next string) error {
	if err := h.remember(func(s *hgState) { s.Updating = next }); err != nil {
		return err
	}
	bookmark, _ := os.ReadFile(filepath.Join(h.hg, "bookmarks.current"))
	_, err := h.run(ctx, "update", "--quiet", "--config=commands.update.check=noconflict", "--rev", next)
	if err != nil && ctx.Err() == nil {
		var failure *hgError
		if errors.As(err, &failure) && failure.says("conflicting changes", "uncommitted changes", "untracked files", "path conflict", "outstanding") {
			err = ErrChanged
		}
	}
	if err != nil {
		return errors.Join(err, h.repair())
	}
	if err := h.remember(func(s *hgState) { s.Updating, s.Head = "", next }); err != nil {
		return err
	}
	if name := string(bookmark); name != "" { // an active bookmark moves along
		_, err = h.run(ctx, "bookmark", "--force", "--", name)
	}
	return err
}

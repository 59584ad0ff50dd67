package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A hgMerge is one integration, in a work tree of its own.
type hgMerge struct {
	*hgRepo
	f      hgBranch
	p      *Pulled
	ours   []hgCommit
	copies map[string]string // where ours of a path is kept
}

// integrate makes the commit that has theirs and ours, without a change of the work tree. It
// also returns the commits that were made again.
func (h *hgRepo) integrate(ctx context.Context, f hgBranch, p *Pulled, ours []hgCommit) (next string, old []string, err error) {
	if !h.matches(ctx, "ancestor("+p.Before+", "+p.Upstream+")") {
		return "", nil, &StoppedError{f.String() + " and the branch here have no commit in common; to join them: hg merge"}
	}
	if err := h.checkDirty(ctx, p); err != nil {
		return "", nil, err
	}
	made, err := record(h.dir).all()
	if err != nil {
		return "", nil, err
	}
	if _, err = h.run(ctx, "share", "--quiet", "--noupdate", ".", h.work()); err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.work())) }()
	m := &hgMerge{h, f, p, ours, map[string]string{}}
	if _, err = m.in(ctx, "update", "--quiet", "--rev", p.Before); err != nil {
		return "", nil, err
	}
	isPersons := slices.ContainsFunc(ours, func(c hgCommit) bool { return !c.isDraft || c.isMerge || !made[c.hash] })
	if h.opts.Merge || isPersons {
		next, err = m.merge(ctx)
		return next, nil, err
	}
	if next, err = m.rebase(ctx); err != nil {
		return "", nil, err
	}
	for _, c := range ours {
		old = append(old, c.hash)
	}
	return next, old, m.record(ctx, next)
}

// in runs an hg command in the second work tree.
func (m *hgMerge) in(ctx context.Context, args ...string) (string, error) {
	return m.runIn(ctx, m.work(), args...)
}

// checkDirty returns ErrChanged when a file is changed that the integration will write: then
// all of it would be in vain.
func (h *hgRepo) checkDirty(ctx context.Context, p *Pulled) error {
	dirty, err := h.status(ctx, nil, "-mardu")
	if err != nil || len(dirty) == 0 {
		return err
	}
	theirs, err := h.status(ctx, nil, "--rev", "ancestor("+p.Before+", "+p.Upstream+")", "--rev", p.Upstream)
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	for _, l := range theirs {
		changed[l.path] = true
	}
	for _, l := range dirty {
		if changed[l.path] {
			return ErrChanged
		}
	}
	return nil
}

// record records what a rebase has made.
func (m *hgMerge) record(ctx context.Context, next string) error {
	made, err := m.log(ctx, "only("+next+", "+m.p.Upstream+")")
	if err != nil {
		return err
	}
	hashes := []string{}
	for _, c := range made {
		hashes = append(hashes, c.hash)
	}
	m.p.Rebased = len(hashes)
	if len(hashes) == 0 {
		return nil
	}
	// A rebase that was interrupted has made the same commits, and they may be secret now.
	if _, err := m.run(ctx, append([]string{"phase", "--quiet", "--draft", "--force"}, hashes...)...); err != nil && hgStatus(err) != 1 {
		return err
	}
	return record(m.dir).add(hashes...)
}

// rebase makes ours again after theirs, and returns the last one.
func (m *hgMerge) rebase(ctx context.Context) (string, error) {
	args := []string{"rebase", "--keep", "--dest", m.p.Upstream, "--tool", ":merge"}
	for _, c := range m.ours {
		args = append(args, "--rev", c.hash)
	}
	_, err := m.in(ctx, args...)
	for range len(m.ours) {
		if !m.hasState("rebasestate") {
			break
		}
		if err = m.resolve(ctx); err != nil {
			m.in(context.WithoutCancel(ctx), "rebase", "--abort")
			return "", err
		}
		_, err = m.in(ctx, "rebase", "--continue")
	}
	if err != nil && hgStatus(err) != 1 {
		return "", err
	}
	if m.hasState("rebasestate") {
		m.in(context.WithoutCancel(ctx), "rebase", "--abort")
		return "", fmt.Errorf("hg rebase does not end: %w", err)
	}
	return m.result(ctx)
}

// hasState reports whether hg is in the middle of something in the second work tree.
func (m *hgMerge) hasState(file string) bool {
	_, err := os.Lstat(filepath.Join(m.work(), ".hg", file))
	return err == nil
}

// result returns the commit that the second work tree is at. It must have theirs in it.
func (m *hgMerge) result(ctx context.Context) (string, error) {
	out, err := m.in(ctx, "log", "-r", ".", "-T", "{node}")
	if err != nil {
		return "", err
	}
	if out == m.p.Before { // nothing of ours was left to make again
		return m.p.Upstream, nil
	}
	if !m.matches(ctx, out+" and "+m.p.Upstream+"::") {
		return "", fmt.Errorf("hg has made %.12s, which does not have %.12s in it", out, m.p.Upstream)
	}
	return out, nil
}

// merge makes a merge of ours and theirs.
func (m *hgMerge) merge(ctx context.Context) (string, error) {
	_, err := m.in(ctx, "merge", "--tool", ":merge", "--rev", m.p.Upstream)
	if err != nil && hgStatus(err) != 1 {
		return "", err
	}
	if err := m.resolve(ctx); err != nil {
		return "", err
	}
	args := []string{"commit", "--quiet", "--message", fmt.Sprintf("Merge %s", m.f)}
	if user, err := m.run(ctx, "config", "ui.username"); err == nil && strings.TrimSpace(user) != "" { // maybe of .hg/hgrc
		args = append(args, "--user", strings.TrimSpace(user))
	}
	if _, err := m.in(ctx, args...); err != nil {
		return "", err
	}
	next, err := m.result(ctx)
	if err == nil {
		err = record(m.dir).add(next)
	}
	return next, err
}

// note notes a conflict for a person.
func (m *hgMerge) note(name, copied, text string) {
	text = name + " " + text
	if copied != "" {
		text += fmt.Sprintf("; the file is kept as %q", path.Base(copied))
	}
	c := Conflict{Path: name, Copy: copied, Text: text}
	if i := slices.IndexFunc(m.p.Conflicts, func(c Conflict) bool { return c.Path == name }); i >= 0 {
		m.p.Conflicts[i] = c
		return
	}
	m.p.Conflicts = append(m.p.Conflicts, c)
}

// copyName returns where a file is kept beside its path: a name that is free in both work
// trees, or that of its copy from an earlier commit of ours.
func (m *hgMerge) copyName(name string) string {
	if m.copies[name] == "" {
		m.copies[name] = ConflictName(name, m.opts.Host, m.opts.Now(), func(n string) bool {
			_, here := os.Lstat(m.path(n))
			_, there := os.Lstat(filepath.Join(m.work(), filepath.FromSlash(n)))
			return here == nil || there == nil
		})
	}
	return m.copies[name]
}

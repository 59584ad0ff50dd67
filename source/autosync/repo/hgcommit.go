package repo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Commit implements Repository.
func (h *hgRepo) Commit(ctx context.Context, changes []Change, message Message) (*Commit, error) {
	if err := h.Ready(ctx); err != nil {
		return nil, err
	}
	var paths []string
	made := &Commit{}
	for _, c := range changes {
		if c.Kind == Nested && c.Refuse == "" {
			c.Refuse = "a repository of its own"
		}
		if c.Refuse == "" {
			c.Refuse = h.refusal(c)
		}
		if c.Refuse != "" {
			made.Refused = append(made.Refused, c)
			continue
		}
		paths = append(paths, c.Path)
	}
	stats, err := h.prepare(ctx, paths)
	if err != nil {
		return nil, err
	}
	if len(stats) == 0 {
		return nothing(made.Refused), nil
	}
	made.Stats = stats
	if made.Message, err = message(ctx, stats); err == nil {
		made.Hash, err = h.commit(ctx, paths, made.Message)
	}
	if err != nil {
		return nil, err
	}
	if made.Hash == "" {
		return nil, nil
	}
	return made, nil
}

// prepare makes new files those of the next commit, and removes those that are gone, and
// returns what the commit changes. A file that is deleted beside a new one of the same content
// is renamed.
func (h *hgRepo) prepare(ctx context.Context, paths []string) ([]Stat, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	lines, err := h.status(ctx, paths, "-mardu")
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	var here, gone []string // an explicit hg add also takes what is ignored
	for _, l := range lines {
		info := h.lstat(l.path)
		isFile := info != nil && !info.IsDir()
		switch {
		case isFile && (l.code == '?' || l.code == 'R'):
			here = append(here, l.path)
		case !isFile && (l.code == '!' || l.code == 'A'):
			gone = append(gone, l.path)
		}
	}
	if len(here) > 0 && len(gone) > 0 {
		_, err = h.withList(ctx, h.root, append(here, gone...), "addremove", "--similarity", "100", "--quiet")
	} else if len(here) > 0 {
		_, err = h.withList(ctx, h.root, here, "add", "--quiet")
	} else if len(gone) > 0 {
		_, err = h.withList(ctx, h.root, gone, "forget", "--quiet")
	}
	if err != nil && hgStatus(err) != 1 {
		return nil, err
	}
	return h.stats(ctx, paths)
}

// commit makes the commit and returns it, "" when nothing was left to commit.
func (h *hgRepo) commit(ctx context.Context, paths []string, message string) (string, error) {
	file := filepath.Join(h.dir, "message")
	if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
		return "", err
	}
	defer os.Remove(file)
	_, err := h.withList(ctx, h.root, paths, "commit", "--quiet", "--logfile", file)
	var failure *hgError
	switch {
	case errors.As(err, &failure) && failure.hook() != "":
		return "", &HookError{failure.hook(), failure}
	case hgStatus(err) == 1 && failure.says("nothing changed"), hgStatus(err) == 1 && failure.failure.Stderr == "":
		return "", nil
	case err != nil:
		return "", err
	}
	hash, _, err := h.parents()
	if err == nil {
		err = record(h.dir).add(hash)
	}
	if err == nil {
		err = h.remember(func(s *hgState) { s.Head = hash })
	}
	return hash, err
}

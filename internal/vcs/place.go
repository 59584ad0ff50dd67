package vcs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// A Place is the location of a repository on this machine, and of its hooks.
type Place struct {
	Kind  Kind
	Dir   string // git: its git directory; hg: the work tree; svn: the repository
	Hooks string // the directory of the hooks; hg: the file hgrc
	Bare  bool   // of git: without a work tree
	Name  string // the name of its directory, without .git
}

// Locate finds the repository at a path, which may be any directory of a work tree. If
// kind is "", it is detected.
func Locate(ctx context.Context, path string, kind Kind) (*Place, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if kind == "" {
		if kind = kindOfPath(path); kind == "" {
			kind = Git // git also searches the directories above
		}
	}
	switch kind {
	case Git:
		return locateGit(ctx, path)
	case Hg:
		root, err := output(ctx, command(ctx, Hg, path, "root"))
		if err != nil {
			return nil, err
		}
		dir := strings.TrimRight(root, "\n")
		return &Place{Kind: Hg, Dir: dir, Hooks: filepath.Join(dir, ".hg", "hgrc"), Name: filepath.Base(dir)}, nil
	case Svn:
		if kindOfPath(path) != Svn {
			return nil, fmt.Errorf("%s is not a Subversion repository: format, db or hooks is missing", path)
		}
		return &Place{Kind: Svn, Dir: path, Hooks: filepath.Join(path, "hooks"), Name: filepath.Base(path)}, nil
	}
	return nil, fmt.Errorf("no such version control system: %q", kind)
}

func locateGit(ctx context.Context, path string) (*Place, error) {
	about, err := revParse(ctx, path, "--is-bare-repository", "--path-format=absolute", "--git-common-dir")
	if err != nil {
		return nil, err
	}
	bare, dir, _ := strings.Cut(about, "\n")
	p := &Place{Kind: Git, Bare: bare == "true", Dir: filepath.Clean(dir)}
	root := p.Dir
	if filepath.Base(root) == ".git" {
		root = filepath.Dir(root)
	}
	p.Name = strings.TrimSuffix(filepath.Base(root), ".git")
	// A relative core.hooksPath starts in the directory in which hooks are run.
	hooks, err := revParse(ctx, root, "--path-format=absolute", "--git-path", "hooks")
	p.Hooks = filepath.Clean(hooks)
	return p, err
}

func revParse(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := output(ctx, command(ctx, Git, dir, append([]string{"rev-parse"}, args...)...))
	return strings.TrimRight(out, "\n"), err
}

// Inside reports whether the hooks are inside the repository, and not shared with
// others by core.hooksPath or a link.
func (p *Place) Inside() bool {
	hooks, err := filepath.EvalSymlinks(p.Hooks)
	if err != nil { // there are no hooks yet
		parent, err := filepath.EvalSymlinks(filepath.Dir(p.Hooks))
		if err != nil {
			return false
		}
		hooks = filepath.Join(parent, filepath.Base(p.Hooks))
	}
	dirs := []string{p.Dir}
	if filepath.Base(p.Dir) == ".git" {
		dirs = append(dirs, filepath.Dir(p.Dir))
	}
	return slices.ContainsFunc(dirs, func(dir string) bool {
		real, _ := filepath.EvalSymlinks(dir)
		rel, err := filepath.Rel(real, hooks)
		return err == nil && filepath.IsLocal(rel)
	})
}

// Identity returns the name and the address in the configuration of git.
func Identity(ctx context.Context) (name, address string, err error) {
	out, err := output(ctx, command(ctx, Git, "", "config", "--get", "user.email"))
	address = strings.TrimSpace(out)
	if err != nil || address == "" {
		return "", "", errors.New("user.email is not set in the configuration of git")
	}
	out, _ = output(ctx, command(ctx, Git, "", "config", "--get", "user.name"))
	return strings.TrimSpace(out), address, nil
}

// Origin returns the URL from which a clone of git was made, "" when it has none.
func (p *Place) Origin(ctx context.Context) string {
	out, _ := output(ctx, command(ctx, Git, "/", "--git-dir="+p.Dir, "config", "--get", "remote.origin.url"))
	return strings.TrimSpace(out)
}

package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"vext/internal/hint"
)

// Open opens the work tree at o.Path. kind is "git", "hg" or "commands"; "" takes the version
// control that is there, or the commands of o when it has some. The directory must be the
// root of the work tree, because autosync is for whole trees.
func Open(ctx context.Context, kind string, o Options) (Repository, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, err
	}
	o.Path = path
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if kind == "" {
		if kind, err = detect(path, o); err != nil {
			return nil, err
		}
	}
	switch kind {
	case "git":
		return openGit(ctx, o)
	case "hg":
		return openHg(ctx, o)
	case "commands":
		return openCommands(ctx, o)
	}
	return nil, fmt.Errorf("%s: the version control must be git, hg or commands, not %q", path, kind)
}

// detect returns the version control of the directory at path, or of one above it, so that
// its own error can name its root.
func detect(path string, o Options) (string, error) {
	if len(o.Commands.Status) > 0 {
		return "commands", nil
	}
	if info, err := os.Stat(path); err != nil {
		return "", err
	} else if !info.IsDir() {
		return "", fmt.Errorf("%s: not a directory", path)
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		for _, kind := range []string{"git", "hg"} {
			if _, err := os.Lstat(filepath.Join(dir, "."+kind)); err == nil || !errors.Is(err, fs.ErrNotExist) {
				return kind, nil
			}
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if isBare(path) {
		return "git", nil
	}
	return "", hint.Wrap(fmt.Errorf("%s: not under version control", path), "vext autosync init "+path)
}

// isBare reports whether a directory looks like a git directory itself.
func isBare(path string) bool {
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Lstat(filepath.Join(path, name)); err != nil {
			return false
		}
	}
	return true
}

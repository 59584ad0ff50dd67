// Package vcs runs git, hg and svn, which know their repositories best: it
// keeps copies of them up to date, and reads what is new.
package vcs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/commit"
	"vext/internal/weburl"
)

// A Kind is a version control system.
type Kind string

// The version control systems, by the names of their programs.
const (
	Git Kind = "git"
	Hg  Kind = "hg"
	Svn Kind = "svn"
)

// A Range is what is new on one branch: the commits that can be reached from
// New and from none of Since. Positions that the repository does not have are
// as if they were not there.
type Range struct {
	Refname string // as a commit has it; "" for all branches of Subversion
	New     string // a position, as Update returns it
	Since   []string
	After   time.Time // only commits that are not older
}

// A Log says what Walk is to read.
type Log struct {
	Ranges []Range
	// FirstParent leaves out what merges brought in from other branches.
	FirstParent bool
	// Match chooses the commits by their message; nil takes all.
	Match func(message []byte) bool
	// Files has each commit say which files it changed, where that costs little.
	// See Lister.
	Files bool
	// Progress is told how many commits were looked at; may be nil.
	Progress func(n int)
}

// A Repository is a repository to be read: a copy of a remote one, or one on
// this machine as it is.
type Repository interface {
	// Update brings the copy up to date, and returns the positions of all
	// branches by their refnames: a hash, several with commas between where a
	// branch has several heads, r and a number. Of a remote repository only the
	// branches that want names need be in the copy.
	Update(ctx context.Context, want func(refname string) bool) (map[string]string, error)
	// Walk calls fn with every commit of the log, oldest first in the order of
	// the graph, once for each branch on which it is new, and returns how many
	// there were that are not older than After, chosen or not. An error of fn ends
	// the walk and is returned.
	Walk(ctx context.Context, log Log, fn func(c *commit.Commit) error) (int, error)
	// Has returns those of the positions that the repository has. A position
	// of several heads is there when all of them are.
	Has(ctx context.Context, positions []string) ([]string, error)
	// Includes reports whether a position can be reached from another, as from
	// where a branch is to where it was, unless it was forced.
	Includes(ctx context.Context, position, earlier string) (bool, error)
	// Related reports whether a position has an ancestor in common with any of
	// others that are there, which it has unless a history was written anew.
	Related(ctx context.Context, position string, others []string) (bool, error)
}

// A Brancher is a repository whose positions do not say which branches there
// are.
type Brancher interface {
	Branches(ctx context.Context) ([]string, error)
}

// SvnInfo is a repository of Subversion.
type SvnInfo interface {
	// ID tells it from another at the same URL, once Update was called.
	ID() string
	// Sparse reports whether revisions may be missing for good, because not all
	// of it can be read, once Walk was called.
	Sparse() bool
}

// Open returns the repository at url with its copy at dir, or, where url is
// zero, the one that lies at dir. Nothing is read yet.
func Open(kind Kind, dir string, url weburl.URL) (Repository, error) {
	switch kind {
	case Git:
		return &gitRepository{dir: dir, url: url}, nil
	case Hg:
		return &hgRepository{dir: dir, url: url}, nil
	case Svn:
		if url.IsZero() {
			url = weburl.Parse(fileURL(dir))
		} else if filepath.IsAbs(url.String()) {
			url = weburl.Parse(fileURL(url.String()))
		}
		return &svnRepository{url: url}, nil
	}
	return nil, fmt.Errorf("no such version control system: %q", kind)
}

// ErrUnknownKind says that no version control system knows the repository.
var ErrUnknownKind = errors.New("neither git nor hg nor svn can read it")

// Detect returns the system of the repository at a URL or path: from the way
// it is written where that says it, else by asking the programs.
func Detect(ctx context.Context, at weburl.URL) (Kind, error) {
	url := at.String()
	if kind := kindOfPath(strings.TrimPrefix(url, "file://")); kind != "" {
		return kind, nil
	}
	switch {
	case strings.HasPrefix(url, "svn://"), strings.HasPrefix(url, "svn+"):
		return Svn, nil
	case strings.HasPrefix(url, "git://"), strings.HasSuffix(url, ".git"), strings.HasPrefix(url, "git@"):
		return Git, nil
	}
	var errs []error
	for _, kind := range []Kind{Git, Hg, Svn} {
		err := Reach(ctx, kind, at)
		if err == nil {
			return kind, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		errs = append(errs, err)
	}
	return "", errors.Join(append([]error{fmt.Errorf("%s: %w", url, ErrUnknownKind)}, errs...)...)
}

// Reach asks whether the repository at a URL or path can be read, and changes
// nothing.
func Reach(ctx context.Context, kind Kind, at weburl.URL) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	args := lsRemote(at)
	switch kind {
	case Hg:
		args = []string{"identify", "--id", "--", at.String()}
	case Svn:
		if filepath.IsAbs(at.String()) {
			at = weburl.Parse(fileURL(at.String()))
		}
		args = []string{"info", "--", at.String() + "@"}
	}
	_, err := output(ctx, remote(ctx, kind, "", at, args...))
	return err
}

// kindOfPath looks at a directory, "" where it is no repository.
func kindOfPath(path string) Kind {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			_, err := os.Stat(filepath.Join(path, name))
			return err != nil
		})
	}
	switch {
	case has(".hg"):
		return Hg
	case has(".git"), has("HEAD", "objects", "refs"):
		return Git
	case has("format", "db", "hooks"):
		return Svn
	}
	return ""
}

func fileURL(path string) string {
	return "file://" + strings.NewReplacer("%", "%25", " ", "%20", "#", "%23", "?", "%3F").Replace(path)
}

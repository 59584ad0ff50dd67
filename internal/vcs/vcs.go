// Package vcs runs git, hg and svn: it updates copies of repositories, and reads their
// new commits.
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

// A Range is the new commits of one branch: those that are reachable from New and from
// none of Since. Positions that the repository does not have are ignored.
type Range struct {
	Refname string // as a commit has it; "" for all branches of Subversion
	New     string // a position, as Update returns it
	Since   []string
	After   time.Time // leaves out older commits
}

// A Log is what Walk reads.
type Log struct {
	Ranges []Range // of Subversion, exactly one
	// FirstParent leaves out the commits that merges bring in from other branches.
	FirstParent bool
	// Match chooses the commits by their message; nil takes all.
	Match func(message []byte) bool
	// Files sets the changed files of each commit, if that is cheap; see GitRepository.
	Files bool
	// Progress is called with the number of commits that were read; may be nil.
	Progress func(n int)
}

// A Repository is a repository that is read: a copy of a remote one, or one on this
// machine.
type Repository interface {
	// Update updates the copy, and returns the positions of all branches by their
	// refnames: a hash, several separated by commas if a branch has several heads,
	// or r and a number. The copy need only contain the branches that want chooses.
	Update(ctx context.Context, want func(refname string) bool) (map[string]string, error)
	// Walk calls fn with every commit of the log, oldest first in the order of
	// the graph, once for each branch on which it is new, and returns how many
	// there were that are not older than After, chosen or not. An error of fn ends
	// the walk and is returned.
	Walk(ctx context.Context, log Log, fn func(c *commit.Commit) error) (int, error)
	// Has returns the positions that the repository has. A position of several heads
	// is one of them only if all heads are.
	Has(ctx context.Context, positions []string) ([]string, error)
	// Includes reports whether earlier is an ancestor of position, as it is after an
	// update that was not forced.
	Includes(ctx context.Context, position, earlier string) (bool, error)
	// Related reports whether a position has an ancestor in common with any of
	// others, which must be in the repository.
	Related(ctx context.Context, position string, others []string) (bool, error)
}

// A GitRepository is a repository of git.
type GitRepository interface {
	Repository
	History
	// Tags returns the tags that contain a commit, without refs/tags/. hasTags is false for
	// a repository without any tag, as the copy of a followed one is.
	Tags(ctx context.Context, hash string) (containing []string, hasTags bool, err error)
	// Scratch returns a repository in which trees are merged without a change of this one.
	// The caller closes it.
	Scratch(ctx context.Context) (*Scratch, error)
	// FetchNotes makes Update fetch the notes of a ref as well, where the server has it.
	FetchNotes(ref string)
	// NotesPosition returns the commit of a ref of notes, "" when there is none.
	NotesPosition(ctx context.Context, ref string) (string, error)
	// Notes returns the notes that were added or changed between two positions. old may be
	// "", or a commit that is gone: then all notes are new.
	Notes(ctx context.Context, old, position string) ([]Note, error)
	// Find returns the hashes of the commits that begin with some digits, at least four.
	Find(ctx context.Context, digits string) ([]string, error)
	// Containing returns the refnames of the branches that have a commit; in a clone also
	// the branches of the repository that it was cloned from.
	Containing(ctx context.Context, revision string) ([]string, error)
}

// A History is a repository that is read for what its commits say of each other. Every
// Repository is one. Its revisions are full hashes, or of Subversion r and a number.
type History interface {
	// Files returns the changed files of commits by their revisions. A merge has none.
	// Walk of git does not list them, because that takes too long.
	Files(ctx context.Context, revisions []string) (map[string]commit.Files, error)
	// Patches returns the identity of each commit's change by the commit's hash:
	// git-patch-id(1), which a rebase preserves as long as the lines around the
	// change are the same. A merge, and a commit that changes nothing, have none, and
	// no commit of hg and svn has one.
	Patches(ctx context.Context, revisions []string) (map[string]string, error)
	// Heads returns the newest commits of the branches by their refnames. That of git and
	// hg contacts no server.
	Heads(ctx context.Context) (map[string]string, error)
	// Scan calls fn with the commits that are reachable from tips and from none of known,
	// parents before their children. Commits that the repository lacks are ignored. What hg
	// and svn record of merges beside the message is in lines at its end:
	// "(grafted from HASH)", "(merged from r123)", "(reverse-merged r123)".
	Scan(ctx context.Context, tips, known []string, fn func(Record) error) error
	// Commits returns commits by their revisions. Those that the repository lacks are missing.
	Commits(ctx context.Context, revisions []string) (map[string]*commit.Commit, error)
}

// An SvnRepository is a repository of Subversion.
type SvnRepository interface {
	Repository
	// Branches returns the branches, which positions do not list: those that the usual
	// layout shows below the URL, if it has that.
	Branches(ctx context.Context) ([]string, error)
	// ID is the UUID of the repository, after a call of Update.
	ID() string
	// Sparse reports whether revisions are missing because vext may not read them,
	// after a call of Walk.
	Sparse() bool
}

// Open returns the repository at url, with its copy at dir; or, if url is zero, the
// repository at dir. It reads nothing.
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

// OpenTracking returns the repository that a clone of git at dir has fetched from: branch
// returns the name of its branch that a ref of the clone follows. Nothing is fetched.
func OpenTracking(dir string, branch func(ref string) (name string, ok bool)) Repository {
	return &gitRepository{dir: dir, branch: branch}
}

// ErrUnknownKind says that no version control system can read the repository.
var ErrUnknownKind = errors.New("neither git nor hg nor svn can read it")

// Detect returns the kind of the repository at a URL or path. It tries the programs if
// the URL does not show the kind.
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

// Reach returns an error if the repository at a URL or path cannot be read. It changes
// nothing.
func Reach(ctx context.Context, kind Kind, at weburl.URL) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
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

// kindOfPath returns the kind of the repository in a directory, or "".
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

// Probe reads from a repository, and returns its kind. It detects an empty kind, and
// returns "" if it can't.
func Probe(ctx context.Context, kind Kind, url weburl.URL) (Kind, error) {
	if kind == "" {
		var err error
		if kind, err = Detect(ctx, url); err != nil {
			return "", err
		}
	}
	return kind, Reach(ctx, kind, url)
}

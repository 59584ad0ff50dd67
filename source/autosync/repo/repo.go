// Package repo is a work tree under version control, as autosync uses it: what has changed,
// commit it, take in what others have pushed, push.
package repo

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"time"
)

// A Repository is a work tree. One goroutine at a time calls its methods. Ignored and the
// methods without a context are exceptions: any goroutine may call them at any time, as
// that of a watcher does. All paths are relative to the root, with slashes, as the version
// control has them.
//
// Errors are a *BusyError, *StoppedError, *OfflineError or *HookError where one of these
// says more than that it failed.
type Repository interface {
	// Kind returns the version control: "git", "hg" or "commands".
	Kind() string
	// Root returns the absolute path of the work tree.
	Root() string
	// Dir returns a directory for files of vext, which the version control never tracks.
	Dir() string
	// Internal returns the directories, absolute, whose files say what state the
	// repository is in (HEAD, refs, locks). Their subdirectories do not count.
	Internal() []string
	// Identity returns what is the same in all clones of a repository and in no other.
	Identity(ctx context.Context) (string, error)
	// RemoteURL returns the URL that is pushed to, without a password, and the branch.
	RemoteURL(ctx context.Context) (url, branch string, err error)
	// Head returns the last commit, "" before the first.
	Head(ctx context.Context) (string, error)

	// Ready returns nil when a commit may be made now, else a *BusyError. It first repairs
	// what a process of vext that was killed has left.
	Ready(ctx context.Context) error
	// Changes returns what differs from the last commit and is not ignored, sorted by
	// path; only these paths, and what is below them, when there are any.
	Changes(ctx context.Context, paths ...string) ([]Change, error)
	// Ignored returns those of these paths that are ignored: a directory with all that is
	// in it, and a file by its name, although it may be tracked.
	Ignored(ctx context.Context, paths []string) (map[string]bool, error)
	// Commit makes one commit of these changes and of nothing else. What a person has
	// staged stays staged. It returns nil when there is nothing to commit, and a Commit
	// without a Hash when everything was refused.
	Commit(ctx context.Context, changes []Change, message Message) (*Commit, error)

	// Unpushed returns the number of commits that the remote lacks, as far as that is
	// known without asking it.
	Unpushed(ctx context.Context) (int, error)
	// Pull fetches and integrates.
	Pull(ctx context.Context, o PullOptions) (*Pulled, error)
	// Push pushes, never with force. ErrBehind says that Pull must come first. It returns
	// nil when there is nothing to push.
	Push(ctx context.Context) (*Pushed, error)
}

// A Message returns the message of a commit that has these changes.
type Message func(ctx context.Context, stats []Stat) (string, error)

// Options are how a work tree is opened.
type Options struct {
	Path     string
	Remote   string       // its name; "" for that of the branch, or origin
	Branch   string       // at the remote; "" for the one that is checked out
	Merge    bool         // integrate by a merge, not by a rebase of automatic commits
	Conflict string       // a policy: Copy, Ours, Theirs, Stop; "" for Copy
	Host     string       // in the names of conflict copies
	Commands Commands     // of another version control
	Chatter  io.Writer    // gets what the version control prints for a person; nil for none
	Log      *slog.Logger // nil for none
	Now      func() time.Time
}

// Policies for a file that both sides have changed, so that the changes cannot be merged.
const (
	Copy   = "copy"   // theirs stays in place, ours is kept beside it
	Ours   = "ours"   // ours stays in place, theirs is kept in the history
	Theirs = "theirs" // theirs stays in place, ours is kept in the history
	Stop   = "stop"   // nothing is integrated until a person does it
)

// A ChangeKind is how a path differs from the last commit.
type ChangeKind string

// Kinds of changes.
const (
	Added    ChangeKind = "added"
	Modified ChangeKind = "modified" // its content, its mode, or its type
	Deleted  ChangeKind = "deleted"
	Nested   ChangeKind = "nested" // a repository in the work tree, which is left alone
)

// A Change is a path that differs from the last commit.
type Change struct {
	Path   string
	Kind   ChangeKind
	Info   fs.FileInfo // by lstat(2); nil if there is no such file
	Staged bool        // a person has staged a change of it
	Refuse string      // why it cannot be committed, such as "permission denied"; "" for none
}

// A Stat is what a commit changes in one file.
type Stat struct {
	Path           string
	From           string // its path before, if it was renamed
	Kind           ChangeKind
	Added, Deleted int // lines
	Binary         bool
}

// A Commit is one that Commit has made.
type Commit struct {
	Hash    string
	Message string
	Stats   []Stat
	Refused []Change // with Refuse: what could not be committed
	// Unfinished says that Ready must be called once more, until it returns nil: another
	// process had a lock.
	Unfinished bool
}

// PullOptions say where a pull fetches from.
type PullOptions struct {
	// Want is the commit that a peer has pushed, and URLs are where else it may be
	// fetched: these are tried first. Neither is trusted: what is fetched must be Want.
	Want string
	URLs []string
	// Fetched says that the clone has what is at the remote: something else has fetched.
	Fetched bool
}

// A Pulled is what a pull has brought.
type Pulled struct {
	Before, After string // the last commit
	Upstream      string // the commit of the remote branch, "" when it does not exist yet
	Direct        bool   // it came from one of the URLs of a peer
	Rebased       int    // commits of ours that have been made again
	Commits       []Incoming
	Conflicts     []Conflict
}

// An Incoming is a commit that a pull has brought.
type Incoming struct{ Hash, Author, Subject string }

// A Conflict is a file whose changes on both sides could not be merged.
type Conflict struct {
	Path string
	Copy string // where ours is kept; "" where nothing had to be
	Text string // what has happened, for a person
}

// A Pushed is what a push has changed.
type Pushed struct{ Old, New string } // the commit of the remote branch; Old is "" for a new one

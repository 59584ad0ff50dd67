// Package backport finds out what has become of a commit on the branches that it is to be
// merged to: whether it is merged there, was reverted or fixed since, and whether it applies.
//
// It answers from a repository on this machine, which it does not change.
package backport

import (
	"context"
	"time"

	"vext/internal/commit"
	"vext/internal/vcs"
	"vext/internal/weburl"
)

// A State is what is known of a commit on one target branch. It is JSON as it is.
type State string

// The states.
const (
	Merged         State = "merged"
	ProbablyMerged State = "probably-merged" // by author, date and subject, and a similar change
	Clean          State = "clean"           // not merged; it applies
	Conflict       State = "conflict"        // not merged; it does not apply
	NothingToDo    State = "nothing-to-do"   // not merged; it would change nothing
	NotWanted      State = "not-wanted"      // a person said so
	Unknown        State = "unknown"         // nobody has looked, see Target.Why
)

// A Target is a branch that a commit is to be merged to, and its state there.
type Target struct {
	Branch string    `json:"branch"` // without refs/heads/
	State  State     `json:"state"`
	By     string    `json:"by,omitempty"`     // the commit on the branch that has merged it
	Who    string    `json:"who,omitempty"`    // the committer of By
	Since  time.Time `json:"since,omitzero"`   // when By was committed, or a person said it
	Files  []string  `json:"files"`            // that conflict; never nil
	Needs  []string  `json:"needs"`            // of Conflict: it applies after these, in this order; never nil
	Why    string    `json:"reason,omitempty"` // of Unknown, and of what a person said
}

// A Revert is a commit that has reverted another on the development branch.
type Revert struct {
	By    string    `json:"by"`
	Who   string    `json:"who,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// A Fix is a later commit that says that it fixes another, or goes with it.
type Fix struct {
	Revision string   `json:"revision"`
	Subject  string   `json:"subject,omitempty"`
	Who      string   `json:"who,omitempty"` // its committer
	Fixes    string   `json:"fixes"`         // the commit that it names: the one asked about, or another fix
	Targets  []Target `json:"targets"`
}

// A Report is what has become of one commit.
type Report struct {
	Revision string            `json:"-"`
	Targets  []Target          `json:"targets"` // in the order of the question; never nil
	Reverted *Revert           `json:"reverted,omitempty"`
	Fixes    []Fix             `json:"fixes"`             // in the order of the branch, oldest first; never nil
	Command  map[string]string `json:"command,omitempty"` // by branch, where there is something to merge
}

// A Question is a commit, and the branches that it is to be merged to.
type Question struct {
	Revision string   // a full hash, or r and a number
	Targets  []string // without refs/heads/
	Marks    []Mark
}

// A Mark is what a person has said, against what the repository says.
type Mark struct {
	Kind     MarkKind
	Revision string    // the commit that it is about; "" for that of the question
	Target   string    // the branch; "" for all
	Other    string    // of MarkNotAFix: the commit that is no fix of Revision
	Who      string    // who said it
	Since    time.Time // when
}

// A MarkKind is what a Mark says.
type MarkKind string

// The kinds of marks.
const (
	MarkDone      MarkKind = "done"       // it is merged, whatever the branch says
	MarkNotWanted MarkKind = "not-wanted" // it is not to be merged
	MarkNotAFix   MarkKind = "not-a-fix-of"
)

// A Looker answers questions about one repository.
type Looker interface {
	// Update reads what is new in the repository, by one scan for all branches.
	Update(ctx context.Context) error
	// Branches returns the branches of the repository, without refs/heads/.
	Branches() []string
	// Find returns the commit that a revision means, which may be abbreviated: nil if the
	// repository has none, or several.
	Find(ctx context.Context, revision string) (*commit.Commit, error)
	// Look answers questions, in their order, from what the last Update read. With apply,
	// it also finds out whether what is not merged applies. A commit that the repository
	// does not have gets the state Unknown on each target. ctx bounds the time; what could
	// not be looked at before its end is Unknown, too.
	Look(ctx context.Context, questions []Question, apply bool) ([]Report, error)
	// Asking returns the commits of the development branches that ask for a reminder and
	// are in none of the targets themselves, oldest first, with their messages. Whether
	// they were merged, Look says.
	Asking(ctx context.Context, targets []string) ([]*commit.Commit, error)
	// Dangling returns the fixes of commits that are merged to a target, as long as the
	// fixes are not, and do not ask themselves.
	Dangling(ctx context.Context, target string) ([]Fix, error)
}

// Tagged is a Looker of a repository that may have tags.
type Tagged interface {
	// Tags returns the tags that contain a commit. hasTags is false for a repository
	// without any tag, as the copy of a followed one is.
	Tags(ctx context.Context, hash string) (containing []string, hasTags bool, err error)
}

// Options are what a Looker is opened with.
type Options struct {
	Kind vcs.Kind
	Dir  string     // of the repository: of git its git directory
	URL  weburl.URL // of which Dir is a copy without blobs; zero when it is complete
	// Tracks returns the name of the branch that a ref of a clone stands for, such as that
	// of refs/remotes/origin/main; nil for the branches of Dir itself.
	Tracks func(ref string) (branch string, ok bool)
	// Cache is the file in which the scan is kept, with one beside it, .patches behind its
	// name, for patch IDs. Both can be removed at any time.
	Cache string
	// IsDevelopment chooses the branches from which commits are merged, by their refnames.
	IsDevelopment func(refname string) bool
	Rules         Rules // the zero value is Default
	// Asks reports whether a message asks for a reminder. AsksID changes with what it
	// recognises: a cache with another one is made anew.
	Asks   func(message []byte) bool
	AsksID string
}

// Rules are how the lines of a project's commit messages begin that name other commits, in
// any case: "Fixes" is the beginning of "Fixes: 0123456789ab" and of "fixes commit 0123456".
// What must stand behind the commit may follow after %s: "commit %s upstream".
type Rules struct {
	Picked  []string // which commit this one has merged
	Reverts []string // which it reverts
	Fixes   []string // which it fixes
	With    []string // with which it is to be merged
}

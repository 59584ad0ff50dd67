package repo

import (
	"context"
	"strings"
	"time"
)

// A Lister is a Repository that lists files of the last commit.
type Lister interface {
	// Copies returns the tracked files that are copies of conflicts, by their names.
	Copies(ctx context.Context) ([]string, error)
	// Sizes returns the sizes of those of these files that are in the last commit.
	Sizes(ctx context.Context, paths []string) (map[string]int64, error)
}

// A Describer is a Repository that says what a commit is.
type Describer interface {
	// Describe returns the first line of the message of a commit, and when it was made.
	Describe(ctx context.Context, commit string) (subject string, made time.Time, err error)
}

// A Tidier is a Repository that needs to be tidied from time to time.
type Tidier interface {
	// Tidy packs what has gathered, if it is much. It may be called while other methods
	// run, and takes as long as it takes.
	Tidy(ctx context.Context) error
}

// isCopy reports whether a name is one that ConflictName returns.
func isCopy(name string) bool {
	_, mark, ok := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], " (conflict ")
	return ok && strings.Contains(mark, ")")
}

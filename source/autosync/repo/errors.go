package repo

import "errors"

// ErrBehind says that the remote has commits that must be integrated before a push.
var ErrBehind = errors.New("the remote has commits that are not here yet")

// ErrChanged says that a file has changed while a pull wanted to write it. Its change must
// be committed first; nothing was integrated.
var ErrChanged = errors.New("a file has changed meanwhile")

// A BusyError says that nothing may be committed or integrated for now: a person is in the
// middle of a merge, or another process has a lock. Waiting ends it.
type BusyError struct{ Reason string } // "a rebase is in progress"

func (e *BusyError) Error() string { return e.Reason }

// A StoppedError says that a person must decide: the remote branch was forced, it was
// deleted, it has another history, or the work tree is gone. Nothing was touched.
type StoppedError struct{ Reason string }

func (e *StoppedError) Error() string { return e.Reason }

// An OfflineError says that the remote could not be reached, or wants a login that is not
// stored. It is retried with backoff.
type OfflineError struct{ Err error }

func (e *OfflineError) Error() string { return e.Err.Error() }
func (e *OfflineError) Unwrap() error { return e.Err }

// A HookError says that a hook of the repository, or the program that signs, has failed. It
// is retried with backoff.
type HookError struct {
	Hook string // "pre-commit"
	Err  error  // with what it has printed
}

func (e *HookError) Error() string { return e.Hook + ": " + e.Err.Error() }
func (e *HookError) Unwrap() error { return e.Err }

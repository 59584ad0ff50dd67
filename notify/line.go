package notify

import (
	"context"
	"time"
)

// A Line is text for one channel or person on IRC, on its way out.
type Line struct {
	Target  string // a URL as target.Parse takes it
	Text    string // several lines are told one after another; none only joins
	Project string // under which it is counted when a backlog is told in one line; may be empty
	Commits int    // how many commits it tells of, for that count; 0 for what is no commit
	Key     string // under which its outcome is asked for; empty when nobody will ask

	Since    time.Time // when it came, where that was before it is put; zero for now
	Reminder bool      // told by itself however long it has waited, never summed up
}

// An Outcome is what became of a line that has a key.
type Outcome struct {
	Accepted time.Time // when it came into the outbox
	Told     time.Time // when the server confirmed it; zero when it has not
	Refused  string    // why it will never be told; "" when it may
	Trouble  string    // why it has not been told yet; "" when nothing is known
}

// An Outlet takes lines for IRC. What it has taken survives a crash and is told
// when the network can be had, in order for each target. It is safe for use by
// many goroutines.
type Outlet interface {
	// Put returns nil when all lines are on disk. A line whose key is known is
	// passed over: it has been taken already. An error is about the machine, or
	// a target that is no target; then none was taken.
	Put(ctx context.Context, lines ...Line) error
	// Outcomes returns what became of the lines with these keys; one that is
	// not known is not in the map.
	Outcomes(ctx context.Context, keys ...string) (map[string]Outcome, error)
	// Waiting returns the keys of all lines that have been neither told nor
	// refused.
	Waiting(ctx context.Context) ([]string, error)
	// Withdraw takes lines back that have not been told, and forgets them. It
	// returns those that it could take back: one that is on the wire, or told,
	// it could not.
	Withdraw(ctx context.Context, keys ...string) ([]string, error)
	// Forget forgets the keys of lines of which nobody will ask any more. One
	// that was not told yet will be all the same.
	Forget(ctx context.Context, keys ...string) error
}

// Unreachable is the Outlet that there is when there ought to be one: every
// call fails.
type Unreachable struct{ Err error }

// Put implements Outlet.
func (u Unreachable) Put(context.Context, ...Line) error { return u.Err }

// Outcomes implements Outlet.
func (u Unreachable) Outcomes(context.Context, ...string) (map[string]Outcome, error) {
	return nil, u.Err
}

// Waiting implements Outlet.
func (u Unreachable) Waiting(context.Context) ([]string, error) { return nil, u.Err }

// Withdraw implements Outlet.
func (u Unreachable) Withdraw(context.Context, ...string) ([]string, error) { return nil, u.Err }

// Forget implements Outlet.
func (u Unreachable) Forget(context.Context, ...string) error { return u.Err }

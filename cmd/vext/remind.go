package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/internal/hint"
	"vext/internal/history"
	"vext/queue"
	"vext/server"
	"vext/server/control"
)

func newRemind(a *app) *cobra.Command {
	var dir, repository string
	var to []string
	c := &cobra.Command{
		Use:   "remind HASH PERIOD",
		Short: "Ask for a reminder of a commit that did not ask itself",
		Long: `Asks for a reminder of a commit, as "MFC after: PERIOD" in its message would have.
The reminder goes to the committer, and says who asked.

HASH is the first digits, at least four, of a commit of git. It is looked for in the
repositories that vext follows, in those with a hook of vext, and in the clones
that the configuration names; then in the current directory. -C names the clone.
The commit must be on a branch.

The period counts from today. A reminder that is pending for the commit gets the
new day; after one that was sent or cancelled there is another.`,
		Example: `  vext remind 0123456789ab 2 weeks
  vext remind 0123456789ab 2026-12-24 --to stable/15
  vext remind -C ~/src/freebsd 0123456789ab 1 month --to stable/15,stable/14`,
		Args: takes(2, 0, "the hash of a commit and a period"),
		RunE: a.orControl(toChange, func(cmd *cobra.Command, args []string) error {
			if a.caller != nil && dir != "" {
				return usageError{errors.New("-C can't be used through the control socket: vext serve reads only the repositories that it follows")}
			}
			r := &server.Reminding{Digits: strings.ToLower(args[0]), To: to, Repository: repository, Dir: dir}
			asker(a, r)
			return a.locked(cmd.Context(), func(s *server.Server, q *queue.Queue) error {
				words := strings.Join(args[1:], " ")
				var err error
				if r.Period, err = periodOf(words, q); err != nil {
					return usageError{fmt.Errorf("%q: %w", words, err)}
				}
				done, err := s.Remind(cmd.Context(), q, r)
				if err != nil {
					return err
				}
				return reminded(a, q, done)
			})
		}),
	}
	c.Flags().StringVarP(&dir, "directory", "C", "", "look in the clone in which `DIR` is")
	c.Flags().StringVar(&repository, "repository", "", "look only in the repository of this `NAME`; with -C, its name")
	c.Flags().StringSliceVar(&to, "to", nil, "the `BRANCH` to merge to, or several with commas")
	return c
}

// asker sets who asks, and of which commits this user may ask for reminders: a user of the
// control socket of those that go to the user's own addresses.
func asker(a *app, r *server.Reminding) {
	if a.caller == nil {
		r.By = commit.Person{Name: a.user}
		r.Counts = func(*commit.Commit) bool { return true }
		r.Here, _ = os.Getwd()
		return
	}
	r.By = commit.Person{Name: a.caller.Login, Email: a.caller.Addresses[0]}
	policy := server.Policy(a.serving.Config)
	r.Counts = func(c *commit.Commit) bool {
		return control.Contains(a.caller.Addresses, policy.Recipient(c).Email)
	}
}

// periodOf returns a period, or a day such as "monday", as a trailer has it.
func periodOf(words string, q *queue.Queue) (string, error) {
	period, err := commit.ParseDelay(words, q.Today())
	switch {
	case errors.Is(err, commit.ErrNoPeriod):
		return "", errors.New("to get no reminder at all, use vext cancel")
	case err != nil:
		return "", err
	}
	if _, err := commit.ParsePeriod(words); err == nil {
		return words, nil
	}
	day, err := period.Due(q.Today())
	return day.ISO(), err
}

// reminded prints what has become of a request.
func reminded(a *app, q *queue.Queue, done *server.Reminded) error {
	e := &done.Event
	switch e.Kind {
	case history.Queued:
	case history.Failed:
		reason, advice, _ := strings.Cut(queue.WithID(e.Reason, "vext", queue.ID(e)), "\n")
		return hint.Wrap(fmt.Errorf("quarantined: %s", reason), strings.ReplaceAll(advice, "\n", "; "))
	default:
		return fmt.Errorf("no reminder: %s", e.Reason)
	}
	fmt.Fprintf(a.stdout, "due %s, to %s: %s\n", dayWords(done.Day, q.Today()), printable(e.Address),
		printable(strings.TrimSpace(done.Commit.Short()+" "+done.Commit.Subject)))
	if old := done.Replaced; old != nil {
		fmt.Fprintf(a.stdout, "it replaces the reminder that was due %s\n", dayWords(*old, q.Today()))
	}
	return nil
}

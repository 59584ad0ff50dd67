package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/commit"
	"vext/internal/hint"
	"vext/internal/history"
	"vext/queue"
	"vext/server"
)

type markOptions struct {
	repository, on string
	undo           bool
}

func newMark(a *app) *cobra.Command {
	var opts markOptions
	c := &cobra.Command{
		Use:   "mark HASH done|not-wanted|not-a-fix-of [HASH]",
		Short: "Say what has become of a commit, against what its repository says",
		Long: `Says what has become of a commit, where its repository says something else or nothing:
that it is merged ("done"), that it is not to be merged ("not-wanted"), or that it is
no fix of another commit, although it says so ("not-a-fix-of"). There need not be a
reminder of the commit.

Without --on it is meant for every branch. What the branch itself says counts more
than "done" and "not-wanted".`,
		Example: `  vext mark 0123456789ab done --on stable/15
  vext mark 0123456789ab not-wanted
  vext mark fedcba987654 not-a-fix-of 0123456789ab
  vext mark 0123456789ab not-wanted --undo`,
		Args:              markArgs,
		ValidArgsFunction: completeMark(a),
		RunE: a.orControl(toChange, func(cmd *cobra.Command, args []string) error {
			e, err := markOf(a, cmd.Context(), args, &opts)
			if err != nil {
				return err
			}
			return a.locked(cmd.Context(), func(_ *server.Server, q *queue.Queue) error {
				what := "marked"
				err := q.Mark(e, opts.undo, a.user)
				switch {
				case errors.Is(err, queue.ErrUnchanged) && opts.undo:
					what = "not marked"
				case errors.Is(err, queue.ErrUnchanged):
					what = "already marked"
				case err != nil:
					return err
				case opts.undo:
					what = "no longer marked"
				}
				fmt.Fprintf(a.stdout, "%s %s: %s\n", what, printable(e.MarkWords()), printable(strings.TrimSpace(commit.ShortRevision(e.Revision)+" "+e.Subject)))
				return nil
			})
		}),
	}
	c.Flags().StringVar(&opts.on, "on", "", "the target `BRANCH` that is meant, instead of every one")
	c.Flags().StringVar(&opts.repository, "repository", "", "the `NAME` of the repository, for a commit without a reminder that several have")
	c.Flags().BoolVar(&opts.undo, "undo", false, "take it back")
	completeRepository(a, c)
	return c
}

// markKinds are what can be said of a commit.
var markKinds = []string{history.MarkDone, history.MarkNotWanted, history.MarkNotAFix}

func markArgs(_ *cobra.Command, args []string) error {
	switch {
	case len(args) < 2 || !slices.Contains(markKinds, args[1]):
		return usageError{fmt.Errorf("mark takes a commit and what to say of it: one of %s", strings.Join(markKinds, ", "))}
	case args[1] == history.MarkNotAFix && len(args) != 3:
		return usageError{errors.New("not-a-fix-of takes the commit that it is no fix of")}
	case args[1] != history.MarkNotAFix && len(args) != 2:
		return usageError{fmt.Errorf("mark %s takes one commit", args[1])}
	}
	return nil
}

func completeMark(a *app) cobra.CompletionFunc {
	ids := completeIDs(a, 0, waiting, failed, recentlySent)
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) == 1:
			return completion(slices.Clone(markKinds), typed)
		case len(args) == 0 || len(args) == 2 && args[1] == history.MarkNotAFix:
			return ids(c, args, typed)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// markOf returns the event of a mark: that a commit is no fix of another is said of the
// other.
func markOf(a *app, ctx context.Context, args []string, opts *markOptions) (*history.Event, error) {
	s, q, err := a.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	b := s.Backports(q)
	if args[1] != history.MarkNotAFix {
		e, err := commitFor(a, ctx, q, b, args[0], opts.repository)
		if err == nil {
			e.Mark, e.Target = args[1], commit.BranchName(opts.on)
			err = checkTarget(ctx, b, e)
		}
		return e, err
	}
	if opts.on != "" {
		return nil, usageError{errors.New("a commit is no fix of another on every branch: --on can't be used with it")}
	}
	e, err := commitFor(a, ctx, q, b, args[2], opts.repository)
	if err != nil {
		return nil, err
	}
	other, err := b.Find(ctx, e.Repository, args[0])
	if err != nil {
		return nil, err
	}
	e.Mark, e.Other = args[1], other.Revision
	return e, nil
}

// commitFor returns an event with the commit of an ID: that of a reminder, or, except for a
// user of the control socket, any commit of the repositories.
func commitFor(a *app, ctx context.Context, q *queue.Queue, b *server.Backports, id, repository string) (*history.Event, error) {
	item, successor, err := a.find(q, id)
	switch {
	case errors.Is(err, queue.ErrNotFound) && a.caller == nil:
		c, err := b.Find(ctx, repository, id)
		if err != nil {
			return nil, err
		}
		return &history.Event{
			Repository: c.Repository, Revision: c.Revision, Key: c.Key(), Subject: c.Subject,
			Address: c.Committer.Email, Committer: c.Committer.Name, Source: commit.FromFollow,
		}, nil
	case err != nil:
		return nil, err
	case successor != nil:
		fmt.Fprintln(a.stdout, amended(item, successor))
		item = successor
	}
	if item.Key == "" || item.Place == queue.InQuarantine {
		return nil, fmt.Errorf("%s: its commit is not known for certain", item.Short())
	}
	e := *item.Event
	return &e, nil
}

// checkTarget returns an error for a branch that the repository does not have, as far as it
// can be looked at.
func checkTarget(ctx context.Context, b *server.Backports, e *history.Event) error {
	one, err := b.Open(ctx, e.Repository)
	if e.Target == "" || err != nil || slices.Contains(one.Branches(), e.Target) {
		return nil
	}
	return hint.Wrap(usageError{fmt.Errorf("--on: %s has no branch %s", e.Repository, e.Target)},
		"the branches that commits are merged to: "+strings.Join(one.TargetsOf(&commit.Commit{}), ", "))
}

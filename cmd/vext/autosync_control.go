package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/config"
	"vext/internal/hint"
	"vext/source/autosync/control"
)

// newAutosyncDo returns a command that has the trees do something.
func newAutosyncDo(a *app, what string, c cobra.Command) *cobra.Command {
	c.Use, c.ValidArgsFunction = what+" [PATH...]", completeTrees(a)
	c.RunE = func(cmd *cobra.Command, args []string) error { return autosyncDo(cmd.Context(), a, what, args) }
	return &c
}

func newAutosyncNow(a *app) *cobra.Command {
	return newAutosyncDo(a, control.DoNow, cobra.Command{
		Short: "Commit, pull and push now",
		Long: `Commits what has changed, however much that is, pulls and pushes, and says what came of
it. Without PATH it does so for all trees that are kept in sync.`,
		Example: `  vext autosync now
  vext autosync now ~/notes`,
	})
}

func newAutosyncPause(a *app) *cobra.Command {
	return newAutosyncDo(a, control.DoPause, cobra.Command{
		Short: "Stop commits, pushes and pulls for a while",
		Long: `Stops commits, pushes and pulls of work trees until "vext autosync resume", or until the
process that keeps them in sync is started again. Without PATH it does so for all.`,
		Example: "  vext autosync pause ~/notes",
	})
}

func newAutosyncResume(a *app) *cobra.Command {
	return newAutosyncDo(a, control.DoResume, cobra.Command{
		Short: "Go on after a pause, or after a stop",
		Long: `Ends a pause. A tree that has stopped, because a person had to decide something, is
looked at again. Without PATH it does so for all.`,
		Example: "  vext autosync resume",
	})
}

var errNoAutosync = hint.Wrap(errors.New("no vext autosync of yours runs"),
	"start it: vext autosync, or systemctl --user start vext-autosync; vext autosync PATH needs no configuration")

// reachTrees returns the trees of these paths, all if there are none. Each path must have one.
func reachTrees(ctx context.Context, paths []string) ([]control.Reached, error) {
	all, errs := control.Reach(ctx, paths...)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if len(all) == 0 {
		return nil, errNoAutosync
	}
	if len(paths) == 0 {
		return all, nil
	}
	var chosen []control.Reached
	for _, path := range paths {
		i := control.Index(all, control.Reached.Root, path)
		if i < 0 {
			return nil, hint.Wrap(fmt.Errorf("%s: no vext autosync of yours keeps it in sync", path), "vext autosync status shows what is kept in sync")
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func autosyncDo(ctx context.Context, a *app, what string, paths []string) error {
	trees, err := reachTrees(ctx, paths)
	if err != nil {
		return err
	}
	byClient := map[control.Client][]string{}
	for _, t := range trees {
		byClient[t.Client] = append(byClient[t.Client], t.Tree.Path)
	}
	type result struct {
		outcomes []control.Outcome
		err      error
	}
	results := make(chan result, len(byClient))
	for client, roots := range byClient { // at the same time: each waits for a network
		go func() {
			outcomes, err := client.Do(ctx, what, roots...)
			results <- result{outcomes, err}
		}()
	}
	var errs []error
	var done []control.Outcome
	for range byClient {
		r := <-results
		errs, done = append(errs, r.err), append(done, r.outcomes...)
	}
	slices.SortFunc(done, func(a, b control.Outcome) int { return cmp.Compare(a.Path, b.Path) })
	after, _ := control.Reach(ctx, paths...)
	for _, o := range done {
		if o.Error != "" {
			errs = append(errs, fmt.Errorf("%s: %s", config.TildePath(o.Path), o.Error))
			continue
		}
		fmt.Fprintf(a.stdout, "%s: %s\n", printable(config.TildePath(o.Path)), printable(didWords(what, o.Path, after)))
	}
	return errors.Join(errs...)
}

// didWords says what a tree has done.
func didWords(what, path string, after []control.Reached) string {
	switch what {
	case control.DoPause:
		return "paused"
	case control.DoResume:
		return "resumed"
	}
	words := "in sync"
	i := slices.IndexFunc(after, func(r control.Reached) bool { return r.Tree.Path == path })
	if i < 0 {
		return words
	}
	t := after[i].Tree
	if t.Unpushed > 0 {
		words = calendar.Plural(t.Unpushed, "commit") + " not pushed yet"
	}
	if c := t.LastCommit; c != nil {
		words += ", the last commit is " + shortHash(c.Hash) + " " + c.Subject
	}
	return words
}

func shortHash(hash string) string { return hash[:min(len(hash), 10)] }

// completeTrees completes the paths of trees, else directories.
func completeTrees(a *app) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		var paths []string
		if c, err := autosyncConfig(a); err == nil {
			for _, t := range c.Autosync {
				paths = append(paths, t.Path)
			}
		}
		trees, _ := control.Reach(c.Context())
		for _, t := range trees {
			paths = append(paths, t.Tree.Path)
		}
		paths = slices.DeleteFunc(paths, func(path string) bool { return slices.Contains(args, path) })
		if found, directive := completion(paths, typed); len(found) > 0 {
			return found, directive
		}
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
}

package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/history"
	"vext/queue"
	"vext/server"
	"vext/source/follow"
)

// Completions run at every TAB. On an error, such as a missing state directory,
// they print nothing, and they read the history at most twice.

// maxCompletions bounds the completions that a shell gets.
const maxCompletions = 1000

// completion returns the values that begin with what was typed. A value may have
// a description behind a TAB.
func completion(values []string, typed string) ([]string, cobra.ShellCompDirective) {
	var chosen []string
	seen := map[string]bool{}
	for _, value := range values {
		name, _, _ := strings.Cut(value, "\t")
		if strings.HasPrefix(name, typed) && !seen[name] && len(chosen) < maxCompletions {
			seen[name] = true
			chosen = append(chosen, value)
		}
	}
	return chosen, cobra.ShellCompDirectiveNoFileComp
}

// completeArgs completes at most max arguments, any number if max is 0. An argument
// is offered once.
func completeArgs(max int, values func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if max > 0 && len(args) >= max {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completion(slices.DeleteFunc(values(), func(value string) bool {
			name, _, _ := strings.Cut(value, "\t")
			return slices.Contains(args, name)
		}), typed)
	}
}

// completeIDs completes the IDs of what lists return.
func completeIDs(a *app, max int, lists ...func(*queue.Queue) ([]queue.Item, error)) cobra.CompletionFunc {
	return completeArgs(max, func() (ids []string) {
		_, q, err := a.open()
		if err != nil {
			return nil
		}
		for _, list := range lists {
			items, _ := list(q)
			for i := range items {
				ids = append(ids, cobra.CompletionWithDesc(safeID(&items[i]), printable(items[i].Subject)))
			}
		}
		return ids
	})
}

// completeFollowed completes the names of the followed repositories.
func completeFollowed(a *app, max int) cobra.CompletionFunc {
	return completeArgs(max, func() (names []string) {
		s, err := a.load()
		if err != nil {
			return nil
		}
		for _, r := range server.Repositories(s.Config) {
			names = append(names, cobra.CompletionWithDesc(r.Name, printable(r.Where())))
		}
		return names
	})
}

// safeID returns an ID that is safe to type: a revision of a version control
// system, or the name.
func safeID(item *queue.Item) string {
	id := commit.ShortRevision(item.Revision)
	if !commit.IsHex(strings.TrimPrefix(id, "r")) {
		return item.Name
	}
	return id
}

// completeFlags completes the values of flags that name something which the
// state or the configuration knows, in every command that has them.
func completeFlags(a *app, c *cobra.Command) {
	for name, complete := range map[string]cobra.CompletionFunc{
		"repository": completeNames(a, func(e *history.Event) string { return e.Repository }, repositoryNames),
		"committer":  completeNames(a, func(e *history.Event) string { return commit.Login(e.Address) }, nil),
		"branch":     completeNames(a, func(e *history.Event) string { return e.Branch }, nil),
	} {
		if c.Flags().Lookup(name) != nil {
			c.RegisterFlagCompletionFunc(name, complete)
		}
	}
	for _, sub := range c.Commands() {
		completeFlags(a, sub)
	}
}

// completeNames completes names from the events of the history, and those that
// more returns, unless it is nil.
func completeNames(a *app, of func(*history.Event) string, more func(*queue.Queue, *config.Config) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		s, q, err := a.open()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := map[string]bool{}
		q.History.Scan(func(e *history.Event) {
			if e.Kind != history.OperatorNotified { // to the operator, who is no committer
				names[of(e)] = true
			}
		})
		if more != nil {
			for _, name := range more(q, s.Config) {
				names[name] = true
			}
		}
		odd := func(name string) bool {
			return name == "" || printable(name) != name || strings.ContainsAny(name, " \"'`$\\;&|<>()")
		}
		return completion(slices.DeleteFunc(slices.Sorted(maps.Keys(names)), odd), typed)
	}
}

// repositoryNames returns the names of the repositories that are configured, or
// have a hook.
func repositoryNames(q *queue.Queue, c *config.Config) []string {
	var names []string
	for i := range c.Repositories {
		names = append(names, commit.RepositoryName(c.Repositories[i].Name))
	}
	states, _ := follow.Hooked(q.State).All()
	for _, s := range states {
		names = append(names, s.Name)
	}
	return names
}

// completeHooked completes the paths of the repositories that have a hook, else
// directories.
func completeHooked(a *app) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var paths []string
		if s, err := a.load(); err == nil {
			states, _ := s.Hooks(c.Context(), "", "")
			for _, state := range states {
				paths = append(paths, state.Where)
			}
		}
		if paths, directive := completion(paths, typed); len(paths) > 0 {
			return paths, directive
		}
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
}

// strictCompletion makes completion an error for a shell that it does not know.
func strictCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Args, c.RunE = noArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
		for _, shell := range c.Commands() {
			shell.Args = noArgs
		}
	}
}

func waiting(q *queue.Queue) ([]queue.Item, error) { return q.Waiting() }
func failed(q *queue.Queue) ([]queue.Item, error)  { return q.Quarantined() }

// keptDays is for how many days a sent message is kept.
const keptDays = 60

// recentlySent returns the sent reminders that can still be shown or snoozed.
// Reading the messages themselves would take too long for a completion.
func recentlySent(q *queue.Queue) ([]queue.Item, error) {
	items, err := q.Sent()
	i := slices.IndexFunc(items, func(item queue.Item) bool { return q.Today().Sub(calendar.Of(item.Time, q.Zone)) <= keptDays })
	if i < 0 {
		i = len(items)
	}
	return items[i:], err
}

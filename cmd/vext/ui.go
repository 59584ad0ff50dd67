package main

// The rules of what a person sees:
//
//   - Standard output has the answer of a command, standard error the rest.
//   - A run that had nothing to do prints nothing, since cron would mail it.
//   - Errors are `vext: error: ...`, failures that vext retries by itself are
//     `vext: warning: ...`, and advice is `vext: hint: ...`. A message about a
//     repository is `vext: NAME: ...`.
//   - Days have their weekday and distance: Fri 4 Dec, in 2 weeks.
//   - Colour only on a terminal, and never with NO_COLOR (no-color.org).
//   - --json prints for programs what the table prints for people.

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/history"
	"vext/internal/text"
	"vext/queue"
	"vext/server"
	"vext/source/follow"
)

// An output remembers the first error of writing, for the end of run: what a command
// prints needs no check.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (n int, err error) {
	if o.err == nil {
		n, o.err = o.Writer.Write(p)
	}
	return n, o.err
}

// terminal returns the file behind w if that is a terminal.
func terminal(w io.Writer) (*os.File, bool) {
	if o, ok := w.(*output); ok {
		return terminal(o.Writer)
	}
	f, ok := w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// width returns how wide the terminal behind w is, and 0 where there is none.
func width(w io.Writer) int {
	f, ok := terminal(w)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 80
	}
	return columns
}

// A style makes text bold, dim or coloured, or leaves it as it is.
type style struct{ on bool }

func styleFor(w io.Writer) style {
	_, isTerminal := terminal(w)
	return style{isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s style) sgr(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string   { return s.sgr("1", text) }
func (s style) dim(text string) string    { return s.sgr("2", text) }
func (s style) red(text string) string    { return s.sgr("31", text) }
func (s style) green(text string) string  { return s.sgr("32", text) }
func (s style) yellow(text string) string { return s.sgr("33", text) }

// column fits text into a column of n cells: cut with an ellipsis, or filled
// with blanks.
func column(text string, n int) string {
	text = printable(text)
	return runewidth.FillRight(runewidth.Truncate(text, n, "…"), n)
}

// printable replaces control characters, which could move the cursor or change
// colours of a terminal: strangers write subjects.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if text.IsControl(r) {
			return '?'
		}
		return r
	}, s)
}

// confirm asks a question at the terminal; any answer but yes counts as no. Without
// a terminal it does not ask, and the answer is no.
func (a *app) confirm(question string) bool {
	in, isFile := a.stdin.(*os.File)
	if _, isTerminal := terminal(a.stderr); !isFile || !isTerminal || !term.IsTerminal(int(in.Fd())) {
		return false
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", printableLines(question))
	var answer string
	fmt.Fscanln(in, &answer)
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes"
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// progress shows the progress of long work on a terminal. It returns nil without a
// terminal.
func (a *app) progress(what string) queue.Progress {
	w, ok := terminal(a.stderr)
	if !ok {
		return nil
	}
	begun := time.Now()
	return func(done, total int) {
		switch {
		case time.Since(begun) < time.Second:
		case done == total:
			fmt.Fprint(w, "\r\x1b[K")
		case total > 0:
			fmt.Fprintf(w, "\r%s: %d of %d \x1b[K\r", what, done, total)
		default:
			fmt.Fprintf(w, "\r%s: %d \x1b[K\r", what, done)
		}
	}
}

// Completions run at every TAB. On an error, such as a missing state directory,
// they print nothing, and they read the history at most twice.

// maxCompletions bounds the completions that a shell gets.
const maxCompletions = 1000

// completion returns the values that begin with what was typed, each once. A value may
// have a description behind a TAB.
func completion(values []string, typed string) ([]string, cobra.ShellCompDirective) {
	seen := map[string]bool{}
	values = slices.DeleteFunc(values, func(value string) bool {
		name, _, _ := strings.Cut(value, "\t")
		known := seen[name]
		seen[name] = true
		return known || !strings.HasPrefix(name, typed)
	})
	return values[:min(len(values), maxCompletions)], cobra.ShellCompDirectiveNoFileComp
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

func completeRepository(a *app, c *cobra.Command) {
	completeNames(a, c, "repository", func(e *history.Event) string { return e.Repository }, repositoryNames)
}

// completeNames completes a flag by names from the events of the history, and by those
// that more returns.
func completeNames(
	a *app, c *cobra.Command, flag string, of func(*history.Event) string, more func(*queue.Queue, *config.Config) []string,
) {
	c.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
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
		for _, name := range more(q, s.Config) {
			names[name] = true
		}
		odd := func(name string) bool {
			return name == "" || printable(name) != name || strings.ContainsAny(name, " \"'`$\\;&|<>()")
		}
		return completion(slices.DeleteFunc(slices.Sorted(maps.Keys(names)), odd), typed)
	})
}

func noMore(*queue.Queue, *config.Config) []string { return nil }

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

func waiting(q *queue.Queue) ([]queue.Item, error) { return q.Waiting() }
func failed(q *queue.Queue) ([]queue.Item, error)  { return q.Quarantined() }

// recentlySent returns the newest of the reminders that were sent. Whether their messages
// are kept is not looked at: that would take too long.
func recentlySent(q *queue.Queue) ([]queue.Item, error) {
	items, err := q.Sent()
	return items[max(0, len(items)-maxCompletions):], err
}

// stateWords returns the state of a target in few words.
func stateWords(t *backport.Target) string {
	if t.State == backport.Unknown && t.Why == "" { // nobody has tried whether it applies
		return "not merged"
	}
	return strings.TrimSpace(cmp.Or(stateWord[t.State], string(t.State)) + " " + commit.ShortRevision(t.By))
}

// stateColour returns the colour for a state in words.
func stateColour(s style, words string) func(string) string {
	switch {
	case strings.HasPrefix(words, "merged"):
		return s.dim
	case words == stateWord[backport.Clean]:
		return s.green
	case words == stateWord[backport.Conflict]:
		return s.red
	}
	return func(text string) string { return text }
}

// details returns what else there is to say about targets, once for those of which it is
// the same.
func details(targets []backport.Target) []string {
	var all []string
	branches := map[string][]string{}
	for i := range targets {
		text := targetDetail(&targets[i])
		if text == "" {
			continue
		}
		if len(branches[text]) == 0 {
			all = append(all, text)
		}
		branches[text] = append(branches[text], targets[i].Branch)
	}
	for i, text := range all {
		all[i] = strings.Join(branches[text], ", ") + ": " + text
	}
	return all
}

// maxDetails bounds the files and commits that a detail names.
const maxDetails = 5

// targetDetail returns what else there is to say about a target.
func targetDetail(t *backport.Target) string {
	var parts []string
	if len(t.Files) > 0 {
		parts = append(parts, "conflicts in "+someOf(t.Files))
	}
	if len(t.Needs) > 0 {
		short := make([]string, len(t.Needs))
		for i, need := range t.Needs {
			short[i] = commit.ShortRevision(need)
		}
		parts = append(parts, "applies after "+someOf(short))
	}
	if t.Why != "" {
		parts = append(parts, t.Why)
	}
	return strings.Join(parts, "; ")
}

// someOf returns the first of some names, with the number of the others.
func someOf(names []string) string {
	text := strings.Join(names[:min(len(names), maxDetails)], ", ")
	if more := len(names) - maxDetails; more > 0 {
		text += " and " + calendar.Plural(more, "other")
	}
	return text
}

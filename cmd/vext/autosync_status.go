package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/config"
	"vext/source/autosync"
	"vext/source/autosync/control"
	"vext/source/autosync/peers"
)

// A shownTree is a tree in the output of vext autosync status.
type shownTree struct {
	autosync.Status
	Running bool      `json:"running"`
	PID     int       `json:"pid,omitempty"`
	Started time.Time `json:"started,omitzero"`
}

func (t shownTree) root() string { return t.Path }

func newAutosyncStatus(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status [PATH...]",
		Short: "Show the work trees that are kept in sync",
		Long: `Shows for each work tree its state and why, what waits to be committed and pushed, the
last commit, push and pull, the other machines that were seen, the conflict copies that
nobody has looked at, what can't be committed, and how the tree is watched. A conflict
copy counts as looked at when it is removed or renamed.

The exit status is 1 when a tree is stopped, or when no process keeps it in sync.`,
		Example: `  vext autosync status
  vext autosync status --json ~/notes | jq -r '.trees[].state'`,
		ValidArgsFunction: completeTrees(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			trees, err := shownTrees(cmd.Context(), a, args)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(a.stdout, struct {
					Trees []shownTree `json:"trees"`
				}{trees})
			} else {
				printTrees(a.stdout, styleFor(a.stdout), trees, time.Now(), time.Local)
			}
			if err == nil && slices.ContainsFunc(trees, func(t shownTree) bool { return !t.Running || t.State == autosync.Stopped }) {
				return exitCode(exitError)
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// shownTrees returns those of running processes, and of the configuration; or those of paths.
func shownTrees(ctx context.Context, a *app, paths []string) ([]shownTree, error) {
	running, errs := control.Reach(ctx, paths...)
	trees := []shownTree{}
	for _, r := range running {
		trees = append(trees, shownTree{*r.Tree, true, r.Process.PID, r.Process.Started})
	}
	missing := func(path string) {
		if control.Index(trees, shownTree.root, path) < 0 {
			trees = append(trees, shownTree{Status: autosync.NewStatus(path, control.NotRunning, "")})
		}
	}
	c, err := autosyncConfig(a)
	if err != nil && len(running) == 0 {
		return nil, err
	}
	if err == nil {
		for _, t := range c.Autosync {
			missing(t.Path)
		}
	}
	if len(paths) > 0 {
		var chosen []shownTree
		for _, path := range paths {
			path, err := filepath.Abs(path)
			if err != nil {
				return nil, err
			}
			missing(path)
			chosen = append(chosen, trees[control.Index(trees, shownTree.root, path)])
		}
		trees = chosen
	}
	if len(errs) > 0 {
		return trees, errors.Join(errs...)
	}
	if len(trees) == 0 {
		return nil, errNoAutosync
	}
	return trees, nil
}

func printTrees(w io.Writer, s style, trees []shownTree, now time.Time, zone *time.Location) {
	for i := range trees {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printTree(w, s, &trees[i], now, zone)
	}
}

// maxShown bounds the files of a kind that are shown of each tree.
const maxShown = 5

func printTree(w io.Writer, s style, t *shownTree, now time.Time, zone *time.Location) {
	colour := s.yellow
	switch t.State {
	case autosync.Watching:
		colour = s.green
	case autosync.Stopped, autosync.Failing, control.NotRunning:
		colour = s.red
	}
	line := s.bold(printable(config.TildePath(t.Path))) + "  " + colour(string(t.State))
	reason, advice := reasonWords(&t.Status)
	if reason != "" {
		line += ": " + printable(reason)
	}
	fmt.Fprintln(w, line)
	row := func(name, text string) {
		for i, one := range strings.Split(text, "\n") {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(w, "  %s  %s\n", s.dim(runewidth.FillRight(name, 13)), printable(one))
		}
	}
	if !t.Running {
		row("start it", "vext autosync, or systemctl --user start vext-autosync")
		return
	}
	if len(advice) > 0 {
		row("what to do", strings.Join(advice, "\n"))
	}
	if !t.NextRetry.IsZero() {
		row("next attempt", "at "+t.NextRetry.In(zone).Format(time.TimeOnly))
	}
	if t.Remote != "" {
		row("remote", strings.TrimSuffix(t.Remote+", branch "+t.Branch, ", branch "))
	}
	row("waiting", waitingWords(&t.Status))
	if c := t.LastCommit; c != nil {
		row("last commit", sinceWords(c.Time, now, zone)+", "+shortHash(c.Hash)+" "+c.Subject)
	} else {
		row("last commit", noneYet)
	}
	row("last push", lastWords(t.LastPush, now, zone))
	row("last pull", lastWords(t.LastPull, now, zone))
	if len(t.Links) > 0 {
		row("peers", strings.Join(peerWords(t.Links, now, zone), "\n"))
	}
	if len(t.Conflicts) > 0 {
		row("conflicts", some(t.Conflicts))
	}
	if refused := slices.Concat(t.TooLarge, t.Refused); len(refused) > 0 {
		row("not committed", some(refusedWords(refused)))
	}
	if len(t.Staged) > 0 {
		row("staged", some(t.Staged)+" (by you: commit it, or unstage it)")
	}
	row("watched", watchWords(t, now, zone))
	for _, text := range t.Errors {
		if text != t.Reason {
			row("error", text)
		}
	}
}

// noneYet says that a process has done something not once: what another one did before, it
// does not know.
const noneYet = "none since it was started"

func lastWords(t, now time.Time, zone *time.Location) string {
	if t.IsZero() {
		return noneYet
	}
	return sinceWords(t, now, zone)
}

// reasonWords returns why a tree is in its state, and what its user can do, a line each: the
// sentences of the reason after the first one.
func reasonWords(t *autosync.Status) (reason string, advice []string) {
	reason, rest, isMore := strings.Cut(t.Reason, ". ")
	if isMore {
		advice = strings.Split(rest, ". ")
	}
	switch path := config.TildePath(t.Path); {
	case t.State == autosync.Stopped && !strings.Contains(t.Reason, "vext autosync now"):
		advice = append(advice, "afterwards: vext autosync resume "+path)
	case t.State == autosync.Paused:
		advice = append(advice, "to go on: vext autosync resume "+path)
	}
	return reason, advice
}

// some lists the first of some names, one a line.
func some(names []string) string {
	shown := slices.Clone(names[:min(len(names), maxShown)])
	if more := len(names) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	for i := range shown {
		shown[i] = strings.ReplaceAll(shown[i], "\n", "?")
	}
	return strings.Join(shown, "\n")
}

func waitingWords(t *autosync.Status) string {
	var words []string
	if n := t.Waiting.Number; n > 0 {
		shown := t.Waiting.Files[:min(len(t.Waiting.Files), maxShown)]
		text := calendar.Verb(n, "file has", "files have") + " changed: " + strings.ReplaceAll(strings.Join(shown, ", "), "\n", "?")
		if n > len(shown) {
			text += ", ..."
		}
		words = append(words, text)
	}
	if t.Unpushed > 0 {
		words = append(words, calendar.Plural(t.Unpushed, "commit")+" to push")
	}
	return cmp.Or(strings.Join(words, "\n"), "nothing")
}

func refusedWords(files []autosync.RefusedFile) []string {
	var words []string
	for _, f := range files {
		words = append(words, f.Path+": "+f.Reason)
	}
	return words
}

func watchWords(t *shownTree, now time.Time, zone *time.Location) string {
	words := cmp.Or(t.Watch.Mode, "not yet")
	if n := t.Watch.Directories; n > 0 {
		words += ", " + calendar.Verb(n, "directory", "directories")
	}
	if t.Watch.Reason != "" {
		words += ": " + t.Watch.Reason
	}
	return words + fmt.Sprintf("; by process %d, since %s", t.PID, calendar.Ago(t.Started, now, zone))
}

// peerWords returns a line for each link, and for each machine that was seen on it.
func peerWords(links []peers.Status, now time.Time, zone *time.Location) []string {
	var lines []string
	for _, l := range links {
		line := l.Link + ": connected"
		if !l.Connected {
			line = l.Link + ": " + cmp.Or(l.Error, "not connected")
		}
		lines = append(lines, strings.ReplaceAll(line, "\n", "; "))
		for _, p := range l.Peers {
			line := "  " + p.Name + ", seen " + sinceWords(p.Seen, now, zone)
			if p.Online {
				line = "  " + p.Name + ", online"
			}
			if !p.LastPush.IsZero() {
				line += ", last push " + sinceWords(p.LastPush, now, zone)
			}
			lines = append(lines, line)
		}
	}
	return lines
}

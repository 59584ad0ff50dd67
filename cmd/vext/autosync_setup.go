package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/config"
	"vext/internal/hint"
	"vext/server"
	"vext/source/autosync/control"
	"vext/source/autosync/repo"
)

func newAutosyncInit(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init PATH [URL]",
		Short: "Set up a work tree that keeps itself in sync",
		Long: `Makes PATH a repository of git if it is none, adds URL as its remote or clones it, commits
the files that are there, and adds a table [[autosync]] to your configuration. It
overwrites nothing, and prints each step. It can be repeated.`,
		Example: `  vext autosync init ~/notes ssh://server.example.org/~/notes.git
  vext autosync init ~/notes`,
		Args: takes(1, 2, "a path, and perhaps a URL"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return autosyncInit(cmd.Context(), a, args[0], strings.Join(args[1:], ""))
		},
	}
}

func autosyncInit(ctx context.Context, a *app, path, url string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	file, err := editable(a)
	if err != nil {
		return err
	}
	if _, err := autosyncConfig(a); err != nil { // before anything is made
		return err
	}
	if a.umask >= 0 {
		syscall.Umask(a.umask)
	}
	if err := initRepository(ctx, a, path, url); err != nil {
		return err
	}
	added, err := server.AddAutosync(file, &config.Autosync{Path: path})
	if err != nil {
		return err
	}
	if added {
		fmt.Fprintf(a.stdout, "[[autosync]] for %s is added to %s\n", printable(path), printable(file))
	} else {
		fmt.Fprintf(a.stdout, "%s has an [[autosync]] for %s already\n", printable(file), printable(path))
	}
	a.hint(startHint(ctx, path))
	return nil
}

// initRepository makes the repository, and prints each step.
func initRepository(ctx context.Context, a *app, path, url string) error {
	if _, err := os.Lstat(filepath.Join(path, ".hg")); err == nil && url == "" {
		fmt.Fprintf(a.stdout, "%s is a repository of Mercurial\n", printable(path))
		return nil
	}
	host, _ := os.Hostname()
	steps, err := repo.Init(ctx, path, url, repo.Options{Host: host, Chatter: a.stderr, Log: a.log(slog.LevelWarn), Now: time.Now})
	for _, step := range steps {
		fmt.Fprintln(a.stdout, printable(step))
	}
	return err
}

// startHint says how a tree that was added to the configuration is kept in sync.
func startHint(ctx context.Context, path string) string {
	trees, _ := control.Reach(ctx, path)
	for _, t := range trees {
		if control.Contains(t.Tree.Path, path) {
			return fmt.Sprintf("process %d keeps it in sync", t.Process.PID)
		}
	}
	words := "start it: vext autosync, or with each login: systemctl --user enable --now vext-autosync"
	if len(trees) > 0 {
		words = fmt.Sprintf("start vext autosync again, which runs as process %d, so that it reads the configuration", trees[0].Process.PID)
	}
	return words
}

func newAutosyncImport(a *app) *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Take the configuration of dvcs-autosync over",
		Long: `Reads the configuration of dvcs-autosync, FILE and then ~/.autosync as it does, and adds a
table [[autosync]] to yours, and its account under [xmpp] with the password in a file that
only you can read. It changes no key that is there. It prints what was taken over, and what
could not be, and why.`,
		Example: `  vext autosync import --dry-run
  vext autosync import ~/.autosync-notes`,
		Args: takes(0, 1, "at most one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			return autosyncImport(a, strings.Join(args, ""), dryRun)
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the TOML that would be added, and change nothing")
	return c
}

func autosyncImport(a *app, path string, dryRun bool) error {
	home, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	usual := filepath.Join(home, ".autosync")
	all, err := server.NewAutosyncImport(cmp.Or(path, usual), usual)
	if errors.Is(err, fs.ErrNotExist) {
		return hint.Wrap(err, "name the configuration of dvcs-autosync: vext autosync import FILE")
	}
	if err != nil {
		return err
	}
	file, err := editable(a)
	if err != nil {
		return err
	}
	if dryRun {
		toml, err := all.Preview(file)
		if err != nil {
			return err
		}
		fmt.Fprint(a.stdout, printableLines(toml))
		warnLeft(a, all.Left)
		return nil
	}
	did, left, err := all.Write(file)
	if err != nil {
		return err
	}
	if len(did) > 0 {
		for _, text := range all.Taken {
			fmt.Fprintln(a.stdout, printable(text))
		}
	}
	for _, text := range did {
		fmt.Fprintln(a.stdout, printable(text))
	}
	warnLeft(a, append(all.Left, left...))
	if len(did) > 0 {
		a.hint("stop dvcs-autosync, and start vext autosync; both understand each other's notices on XMPP")
	}
	return nil
}

// warnLeft says what was not taken over.
func warnLeft(a *app, left []string) {
	for _, text := range left {
		fmt.Fprintf(a.stderr, "vext: warning: not taken over: %s\n", printable(text))
	}
}

package repo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// A rawEntry is a path that differs between two trees, as git diff --raw has it.
type rawEntry struct {
	oldMode, newMode string // noMode for a file that is not there
	oldHash, newHash string
	status           string // "M", "R100"
	from, path       string // from is only for renames and copies
}

// reversed returns the change in the other direction.
func (e rawEntry) reversed() rawEntry {
	e.oldMode, e.newMode, e.oldHash, e.newHash = e.newMode, e.oldMode, e.newHash, e.oldHash
	return e
}

// entries runs a git command that prints as git diff --raw does, and parses it.
func (g *gitRepo) entries(ctx context.Context, env []string, args ...string) ([]rawEntry, error) {
	args = append([]string{args[0], "--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules=none"}, args[1:]...)
	out, err := g.run(ctx, gitRun{args: args, env: env})
	if err != nil {
		return nil, err
	}
	entries, _, err := parseRaw(out)
	return entries, err
}

// parseRaw parses what git diff --raw -z prints, and returns what follows.
func parseRaw(out string) (entries []rawEntry, rest string, err error) {
	for strings.HasPrefix(out, ":") {
		head, rest, _ := strings.Cut(out[1:], "\x00")
		f := strings.Split(head, " ")
		if len(f) != 5 || f[4] == "" {
			return nil, "", fmt.Errorf("git diff --raw prints what is not understood: %q", head)
		}
		e := rawEntry{oldMode: f[0], newMode: f[1], oldHash: f[2], newHash: f[3], status: f[4]}
		if e.status[0] == 'R' || e.status[0] == 'C' {
			e.from, rest, _ = strings.Cut(rest, "\x00")
		}
		e.path, out, _ = strings.Cut(rest, "\x00")
		entries = append(entries, e)
	}
	return entries, out, nil
}

// parseStats parses what git diff --raw --numstat -z prints.
func parseStats(out string) ([]Stat, error) {
	entries, rest, err := parseRaw(out)
	if err != nil {
		return nil, err
	}
	stats := make([]Stat, len(entries))
	for i, e := range entries {
		s := Stat{Path: e.path, From: e.from, Kind: Modified}
		switch e.status[0] {
		case 'A', 'C':
			s.Kind, s.From = Added, ""
		case 'D':
			s.Kind = Deleted
		}
		var line, path string
		line, rest, _ = strings.Cut(rest, "\x00") // "1\t2\tpath", for a rename "1\t2\t"
		f := strings.SplitN(line, "\t", 3)
		if len(f) == 3 && f[2] == "" {
			_, rest, _ = strings.Cut(rest, "\x00")
			path, rest, _ = strings.Cut(rest, "\x00")
		} else if len(f) == 3 {
			path = f[2]
		}
		if len(f) != 3 || path != e.path {
			return nil, fmt.Errorf("git diff --numstat prints what is not understood: %q", line)
		}
		s.Binary = f[0] == "-"
		s.Added, _ = strconv.Atoi(f[0])
		s.Deleted, _ = strconv.Atoi(f[1])
		stats[i] = s
	}
	return stats, nil
}

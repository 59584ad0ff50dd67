package vcs

import (
	"bufio"
	"context"
	"io"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"vext/internal/commit"
)

// readLines runs a program and calls fn with every line of its output.
func readLines(ctx context.Context, cmd *exec.Cmd, fn func(line string)) error {
	return stream(ctx, cmd, func(r io.Reader) error {
		for lines := bufio.NewReader(r); ; {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			fn(strings.TrimSuffix(line, "\n"))
		}
	})
}

// Touching returns the commits that have changed paths, that a commit has for ancestors and
// that are not reachable from tip: max at most, the newest first, without merges.
func (s *Scratch) Touching(ctx context.Context, tip, revision string, paths []string, limit int) ([]string, error) {
	out, err := output(ctx, s.git(ctx, append([]string{
		"rev-list", "--no-merges", "--topo-order", "--max-count=" + strconv.Itoa(limit), revision + "^1", "^" + tip, "--",
	}, paths...)...))
	return strings.Fields(out), err
}

// TouchingLines returns those of these commits that were the last to change the lines of a
// path which a commit changes, or the lines beside these, in any order.
func (s *Scratch) TouchingLines(ctx context.Context, tip, revision string, c Change, path string) ([]string, error) {
	var ranges []string
	err := readLines(ctx, s.git(ctx, "diff-tree", "-p", "-U1", "--no-renames", "--no-ext-diff", "--no-textconv", c.Base, c.Tree, "--", path), func(line string) {
		if m := hunk.FindStringSubmatch(line); m != nil && m[2] != "0" && len(ranges) < 2*maxHunks {
			n := "1"
			if m[2] != "" {
				n = m[2]
			}
			ranges = append(ranges, "-L", m[1]+",+"+n)
		}
	})
	if err != nil || len(ranges) == 0 {
		return nil, err
	}
	found, boundaries, last := map[string]bool{}, map[string]bool{}, ""
	args := slices.Concat([]string{"blame", "--incremental", "--no-textconv"}, ranges, []string{revision + "^1", "^" + tip, "--", path})
	err = readLines(ctx, s.git(ctx, args...), func(line string) {
		switch fields := strings.Fields(line); {
		case len(fields) == 4 && commit.IsHash(fields[0]): // the hash, two line numbers and a count, git-blame(1)
			last = fields[0]
			found[last] = true
		case line == "boundary": // the commit is reachable from tip; this is printed once
			boundaries[last] = true
		}
	})
	return slices.DeleteFunc(slices.Sorted(maps.Keys(found)), func(hash string) bool { return boundaries[hash] }), err
}

// maxHunks bounds the hunks of a file that are looked at.
const maxHunks = 50

// hunk is how a hunk of a patch begins; the groups are the first line and the number of lines
// before the change.
var hunk = regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? `)

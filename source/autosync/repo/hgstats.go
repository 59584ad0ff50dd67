package repo

import (
	"context"
	"os"
	"strconv"
	"strings"
)

// Bounds of what is read only to count lines.
const (
	maxCounted     = 500     // files
	maxCountedSize = 4 << 20 // bytes of a file
)

// stats returns what a commit of these paths changes.
func (h *hgRepo) stats(ctx context.Context, paths []string) ([]Stat, error) {
	lines, err := h.status(ctx, paths, "-mar", "-C")
	if err != nil {
		return nil, err
	}
	sources, removed := map[string]bool{}, map[string]bool{}
	for _, l := range lines {
		removed[l.path] = removed[l.path] || l.code == 'R'
	}
	for _, l := range lines {
		if removed[l.from] {
			sources[l.from] = true
		}
	}
	var stats []Stat
	var counted []string
	for _, l := range lines {
		s := Stat{Path: l.path, Kind: map[byte]ChangeKind{'A': Added, 'R': Deleted}[l.code]}
		switch {
		case l.code == 'R' && sources[l.path]:
			continue // it is in that of the new name
		case l.code == 'M':
			s.Kind = Modified
		case sources[l.from]:
			s.From, s.Kind = l.from, Modified
		}
		if info, err := os.Lstat(h.path(l.path)); l.code == 'R' || err == nil && info.Size() <= maxCountedSize {
			counted = append(counted, l.path)
		}
		stats = append(stats, s)
	}
	if len(counted) == 0 || len(counted) > maxCounted {
		return stats, nil
	}
	diff, err := h.withList(ctx, h.root, counted, "diff", "--git", "--unified", "0")
	if err == nil {
		countLines(stats, diff)
	}
	return stats, err
}

// countLines counts the lines in a diff of git's format.
func countLines(stats []Stat, diff string) {
	byHeader := map[string]*Stat{}
	for i := range stats {
		s := &stats[i]
		from := s.From
		if from == "" {
			from = s.Path
		}
		byHeader["diff --git a/"+from+" b/"+s.Path] = s
	}
	now, ours, theirs := new(Stat), 0, 0 // lines that the hunk still has
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case theirs > 0 && strings.HasPrefix(line, "-"):
			theirs--
			now.Deleted++
		case ours > 0 && strings.HasPrefix(line, "+"):
			ours--
			now.Added++
		case strings.HasPrefix(line, "@@ "):
			fields := strings.Fields(line)
			if len(fields) > 2 {
				theirs, ours = hunkSize(fields[1]), hunkSize(fields[2])
			}
		case byHeader[line] != nil:
			now = byHeader[line]
		case line == "GIT binary patch" || strings.HasPrefix(line, "Binary file "):
			now.Binary = true
		}
	}
}

// hunkSize returns the number of lines in "-3,2", which is 1 in "-3".
func hunkSize(field string) int {
	_, count, hasCount := strings.Cut(field, ",")
	if !hasCount {
		return 1
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return 0
	}
	return n
}

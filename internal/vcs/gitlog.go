package vcs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"vext/internal/commit"
)

// Walk implements Repository by one git log. If git fails for one range, it is run again
// without the positions that are gone. Checking them first would take as long as the log
// of a small push.
func (g *gitRepository) Walk(ctx context.Context, log Log, fn func(*commit.Commit) error) (int, error) {
	if len(log.Ranges) == 0 {
		return 0, nil
	}
	if len(log.Ranges) > 1 {
		return g.walkMany(ctx, log, fn)
	}
	r := log.Ranges[0]
	n, err := g.readRange(ctx, log, r, fn)
	if err == nil || n > 0 || !errors.As(err, new(*Error)) {
		return n, err
	}
	there, hasErr := g.Has(ctx, r.Since)
	if hasErr != nil || len(there) == len(unique(slices.Clone(r.Since))) {
		return n, err
	}
	r.Since = there
	return g.readRange(ctx, log, r, fn)
}

// readRange calls fn with the chosen commits of a range.
func (g *gitRepository) readRange(ctx context.Context, log Log, r Range, fn func(*commit.Commit) error) (int, error) {
	order := "--topo-order"
	if log.FirstParent { // linear, so the order does not matter
		order = "--first-parent"
	}
	n, looked := 0, 0
	err := g.log(ctx, revisions([]string{r.New}, r.Since), order, func(record *record) error {
		if looked++; log.Progress != nil {
			log.Progress(looked)
		}
		if !r.After.IsZero() && r.isTooOld(record.date()) {
			return nil
		}
		if n++; !log.wants(record[fieldMessage]) {
			return nil
		}
		return fn(record.commit(r.Refname))
	})
	return n, err
}

// wants reports whether Match chooses a commit.
func (l *Log) wants(message []byte) bool { return l.Match == nil || l.Match(message) }

// isTooOld reports whether a date is before After. A missing date is not.
func (r *Range) isTooOld(date time.Time) bool {
	return !r.After.IsZero() && !date.IsZero() && date.Before(r.After)
}

// revisions returns the input of git log: where it starts, and what it leaves out.
func revisions(with, without []string) []string {
	lines := slices.Clone(with)
	for _, revision := range without {
		lines = append(lines, "^"+revision)
	}
	return lines
}

// log runs git log over revisions, oldest first unless --no-walk is the order.
func (g *gitRepository) log(ctx context.Context, revisions []string, order string, fn func(*record) error, more ...string) error {
	args := append([]string{
		"log", "-z", "--no-color", "--no-decorate", "--no-notes",
		"--no-show-signature", "--no-mailmap", "--no-patch", "--encoding=UTF-8", "--format=" + recordFormat, order,
	}, more...)
	if !strings.HasPrefix(order, "--no-walk") {
		args = append(args, "--reverse")
	}
	cmd := g.git(ctx, append(args, "--stdin")...) // the last, because the lines are read with the options before it
	cmd.Stdin = input(revisions)
	return stream(ctx, cmd, func(r io.Reader) error { return readRecords(r, fn) })
}

// walkMany reads the commits of all ranges by one git log, and then computes which
// commit is new on which branch: it can be new on one and known on another.
func (g *gitRepository) walkMany(ctx context.Context, log Log, fn func(*commit.Commit) error) (int, error) {
	var tips, since []string
	for _, r := range log.Ranges {
		tips, since = append(tips, r.New), append(since, r.Since...)
	}
	since, err := g.Has(ctx, since)
	if err != nil {
		return 0, err
	}
	tips = unique(append(tips, since...))
	var base []string
	if !slices.ContainsFunc(log.Ranges, func(r Range) bool { return !containsAny(since, r.Since) }) {
		base = g.base(ctx, tips) // a range without Since goes back to the root
	}
	gr := graph{index: map[string]int32{}, chosen: map[int32]*commit.Commit{}}
	gr.dated = slices.ContainsFunc(log.Ranges, func(r Range) bool { return !r.After.IsZero() })
	err = g.log(ctx, revisions(tips, base), "--topo-order", func(r *record) error {
		gr.add(r, log.wants(r[fieldMessage]))
		if log.Progress != nil {
			log.Progress(len(gr.firsts))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range log.Ranges {
		r := &log.Ranges[i]
		for _, at := range gr.newOn(r, log.FirstParent) {
			if gr.dated && r.isTooOld(gr.dates[at]) {
				continue
			}
			n++
			c := gr.chosen[at]
			if c == nil {
				continue
			}
			one := *c
			one.Refname = r.Refname
			if err := fn(&one); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func unique(revisions []string) []string {
	slices.Sort(revisions)
	return slices.Compact(revisions)
}

// base returns the newest common ancestor of revisions, or nothing, so that the whole
// history is read.
func (g *gitRepository) base(ctx context.Context, revisions []string) []string {
	if len(revisions) > maxMergeBase {
		return nil
	}
	out, err := output(ctx, g.git(ctx, append([]string{"merge-base", "--octopus"}, revisions...)...))
	if err != nil {
		return nil
	}
	return strings.Fields(out)
}

func containsAny(list, items []string) bool {
	return slices.ContainsFunc(items, func(item string) bool { return slices.Contains(list, item) })
}

// A graph holds commits in the order in which git log printed them: parents before
// children.
type graph struct {
	index  map[string]int32 // of a hash
	firsts []int32          // the first parent of each, -1 if it is not in the graph
	others [][]int32        // its other parents
	chosen map[int32]*commit.Commit
	dated  bool        // dates are needed
	dates  []time.Time // of each, if dated
	marks  []int32     // the last visit to each commit
	visits int32
}

func (g *graph) add(r *record, chosen bool) {
	at := int32(len(g.firsts))
	first, others := int32(-1), []int32(nil)
	for i, hash := range bytes.Fields(r[fieldParents]) {
		parent, ok := g.index[string(hash)]
		switch {
		case !ok:
		case i == 0:
			first = parent
		default:
			others = append(others, parent)
		}
	}
	g.index[string(r[fieldHash])] = at
	if g.dated {
		g.dates = append(g.dates, r.date())
	}
	g.firsts, g.others, g.marks = append(g.firsts, first), append(g.others, others), append(g.marks, 0)
	if chosen {
		g.chosen[at] = r.commit("")
	}
}

// newOn returns the commits of a range, oldest first.
func (g *graph) newOn(r *Range, firstParent bool) []int32 {
	g.visits++
	known := g.visits
	for _, revision := range r.Since {
		g.visit(revision, known, known, false, nil)
	}
	g.visits++
	var found []int32
	g.visit(r.New, g.visits, known, firstParent, &found)
	slices.Sort(found)
	return found
}

// visit marks the commits that are reachable from a revision, except those marked as
// known and their ancestors, and collects them.
func (g *graph) visit(revision string, mark, known int32, firstParent bool, found *[]int32) {
	start, ok := g.index[revision]
	if !ok {
		return
	}
	for stack := []int32{start}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if at < 0 || g.marks[at] == mark || g.marks[at] == known {
			continue
		}
		g.marks[at] = mark
		if found != nil {
			*found = append(*found, at)
		}
		stack = append(stack, g.firsts[at])
		if !firstParent {
			stack = append(stack, g.others[at]...)
		}
	}
}

// recordFormat makes git log print the fields of a record, each followed by NUL, which
// no field contains; -z adds the last one.
const recordFormat = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"

// The fields of a record.
const (
	fieldHash = iota
	fieldParents
	fieldAuthor
	fieldAuthorEmail
	fieldAuthorDate
	fieldCommitter
	fieldCommitterEmail
	fieldDate
	fieldMessage
	fields
)

// maxField bounds the part of a field that is kept, in bytes, because a commit message
// can have gigabytes.
const maxField = 4 << 20

// A record is the fields of one commit as git log prints it, valid until the next is read.
type record [fields][]byte

func (r *record) date() time.Time { return commit.ParseDate(string(r[fieldDate])) }

// commit returns the record as a commit on a branch.
func (r *record) commit(refname string) *commit.Commit {
	c := &commit.Commit{
		Message:    strings.ToValidUTF8(string(r[fieldMessage]), "�"),
		Refname:    refname,
		Revision:   string(r[fieldHash]),
		Author:     r.person(fieldAuthor),
		Committer:  r.person(fieldCommitter),
		AuthorDate: commit.ParseDate(string(r[fieldAuthorDate])),
		Date:       r.date(),
	}
	c.Clean()
	return c
}

// person returns the name in field n and the address in field n+1.
func (r *record) person(n int) commit.Person {
	valid := func(b []byte) string { return strings.ToValidUTF8(string(b), "�") }
	return commit.Person{Name: valid(r[n]), Email: valid(r[n+1])}
}

// readRecords calls fn with every record.
func readRecords(from io.Reader, fn func(*record) error) error {
	r := bufio.NewReaderSize(from, 128<<10)
	var rec record
	for {
		for n := range rec {
			var err error
			rec[n], err = readField(r, rec[n][:0])
			switch {
			case err == io.EOF && n == 0 && len(rec[0]) == 0:
				return nil
			case err == io.EOF:
				return errCut
			case err != nil:
				return err
			}
		}
		if !commit.IsHash(string(rec[fieldHash])) {
			return fmt.Errorf("git log: not a hash: %.60q", rec[fieldHash])
		}
		if err := fn(&rec); err != nil {
			return err
		}
	}
}

// readField appends a field, which ends before NUL.
func readField(from *bufio.Reader, field []byte) ([]byte, error) {
	for {
		part, err := from.ReadSlice(0)
		if len(field) < maxField {
			field = append(field, bytes.TrimSuffix(part, []byte{0})...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return field, err
		}
	}
}

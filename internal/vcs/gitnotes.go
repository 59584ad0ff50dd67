package vcs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"vext/internal/commit"
)

// A Note is a note of git-notes(1) about a commit.
type Note struct {
	Revision string // the commit that it is about
	Text     string // without what is behind the first maxNote bytes
	By       commit.Person
	Date     time.Time // when By wrote it
}

const notesPrefix = "refs/notes/"

// Bounds of the notes that are read at once, and of one of them, in bytes.
const (
	maxNotes = 5000
	maxNote  = 64 << 10
)

// NotesRef returns the ref of notes with a name: "mfc", or "refs/notes/mfc".
func NotesRef(name string) string { return notesPrefix + strings.TrimPrefix(name, notesPrefix) }

// FetchNotes implements GitRepository.
func (g *gitRepository) FetchNotes(ref string) { g.notes = ref }

// NotesPosition implements GitRepository.
func (g *gitRepository) NotesPosition(ctx context.Context, ref string) (string, error) {
	out, err := output(ctx, g.git(ctx, "for-each-ref", "--format=%(objectname) %(objecttype) %(refname)", ref))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == "commit" && f[2] == ref {
			return f[0], nil
		}
	}
	return "", nil
}

// Notes implements GitRepository by git diff-tree, which finds the notes, git log, which
// finds who wrote each, and git cat-file, which reads them.
func (g *gitRepository) Notes(ctx context.Context, old, position string) ([]Note, error) {
	known, err := g.Has(ctx, []string{old})
	if err != nil {
		return nil, err
	}
	changed, err := g.changedNotes(ctx, known, position)
	if err != nil || len(changed) == 0 {
		return nil, err
	}
	var blobs []string
	for _, n := range changed {
		blobs = append(blobs, n.blob)
	}
	if !g.url.IsZero() { // the copy has no blobs
		if err := g.fetch(ctx, unique(slices.Clone(blobs)), "-c", "fetch.negotiationAlgorithm=noop"); err != nil {
			return nil, err
		}
	}
	texts, err := g.blobs(ctx, blobs)
	if err != nil {
		return nil, err
	}
	authors, err := g.noteAuthors(ctx, known, position)
	if err != nil {
		return nil, err
	}
	var notes []Note
	for _, n := range changed {
		note, known := authors[n.revision]
		if !known { // only a merge has it in this form
			note = authors[""]
		}
		note.Revision, note.Text = n.revision, texts[n.blob]
		notes = append(notes, note)
	}
	return notes, nil
}

// A changedNote is a note that was added or changed, and the blob that has its text.
type changedNote struct{ revision, blob string }

// changedNotes returns the notes that position has and the first of known, if any, has
// not. Removed notes are left out.
func (g *gitRepository) changedNotes(ctx context.Context, known []string, position string) ([]changedNote, error) {
	from := "" // the empty tree
	if len(known) > 0 {
		from = known[0]
	} else {
		out, err := output(ctx, g.git(ctx, "hash-object", "-t", "tree", "--stdin"))
		if err != nil {
			return nil, err
		}
		from = strings.TrimSpace(out)
	}
	out, err := output(ctx, g.git(ctx, "diff-tree", "-r", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", from, position+"^{tree}"))
	if err != nil {
		return nil, err
	}
	changed := written(strings.Split(out, "\n"))
	return changed[:min(len(changed), maxNotes)], nil
}

// written returns the notes that were added or changed, by the lines of git's raw output.
// Notes that were only moved, because their number has changed, are left out.
func written(lines []string) []changedNote {
	var all []changedNote
	before := map[changedNote]bool{}
	for _, line := range lines {
		if n, ok := parseRaw(line, 0); ok {
			before[n] = true
		}
	}
	for _, line := range lines {
		if n, ok := parseRaw(line, 1); ok && !before[n] {
			all = append(all, n)
		}
	}
	return all
}

// parseRaw reads a line of git's raw output: ":mode mode blob blob status", a tab and the
// path, which is the commit's hash, with slashes in it when there are many notes. side is 0
// for what was there before, 1 for what is there now.
func parseRaw(line string, side int) (changedNote, bool) {
	info, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
	fields := strings.Fields(info)
	revision := strings.ReplaceAll(path, "/", "")
	if !ok || len(fields) != 5 || !strings.HasPrefix(info, ":") || !commit.IsHash(revision) ||
		!strings.HasPrefix(strings.TrimPrefix(fields[side], ":"), "100") || !commit.IsHash(fields[2+side]) { // a file
		return changedNote{}, false
	}
	return changedNote{revision, fields[2+side]}, true
}

// noteAuthors returns who last wrote each note since known, by the commits of the notes,
// and under "" who made the position.
func (g *gitRepository) noteAuthors(ctx context.Context, known []string, position string) (map[string]Note, error) {
	cmd := g.git(ctx, "log", "--no-color", "--no-decorate", "--no-notes", "--no-show-signature", "--no-mailmap", "--encoding=UTF-8",
		"--reverse", "--topo-order", "--root", "-r", "--raw", "--no-abbrev", "--no-renames", "--format=%x00%cn%x00%ce%x00%cI", "--stdin")
	cmd.Stdin = input(revisions([]string{position}, known))
	authors := map[string]Note{}
	err := stream(ctx, cmd, func(r io.Reader) error {
		var one Note
		var changes []string // of one
		take := func() {
			for _, n := range written(changes) {
				authors[n.revision] = one
			}
			changes = changes[:0]
		}
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 4<<10), maxField)
		for lines.Scan() {
			fields := strings.Split(lines.Text(), "\x00")
			if len(fields) != 4 {
				changes = append(changes, lines.Text())
				continue
			}
			take()
			valid := func(s string) string { return strings.ToValidUTF8(s, "�") }
			one = Note{By: commit.Person{Name: valid(fields[1]), Email: valid(fields[2])}, Date: commit.ParseDate(fields[3])}
			authors[""] = one
		}
		take()
		return lines.Err()
	})
	return authors, err
}

// blobs returns the texts of blobs by their hashes, each cut to maxNote.
func (g *gitRepository) blobs(ctx context.Context, hashes []string) (map[string]string, error) {
	texts := map[string]string{}
	cmd := g.git(ctx, "cat-file", "--batch")
	cmd.Stdin = input(hashes)
	err := stream(ctx, cmd, func(from io.Reader) error {
		r := bufio.NewReader(from)
		for range hashes {
			head, err := r.ReadString('\n')
			if err != nil {
				return errors.Join(errCut, err)
			}
			fields := strings.Fields(head) // hash type size, or hash missing
			if len(fields) != 3 {
				continue
			}
			size, err := strconv.ParseInt(fields[2], 10, 64)
			if err != nil {
				return fmt.Errorf("git cat-file: %.60q", head)
			}
			var text bytes.Buffer
			if _, err := io.CopyN(&text, r, min(size, maxNote)); err != nil {
				return errCut
			}
			if _, err := io.CopyN(io.Discard, r, size-int64(text.Len())+1); err != nil {
				return errCut
			}
			texts[fields[0]] = strings.ToValidUTF8(text.String(), "�")
		}
		return nil
	})
	return texts, err
}

// Find implements GitRepository.
func (g *gitRepository) Find(ctx context.Context, digits string) ([]string, error) {
	if len(digits) < minDigits || !commit.IsHex(digits) {
		return nil, fmt.Errorf("%q is not the beginning of a commit's hash, of %d digits or more", digits, minDigits)
	}
	if commit.IsHash(digits) {
		return g.Has(ctx, []string{digits})
	}
	out, err := output(ctx, g.git(ctx, "rev-parse", "--disambiguate="+digits))
	if err != nil {
		return nil, err
	}
	return g.Has(ctx, strings.Fields(out))
}

// minDigits is how many digits of a hash git needs (core.abbrev).
const minDigits = 4

// Containing implements GitRepository.
func (g *gitRepository) Containing(ctx context.Context, revision string) ([]string, error) {
	const remotes = "refs/remotes/"
	out, err := output(ctx, g.git(ctx, "for-each-ref", "--format=%(refname)", "--contains="+revision, headsPrefix, remotes))
	var refnames []string
	for _, ref := range strings.Fields(out) { // refs/heads/ comes first
		if rest, isRemote := strings.CutPrefix(ref, remotes); isRemote {
			_, branch, _ := strings.Cut(rest, "/")
			if branch == "HEAD" {
				continue
			}
			ref = headsPrefix + branch
		}
		if !slices.Contains(refnames, ref) {
			refnames = append(refnames, ref)
		}
	}
	return refnames, err
}

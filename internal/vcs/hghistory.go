package vcs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"vext/internal/commit"
)

// Heads implements History: the tip of each named branch. Its other heads are left out.
func (h *hgRepository) Heads(ctx context.Context) (map[string]string, error) {
	out, err := output(ctx, h.hg(ctx, "branches", "--closed", "--template", "{node} {branch}\n"))
	if err != nil {
		return nil, err
	}
	heads := map[string]string{}
	for line := range strings.Lines(out) {
		if node, branch, ok := strings.Cut(strings.TrimRight(line, "\n"), " "); ok && commit.IsHash(node) {
			heads[branch] = node
		}
	}
	return heads, nil
}

// hgRecord makes hg log print the fields of a record, each followed by NUL. A changeset has
// one person and one date. What hg keeps of a graft beside the message becomes a line of it,
// as hg graft --log writes it.
const hgRecord = `{node}\0{ifeq(p1rev, -1, "", p1node)} {ifeq(p2rev, -1, "", p2node)}\0` +
	`{person(author)}\0{email(author)}\0{date|rfc3339date}\0{person(author)}\0{email(author)}\0{date|rfc3339date}\0` +
	`{desc}{if(get(extras, "source"), "\n\n(grafted from {get(extras, "source")})\n")}\0`

// records calls fn with the changesets of a revset.
func (h *hgRepository) records(ctx context.Context, set string, fn func(*record) error) error {
	cmd := h.hg(ctx, "log", "--rev", set, "--template", hgRecord)
	return stream(ctx, cmd, func(r io.Reader) error { return readRecords(r, fn) })
}

// Scan implements History by one hg log.
func (h *hgRepository) Scan(ctx context.Context, tips, known []string, fn func(Record) error) error {
	var one Record
	set := "sort(::(" + hgSet(tips) + ") - ::(" + hgSet(known) + "), rev)" // numbers are a topological order
	return h.records(ctx, set, func(r *record) error {
		one.r = r
		return fn(one)
	})
}

// Commits implements History by one hg log.
func (h *hgRepository) Commits(ctx context.Context, hashes []string) (map[string]*commit.Commit, error) {
	all := make(map[string]*commit.Commit, len(hashes))
	if len(hashes) == 0 {
		return all, nil
	}
	err := h.records(ctx, hgSet(hashes), func(r *record) error {
		c := r.commit("")
		all[c.Revision] = c
		return nil
	})
	return all, err
}

// Files implements History.
func (h *hgRepository) Files(ctx context.Context, revisions []string) (map[string]commit.Files, error) {
	all := map[string]commit.Files{}
	cmd := h.hg(ctx, "log", "--rev", hgSet(slices.Clone(revisions)), "--template", `{node}\0{join(files, "\0")}\0\n`)
	err := stream(ctx, cmd, func(r io.Reader) error {
		for lines := bufio.NewReader(r); ; {
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				return nil
			}
			fields := strings.Split(strings.TrimSuffix(line, "\x00\n"), "\x00")
			if err != nil || !commit.IsHash(fields[0]) {
				return errors.Join(err, fmt.Errorf("hg log: not a changeset: %.60q", line))
			}
			all[fields[0]] = commit.FilesOf(fields[1:])
		}
	})
	return all, err
}

// Patches implements History: hg computes no identities of changes.
func (h *hgRepository) Patches(context.Context, []string) (map[string]string, error) { return nil, nil }

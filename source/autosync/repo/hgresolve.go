package repo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vext/internal/commit"
)

// A hgUnresolved is a path that hg could not merge.
type hgUnresolved struct {
	isPath       bool   // a file and a directory have the path
	alias        string // where hg has put that file instead
	here, theirs bool   // the sides that have the file
}

// resolve decides about the files that hg could not merge, all of them without a marker:
//
//   - A file that one side has deleted and the other changed stays, as it was changed.
//   - A file whose path is a directory on the other side gets the name of a copy.
//   - Otherwise the policy decides.
func (m *hgMerge) resolve(ctx context.Context) error {
	found, err := m.unresolved(ctx)
	if err != nil || len(found) == 0 {
		return err
	}
	names := slices.Sorted(maps.Keys(found))
	if m.opts.Conflict == Stop {
		return stopped(names, fmt.Sprintf("hg merge %.12s", m.p.Upstream))
	}
	local, other := "conflictlocal()", "conflictother()" // of a merge; a rebase has theirs checked out
	if m.hasState("rebasestate") {
		local, other = other, local
	}
	if err := m.sides(ctx, found, local, other); err != nil {
		return err
	}
	touched, err := m.place(ctx, found, names, local, other)
	if err != nil {
		return err
	}
	return m.finish(ctx, names, touched)
}

// unresolved lists the paths that hg could not merge.
func (m *hgMerge) unresolved(ctx context.Context) (map[string]*hgUnresolved, error) {
	out, err := m.in(ctx, "resolve", "--list", "-T", `{mergestatus} {path}\0`)
	found := map[string]*hgUnresolved{}
	for entry := range strings.SplitSeq(out, "\x00") {
		if code, name, ok := strings.Cut(entry, " "); ok && (code == "U" || code == "P") {
			found[name] = &hgUnresolved{isPath: code == "P"}
		}
	}
	for name, u := range found {
		if !u.isPath {
			continue
		}
		for _, l := range m.aliases(name) {
			u.alias = l
			delete(found, l)
		}
	}
	return found, err
}

// aliases returns where hg has put the file that had the name of a directory.
func (m *hgMerge) aliases(name string) (found []string) {
	dir := filepath.Dir(filepath.FromSlash(name))
	entries, _ := os.ReadDir(filepath.Join(m.work(), dir))
	for _, e := range entries {
		rest, is := strings.CutPrefix(e.Name(), filepath.Base(name)+"~")
		if is && len(rest) >= 12 && commit.IsHex(rest) {
			found = append(found, filepath.ToSlash(filepath.Join(dir, e.Name())))
		}
	}
	return found
}

// sides finds out which side has which file.
func (m *hgMerge) sides(ctx context.Context, found map[string]*hgUnresolved, ours, theirs string) error {
	var names []string
	for name, u := range found {
		if !u.isPath {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	for _, side := range []string{ours, theirs} {
		out, err := m.withList(ctx, m.work(), names, "files", "-0", "--rev", side)
		if err != nil && hgStatus(err) != 1 { // 1: none of them
			return err
		}
		for name := range strings.SplitSeq(out, "\x00") {
			if u := found[name]; u != nil {
				u.here, u.theirs = u.here || side == ours, u.theirs || side == theirs
			}
		}
	}
	return nil
}

// place writes the files, and returns the paths that it has written.
func (m *hgMerge) place(ctx context.Context, found map[string]*hgUnresolved, names []string, ours, theirs string) (touched []string, err error) {
	var fromOurs, fromTheirs, copies []string
	for _, name := range names {
		u := found[name]
		switch {
		case u.isPath:
			if u.alias == "" {
				return nil, errors.New("hg does not say where it has put " + name)
			}
			kept := m.copyName(name)
			if err := m.rename(u.alias, kept); err != nil {
				return nil, err
			}
			touched = append(touched, u.alias, kept)
			m.note(name, kept, "is a file on one side and a directory on the other")
		case !u.here && !u.theirs:
		case !u.here:
			fromTheirs = append(fromTheirs, name)
			m.note(name, "", deletedHere)
		case !u.theirs:
			fromOurs = append(fromOurs, name)
			m.note(name, "", deletedThere)
		case m.opts.Conflict == Ours:
			fromOurs = append(fromOurs, name)
			m.note(name, "", oursStays)
		case m.opts.Conflict == Theirs:
			fromTheirs = append(fromTheirs, name)
			m.note(name, "", theirsStays)
		default:
			fromOurs, fromTheirs, copies = append(fromOurs, name), append(fromTheirs, name), append(copies, name)
		}
	}
	if err := m.revert(ctx, ours, fromOurs); err != nil {
		return nil, err
	}
	for _, name := range copies {
		kept := m.copyName(name)
		if err := m.rename(name, kept); err != nil {
			return nil, err
		}
		touched = append(touched, kept)
		m.note(name, kept, changedTwice)
	}
	err = m.revert(ctx, theirs, fromTheirs)
	return slices.Concat(touched, fromOurs, fromTheirs), err
}

// rename renames a file of the second work tree.
func (m *hgMerge) rename(from, to string) error {
	return os.Rename(filepath.Join(m.work(), filepath.FromSlash(from)), filepath.Join(m.work(), filepath.FromSlash(to)))
}

// revert writes files as they are in a commit.
func (m *hgMerge) revert(ctx context.Context, from string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := m.withList(ctx, m.work(), names, "revert", "--quiet", "--no-backup", "--rev", from)
	return err
}

// finish makes hg take the files as they are now.
func (m *hgMerge) finish(ctx context.Context, names, touched []string) error {
	var here, gone []string
	for _, name := range touched {
		if _, err := os.Lstat(filepath.Join(m.work(), filepath.FromSlash(name))); err == nil {
			here = append(here, name)
		} else {
			gone = append(gone, name)
		}
	}
	for command, paths := range map[string][]string{"add": here, "forget": gone} {
		if len(paths) == 0 {
			continue
		}
		if _, err := m.withList(ctx, m.work(), paths, command, "--quiet"); err != nil && hgStatus(err) != 1 {
			return err
		}
	}
	_, err := m.withList(ctx, m.work(), append(names, gone...), "resolve", "--mark") // gone: what hg had moved
	return err
}

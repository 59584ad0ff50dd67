package repo

import (
	"context"
	"fmt"
	"os"
	"path"
)

// A decision is what becomes of a conflicted path.
type decision struct {
	*integration
	*conflicted
	there, here string // the commits of both sides
	edits       []edit
}

// decide decides what becomes of a conflicted path:
//
//   - A file that one side has deleted and the other changed stays, as it was changed.
//   - A file whose path is a directory on the other side gets the name of a copy.
//   - A commit of a submodule is theirs. It stays in place when the other side has a file.
//   - Of two files with the same content but different modes, theirs stays.
//   - Otherwise the policy decides, also for symbolic links and for files that both sides have
//     added.
func (in *integration) decide(ctx context.Context, c *conflicted, there, here string) ([]edit, error) {
	d := &decision{integration: in, conflicted: c, there: there, here: here}
	for _, alias := range c.aliases {
		d.edits = append(d.edits, edit{path: alias})
	}
	step := d.choose
	if c.inTheWay {
		step = d.moveAway
	}
	err := step(ctx)
	return d.edits, err
}

// choose chooses the file that stays in place.
func (d *decision) choose(ctx context.Context) error {
	ours, theirs, policy := d.ours, d.theirs, d.g.opts.Conflict
	switch {
	case !ours.exists() && !theirs.exists():
		d.edits = append(d.edits, edit{path: d.path})
	case !ours.exists():
		d.stay(theirs, deletedHere)
	case !theirs.exists():
		d.stay(ours, deletedThere)
	case ours.hash == theirs.hash:
		d.unkept = true
		d.stay(theirs, "has another mode on the other side, which stays")
	case theirs.isLink() && ours.isLink():
		d.unkept = true
		d.stay(theirs, "is at another commit on the other side, which stays")
	case ours.isLink():
		d.stay(ours, "")
		return d.copy(ctx, theirs, "is a submodule here and a file on the other side")
	case theirs.isLink():
		d.stay(theirs, "")
		return d.copy(ctx, ours, "is a submodule on the other side and a file here")
	case policy == Ours:
		d.unkept = true
		d.stay(ours, oursStays)
	case policy == Theirs:
		d.unkept = true
		d.stay(theirs, theirsStays)
	default:
		d.stay(theirs, "")
		return d.copy(ctx, ours, changedTwice)
	}
	return nil
}

// moveAway keeps the file, or both, beside the directory that has its path.
func (d *decision) moveAway(ctx context.Context) error {
	if d.ours.exists() {
		if err := d.copy(ctx, d.ours, "is a directory on the other side"); err != nil {
			return err
		}
	}
	if d.theirs.exists() && d.theirs != d.ours {
		return d.copy(ctx, d.theirs, "is a directory here and a file on the other side")
	}
	return nil
}

// stay leaves a file in place.
func (d *decision) stay(e entry, text string) {
	d.edits = append(d.edits, edit{d.path, e})
	if text != "" {
		d.note("", text)
	}
}

// copy keeps a file beside its path.
func (d *decision) copy(ctx context.Context, e entry, text string) error {
	name, err := d.copyName(ctx)
	if err != nil {
		return err
	}
	d.edits = append(d.edits, edit{name, e})
	whose := "the other version"
	if e == d.ours {
		d.copies[d.path] = name
		whose = "yours"
	}
	d.note(name, fmt.Sprintf("%s; %s is kept as %q", text, whose, path.Base(name)))
	return nil
}

// note notes a conflict for a person.
func (d *decision) note(name, text string) {
	d.conflicts = append(d.conflicts, Conflict{Path: d.path, Copy: name, Text: d.path + " " + text})
}

// copyName returns where a copy is kept: a name that no file of both sides has, and none in
// the work tree.
func (d *decision) copyName(ctx context.Context) (string, error) {
	names := map[string]entry{}
	for _, side := range []string{d.there, d.here} {
		args := []string{"ls-tree", "-z", "--full-tree", side, "--"}
		if dir := path.Dir(d.path); dir != "." {
			args = append(args, dir+"/")
		}
		out, err := d.g.git(ctx, args...)
		if err != nil {
			return "", err
		}
		parseTree(out, names)
	}
	name := ConflictName(d.path, d.g.opts.Host, d.g.now(), func(name string) bool {
		_, inTree := names[name]
		_, err := os.Lstat(d.g.abs(name))
		return inTree || err == nil || d.taken[name]
	})
	d.taken[name] = true
	return name, nil
}

package repo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"vext/internal/program"
)

// maxAdds bounds how often git is started again because of files that it cannot add.
const maxAdds = 64

// manyFiles is from how many files on they are written into one pack, as git does it with
// large files: 10,000 files of their own take five times as long. Those that pass a filter
// get files of their own all the same.
const manyFiles = 500

// add puts the changes of the work tree into the index. It returns those that git refuses. A
// path that has changed its kind since it was looked at is left for the next commit.
//
// It uses git update-index, because git add compares each path with each that it is given:
// 10,000 new files take it half a minute.
func (d *draft) add(ctx context.Context, changes []Change) (refused []Change, err error) {
	var removed []rawEntry
	var added []Change
	for _, c := range changes {
		info := d.g.lstatInside(c.Path)
		switch {
		case c.Kind == Deleted && (info == nil || info.IsDir()):
			removed = append(removed, rawEntry{newMode: noMode, newHash: strings.Repeat("0", len(d.tree)), path: c.Path})
		case c.Kind != Deleted && info != nil && !info.IsDir():
			c.Info = info
			if c.Refuse = d.g.refusal(c); c.Refuse != "" {
				refused = append(refused, c)
			} else {
				added = append(added, c)
			}
		}
	}
	if err := d.index.set(ctx, removed); err != nil {
		return nil, err
	}
	budget := maxAdds
	failed, err := d.update(ctx, added, &budget)
	return append(refused, failed...), err
}

// update adds files to the index. Git ends at the first that it cannot add, and adds none;
// then both halves are tried.
func (d *draft) update(ctx context.Context, files []Change, budget *int) (refused []Change, err error) {
	if len(files) == 0 {
		return nil, nil
	}
	var names strings.Builder
	for _, c := range files {
		names.WriteString(c.Path + "\x00")
	}
	*budget--
	run := gitRun{args: []string{"update-index", "--add", "--replace", "-z", "--stdin"}, stdin: strings.NewReader(names.String())}
	if len(files) >= manyFiles {
		run.config = []string{"core.bigFileThreshold=1"}
	}
	_, err = d.index.run(ctx, run)
	var failure *program.Error
	if err == nil || !errors.As(err, &failure) || failure.Says(".lock': ", "No space left", "Disk quota") {
		return nil, busyWhenLocked(err)
	}
	if len(files) == 1 || *budget <= 0 {
		for i := range files {
			files[i].Refuse = program.Messages(failure.Stderr)
		}
		return files, nil
	}
	half := len(files) / 2
	if refused, err = d.update(ctx, files[:half], budget); err != nil {
		return nil, err
	}
	more, err := d.update(ctx, files[half:], budget)
	return append(refused, more...), err
}

// lstatInside is lstat for a path whose directories may have become symbolic links: git does
// not follow these.
func (g *gitRepo) lstatInside(name string) fs.FileInfo {
	info := g.lstat(name)
	if info == nil {
		return nil
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if parent, err := os.Lstat(g.abs(dir)); err != nil || !parent.IsDir() {
			return nil
		}
	}
	return info
}

package commit

import (
	"bytes"
	"strings"

	"vext/internal/text"
)

// Files are the first of the paths that a commit changed, and the number of all.
type Files struct {
	Paths []string
	Count int
}

const (
	maxFiles = 100 // paths that are kept of a commit
	maxPath  = 300 // bytes that are kept of a path
)

// Add adds a path, unless it is empty.
func (f *Files) Add(path string) {
	if path = text.Shorten(text.OneLine(path), maxPath); path == "" {
		return
	}
	if f.Count++; len(f.Paths) < maxFiles {
		f.Paths = append(f.Paths, path)
	}
}

// FilesOf returns the files of lists of paths.
func FilesOf(lists ...[]string) Files {
	var f Files
	for _, list := range lists {
		for _, path := range list {
			f.Add(path)
		}
	}
	return f
}

// branch finds the branch in the first paths, by the usual layout of a
// Subversion repository.
func (f *Files) branch() string {
	for _, path := range f.Paths[:min(len(f.Paths), 20)] {
		if branch := BranchOfPath(path); branch != "" {
			return branch
		}
	}
	return ""
}

// maxFileLines bounds how many lines are read for the files of a commit.
const maxFileLines = 500

// changedFiles reads the list of files behind a message: git's diffstat, or the
// indented paths below `Modified:` and the like. It ends where the diff begins.
func (b *body) changedFiles() Files {
	var f Files
	listed := false // a line such as Modified: was there
	for range maxFileLines {
		line, ok := b.lines.peek()
		if !ok || isDiff(line) {
			break
		}
		switch path, _, stat := bytes.Cut(line, []byte(" | ")); {
		case isFileList(line):
			listed = true
		case len(line) < 2 || line[0] != ' ' && line[0] != '\t':
		case stat && line[0] == ' ':
			f.Add(strings.TrimSpace(string(path)))
		case listed && !stat:
			f.Add(strings.TrimSpace(string(line)))
		}
		b.next()
	}
	return f
}

// isDiff recognises the line with which the diff of a commit begins, and the
// next commit.
func isDiff(line []byte) bool {
	for _, start := range []string{"diff ", "Index: ", "@@ -", "commit ", "changeset ", "====", "Property changes on: ", "Modified: ", "Added: ", "Deleted: ", "Copied: "} {
		if bytes.HasPrefix(line, []byte(start)) {
			return true
		}
	}
	return false
}

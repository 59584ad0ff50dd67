package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"vext/internal/hint"
	"vext/internal/program"
)

// A commitObject is what makes a commit again.
type commitObject struct {
	hash, tree string
	author     string // "Jane <jane@example.org> 1700000000 +0100"
	encoding   string // of the message; "" for UTF-8
	message    string
}

// readCommits reads commits, in one git process.
func (g *gitRepo) readCommits(ctx context.Context, hashes []string) ([]commitObject, error) {
	out, err := g.run(ctx, gitRun{args: []string{"cat-file", "--batch"}, stdin: strings.NewReader(strings.Join(hashes, "\n") + "\n")})
	if err != nil {
		return nil, err
	}
	var commits []commitObject
	for _, hash := range hashes {
		header, rest, _ := strings.Cut(out, "\n")
		fields := strings.Fields(header)
		if len(fields) != 3 || fields[1] != "commit" {
			return nil, fmt.Errorf("git cat-file %s: %s", hash, header)
		}
		size, err := strconv.Atoi(fields[2])
		if err != nil || size >= len(rest) {
			return nil, fmt.Errorf("git cat-file %s: cut off", hash)
		}
		commits = append(commits, parseCommit(hash, rest[:size]))
		out = rest[size+1:]
	}
	return commits, nil
}

// parseCommit takes a commit object apart.
func parseCommit(hash, object string) commitObject {
	c := commitObject{hash: hash}
	header, message, _ := strings.Cut(object, "\n\n")
	c.message = message
	for line := range strings.SplitSeq(header, "\n") {
		switch name, value, _ := strings.Cut(line, " "); name {
		case "tree":
			c.tree = value
		case "author":
			c.author = value
		case "encoding":
			c.encoding = value
		}
	}
	return c
}

// commitAgain makes a commit with the author, the date and the message of c.
func (g *gitRepo) commitAgain(ctx context.Context, s settings, c commitObject, parent string) (string, error) {
	name, rest, ok := strings.Cut(c.author, " <")
	email, date, okDate := strings.Cut(rest, "> ")
	if !ok || !okDate {
		return "", fmt.Errorf("commit %s has the author %q", c.hash, c.author)
	}
	encoding := c.encoding
	if encoding == "" {
		encoding = "UTF-8"
	}
	args := append([]string{"-c", "i18n.commitEncoding=" + encoding, "commit-tree", c.tree, "-p", parent}, s.signFlag()...)
	out, err := g.run(ctx, gitRun{args: args, stdin: strings.NewReader(c.message), within: commitLimit,
		env: []string{"GIT_AUTHOR_NAME=" + name, "GIT_AUTHOR_EMAIL=" + email, "GIT_AUTHOR_DATE=@" + date}})
	return strings.TrimSpace(out), s.signError(err)
}

// signFlag returns the flag with which git commit-tree signs, if commits are signed.
func (s settings) signFlag() []string {
	if s.isTrue("commit.gpgsign") {
		return []string{"-S"}
	}
	return nil
}

// signError returns the error of git commit-tree: where commits are signed, it counts as one
// of the program that signs.
func (s settings) signError(err error) error {
	var failure *program.Error
	var slow *slowError
	if s.isTrue("commit.gpgsign") && (errors.As(err, &failure) || errors.As(err, &slow)) {
		return hint.Wrap(&HookError{"signing", err}, "a key without a password, or an agent that has it, can sign; or git config commit.gpgSign false")
	}
	return err
}

// syntheticCommit makes a commit of a tree only to be merged. It is the same one each time.
func (g *gitRepo) syntheticCommit(ctx context.Context, tree, parent string) (string, error) {
	args := []string{"commit-tree", tree}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	var env []string
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		env = append(env, "GIT_"+who+"_NAME=vext", "GIT_"+who+"_EMAIL=vext", "GIT_"+who+"_DATE=@0 +0000")
	}
	out, err := g.run(ctx, gitRun{args: args, env: env, stdin: strings.NewReader("")})
	return strings.TrimSpace(out), err
}

// An entry is that of a file in a tree. The zero entry is none.
type entry struct{ mode, hash string }

func (e entry) isLink() bool { return e.mode == "160000" } // to a commit of a submodule
func (e entry) exists() bool { return e.hash != "" }

// An edit gives a path of a tree another entry, or none.
type edit struct {
	path string
	entry
}

// lookUp returns the entries of these paths in a tree, without those that are not there.
func (g *gitRepo) lookUp(ctx context.Context, tree string, paths func(func(string) bool)) (map[string]entry, error) {
	found := map[string]entry{}
	var batch []string
	look := func() error {
		if len(batch) == 0 {
			return nil
		}
		out, err := g.git(ctx, append([]string{"ls-tree", "-z", "--full-tree", tree, "--"}, batch...)...)
		parseTree(out, found)
		batch = batch[:0]
		return err
	}
	for path := range paths {
		if batch = append(batch, path); len(batch) == 500 {
			if err := look(); err != nil {
				return nil, err
			}
		}
	}
	return found, look()
}

// parseTree reads the output of git ls-tree -z.
func parseTree(out string, into map[string]entry) {
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		info, path, ok := strings.Cut(line, "\t")
		if fields := strings.Fields(info); ok && len(fields) == 3 {
			into[path] = entry{fields[0], fields[2]}
		}
	}
}

// editTree makes a tree with other entries, in an index of its own. An entry with mode
// "" is removed.
func (g *gitRepo) editTree(ctx context.Context, tree string, edits []edit) (string, error) {
	if len(edits) == 0 {
		return tree, nil
	}
	index := filepath.Join(g.dir, "merge-index")
	removeIndex(index) // of a process that was killed
	defer removeIndex(index)
	env := []string{"GIT_INDEX_FILE=" + index}
	if _, err := g.run(ctx, gitRun{args: []string{"read-tree", tree}, env: env}); err != nil {
		return "", err
	}
	var removals, additions bytes.Buffer
	for _, e := range edits {
		if e.exists() {
			fmt.Fprintf(&additions, "%s %s\t%s\x00", e.mode, e.hash, e.path)
		} else {
			fmt.Fprintf(&removals, "0 %s\t%s\x00", strings.Repeat("0", len(tree)), e.path)
		}
	}
	_, err := g.run(ctx, gitRun{args: []string{"update-index", "-z", "--index-info"}, env: env, stdin: io.MultiReader(&removals, &additions)})
	if err != nil {
		return "", err
	}
	out, err := g.run(ctx, gitRun{args: []string{"write-tree"}, env: env})
	return strings.TrimSpace(out), err
}

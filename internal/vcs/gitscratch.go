package vcs

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"vext/internal/disk"
)

// A Scratch is an empty repository of git that reads the objects of another one, and keeps
// its own to itself: trees are merged in it without a change of the other. It reads neither
// the other's configuration nor its attributes, so that no merge driver is run, and it has
// no server to fetch from. The methods may be called at the same time.
type Scratch struct {
	dir    string
	of     *gitRepository
	sha256 bool
}

// Scratch implements GitRepository.
func (g *gitRepository) Scratch(ctx context.Context) (*Scratch, error) {
	about, err := output(ctx, g.git(ctx, "rev-parse", "--show-object-format", "--path-format=absolute", "--git-path", "objects"))
	if err != nil {
		return nil, err
	}
	format, objects, _ := strings.Cut(strings.TrimSuffix(about, "\n"), "\n")
	dir, err := os.MkdirTemp("", "vext-pick-")
	if err != nil {
		return nil, err
	}
	s := &Scratch{dir: dir, of: g, sha256: format == "sha256"}
	if err := s.make(format, objects); err != nil {
		return nil, errors.Join(fmt.Errorf("scratch repository %s: %w", dir, err), s.Close())
	}
	return s, nil
}

// make writes the files of the repository (gitrepository-layout(5)).
func (s *Scratch) make(format, objects string) error {
	config := "[core]\n\trepositoryFormatVersion = 0\n\tbare = true\n"
	if s.sha256 {
		config = "[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = " + format + "\n"
	}
	var errs []error
	for _, name := range []string{"refs", "tmp", "objects", "objects/info"} {
		errs = append(errs, os.Mkdir(filepath.Join(s.dir, name), disk.DirMode))
	}
	for name, text := range map[string]string{"HEAD": "ref: refs/heads/none\n", "config": config, "objects/info/alternates": objects + "\n"} {
		errs = append(errs, os.WriteFile(filepath.Join(s.dir, name), []byte(text), disk.FileMode))
	}
	return errors.Join(errs...)
}

// Close removes the scratch.
func (s *Scratch) Close() error { return os.RemoveAll(s.dir) }

// git prepares a git command in the scratch. Paths among its arguments are no patterns.
func (s *Scratch) git(ctx context.Context, args ...string) *exec.Cmd {
	return command(ctx, Git, "/", append([]string{"--git-dir=" + s.dir, "-c", "core.hooksPath=/dev/null", "--literal-pathspecs"}, args...)...)
}

// write writes a loose object, unless there is one, and returns its hash.
func (s *Scratch) write(kind, content string) (string, error) {
	data := fmt.Appendf(nil, "%s %d\x00%s", kind, len(content), content)
	hash := s.hash(data)
	path := filepath.Join(s.dir, "objects", hash[:2], hash[2:])
	if _, err := os.Stat(path); err == nil {
		return hash, nil
	}
	if err := os.Mkdir(filepath.Dir(path), disk.DirMode); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return hash, disk.ReplaceUnsynced(filepath.Join(s.dir, "tmp"), path, deflated(data))
}

// deflated returns data of less than 64 KiB in the format of zlib, without compression (RFC
// 1950, RFC 1951 3.2.4): a compressor needs 800 KB.
func deflated(data []byte) []byte {
	n := uint16(len(data))
	b := binary.LittleEndian.AppendUint16([]byte{0x78, 0x01, 1}, n)
	b = append(binary.LittleEndian.AppendUint16(b, ^n), data...)
	return binary.BigEndian.AppendUint32(b, adler32.Checksum(data))
}

func (s *Scratch) hash(data []byte) string {
	if s.sha256 {
		sum := sha256.Sum256(data)
		return hex.EncodeToString(sum[:])
	}
	sum := sha1.Sum(data)
	return hex.EncodeToString(sum[:])
}

// commit writes a commit of a tree. Its date is fixed, so that equal ones are one object.
func (s *Scratch) commit(tree string, parents ...string) (string, error) {
	content := "tree " + tree + "\n"
	for _, parent := range parents {
		content += "parent " + parent + "\n"
	}
	return s.write("commit", content+"author vext <> 0 +0000\ncommitter vext <> 0 +0000\n\nvext\n")
}

// A Merge is the result of merging trees.
type Merge struct {
	Tree     string   // without conflicts
	Conflict bool     // there are some
	Files    []string // that have them, maxConflicts at most
}

// Bounds of what git prints.
const (
	maxConflicts   = 100     // files that are named
	maxMergeOutput = 4 << 20 // bytes
	maxHeader      = 1 << 20 // bytes of a commit, of which the parents are the beginning
)

// ErrOldGit says that the git of this machine cannot merge in memory.
var ErrOldGit = errors.New("git is older than 2.38")

// Merge makes the changes from the tree base to the tree theirs in the tree ours. Three
// commits tell git the base also before version 2.40, which has an option for that.
func (s *Scratch) Merge(ctx context.Context, base, ours, theirs string) (*Merge, error) {
	root, err := s.commit(base)
	if err != nil {
		return nil, err
	}
	our, ourErr := s.commit(ours, root)
	their, theirErr := s.commit(theirs, root)
	if err := errors.Join(ourErr, theirErr); err != nil {
		return nil, err
	}
	// Never --quiet, with which git 2.51 calls a third of the conflicts clean.
	out, err := limited(ctx, s.git(ctx, "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", our, their), maxMergeOutput)
	tree, names, _ := strings.Cut(out, "\x00")
	exit := new(exec.ExitError)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil && s.isHash(tree):
		return &Merge{Tree: tree}, nil
	case err == nil:
		return nil, fmt.Errorf("git merge-tree: not a tree: %.60q", tree)
	case errors.As(err, &exit) && exit.ExitCode() == 129: // wrong options
		return nil, ErrOldGit
	case !errors.As(err, &exit) || exit.ExitCode() != 1 || !s.isHash(tree):
		return nil, err
	}
	m := &Merge{Conflict: true}
	for name := range strings.SplitSeq(names, "\x00") {
		if name != "" && len(m.Files) < maxConflicts {
			m.Files = append(m.Files, name)
		}
	}
	return m, nil
}

func (s *Scratch) isHash(text string) bool { return len(text) == len(s.hash(nil)) }

// A Change is what a commit changes: the trees of its first parent and its own.
type Change struct{ Base, Tree string }

// Changes returns what commits change, by their hashes, and those of the commits that are
// there with their parents. The change of a root commit begins with the empty tree.
func (s *Scratch) Changes(ctx context.Context, commits []string) (map[string]Change, error) {
	var names []string
	for _, hash := range commits {
		names = append(names, hash+"^{tree}", hash+"^1^{tree}")
	}
	objects, err := s.objects(ctx, names)
	if err != nil {
		return nil, err
	}
	changes := map[string]Change{}
	for i, hash := range commits {
		c := Change{Tree: objects[2*i], Base: objects[2*i+1]}
		if c.Tree != "" && c.Base == "" {
			text, err := limited(ctx, s.git(ctx, "cat-file", "commit", hash), maxHeader)
			if err != nil {
				return nil, err
			}
			if header, _, _ := strings.Cut(text, "\n\n"); !strings.Contains(header, "\nparent ") {
				c.Base = s.hash([]byte("tree 0\x00"))
			}
		}
		if c.Tree != "" && c.Base != "" {
			changes[hash] = c
		}
	}
	return changes, nil
}

// objects returns the hashes of named objects, "" for those that are missing.
func (s *Scratch) objects(ctx context.Context, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	cmd := s.git(ctx, "cat-file", "--batch-check=%(objectname)")
	cmd.Stdin = input(names)
	out, err := output(ctx, cmd)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(names) {
		return nil, fmt.Errorf("git cat-file: %d answers to %d questions", len(lines), len(names))
	}
	for i, line := range lines {
		if !s.isHash(line) { // "NAME missing"
			lines[i] = ""
		}
	}
	return lines, nil
}

// limited runs a program and returns the beginning of its output.
func limited(ctx context.Context, cmd *exec.Cmd, limit int64) (string, error) {
	var out []byte
	err := stream(ctx, cmd, func(r io.Reader) (err error) {
		out, err = io.ReadAll(io.LimitReader(r, limit))
		return err
	})
	return string(out), err
}

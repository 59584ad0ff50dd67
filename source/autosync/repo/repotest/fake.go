package repotest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"vext/source/autosync/repo"
)

// A Fake is a repo.Repository whose files are real, in a directory, and whose commits are in
// memory. Several of them share a Remote. It merges no lines: a file that both sides have
// changed is a conflict. Its methods may be called by several goroutines.
type Fake struct {
	o      repo.Options
	remote *Remote

	mu             sync.Mutex
	head, upstream string
	failures       map[string][]error
	blocked        map[string]error
	before         map[string]func()
	refused        map[string]string
	staged         map[string]bool
	ignored        []string
	calls          []string
}

var (
	_ repo.Repository = (*Fake)(nil)
	_ repo.Describer  = (*Fake)(nil)
)

// NewFake returns an empty clone of a remote in the directory o.Path, which it creates. Of
// the other options it uses Host, Conflict, Merge and Now.
func NewFake(remote *Remote, o repo.Options) (*Fake, error) {
	if o.Now == nil {
		o.Now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	}
	if err := os.MkdirAll(filepath.Join(o.Path, ".fake", "vext"), 0o777); err != nil {
		return nil, err
	}
	return &Fake{o: o, remote: remote, failures: map[string][]error{}, blocked: map[string]error{},
		before: map[string]func(){}, refused: map[string]string{}, staged: map[string]bool{}}, nil
}

// Fail makes the next calls of a method, such as "Push", return these errors, one each. A
// nil among them is a call that works.
func (f *Fake) Fail(method string, errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures[method] = append(f.failures[method], errs...)
}

// Block makes all calls of a method return an error, until it is called with nil.
func (f *Fake) Block(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocked[method] = err
}

// Before makes the next call of a method call do first, for what happens meanwhile.
func (f *Fake) Before(method string, do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before[method] = do
}

// Refuse makes a path one that cannot be committed, for a reason; "" ends that.
func (f *Fake) Refuse(path, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused[path] = reason
}

// Stage marks paths as those of which a person has staged a change.
func (f *Fake) Stage(paths ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range paths {
		f.staged[p] = true
	}
}

// Ignore ignores the paths that have a component, or a beginning, that matches one of these
// patterns of path.Match.
func (f *Fake) Ignore(patterns ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ignored = append(f.ignored, patterns...)
}

// Calls returns the methods that were called, each with its paths: "Commit a.txt b.txt".
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Count returns how often a method was called.
func (f *Fake) Count(method string) int {
	n := 0
	for _, c := range f.Calls() {
		if name, _, _ := strings.Cut(c, " "); name == method {
			n++
		}
	}
	return n
}

// Log returns the messages of the commits, the last first.
func (f *Fake) Log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var messages []string
	for _, c := range f.remote.log(f.head) {
		messages = append(messages, c.message)
	}
	return messages
}

// Committed returns the content of a file in the last commit.
func (f *Fake) Committed(path string) (content string, isThere bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, isThere := f.remote.tree(f.head)[path]
	return e.content, isThere
}

// Contains reports whether a file in any commit of the history has this content.
func (f *Fake) Contains(content string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.remote.log(f.head) {
		for _, e := range c.tree {
			if e.content == content {
				return true
			}
		}
	}
	return false
}

// call records a call, and returns the error that it must return, with f.mu locked when
// there is none.
func (f *Fake) call(ctx context.Context, method string, paths ...string) error {
	f.mu.Lock()
	if do := f.before[method]; do != nil {
		delete(f.before, method)
		f.mu.Unlock()
		do()
		f.mu.Lock()
	}
	f.calls = append(f.calls, strings.Join(append([]string{method}, paths...), " "))
	err := f.blocked[method]
	if next := f.failures[method]; err == nil && len(next) > 0 {
		err, f.failures[method] = next[0], next[1:]
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		if _, missing := os.Stat(f.o.Path); missing != nil {
			err = &repo.StoppedError{Reason: f.o.Path + " is not there"}
		}
	}
	if err != nil {
		f.mu.Unlock()
	}
	return err
}

// Kind returns "fake".
func (f *Fake) Kind() string { return "fake" }

// Root returns the directory.
func (f *Fake) Root() string { return f.o.Path }

// Dir returns a directory in it that is never committed.
func (f *Fake) Dir() string { return filepath.Join(f.o.Path, ".fake", "vext") }

// Internal returns the directory of the file HEAD, which is written with each new head.
func (f *Fake) Internal() []string { return []string{filepath.Join(f.o.Path, ".fake")} }

// Identity returns that of the remote.
func (f *Fake) Identity(ctx context.Context) (string, error) {
	if err := f.call(ctx, "Identity"); err != nil {
		return "", err
	}
	defer f.mu.Unlock()
	return "fake " + f.remote.name, nil
}

// RemoteURL returns the name of the remote as a URL, and the branch main.
func (f *Fake) RemoteURL(ctx context.Context) (url, branch string, err error) {
	if err := f.call(ctx, "RemoteURL"); err != nil {
		return "", "", err
	}
	defer f.mu.Unlock()
	return "fake://" + f.remote.name, "main", nil
}

// Head returns the last commit.
func (f *Fake) Head(ctx context.Context) (string, error) {
	if err := f.call(ctx, "Head"); err != nil {
		return "", err
	}
	defer f.mu.Unlock()
	return f.head, nil
}

// Describe returns the first line of the message of a commit, and the time.
func (f *Fake) Describe(ctx context.Context, hash string) (subject string, made time.Time, err error) {
	if err := f.call(ctx, "Describe"); err != nil {
		return "", time.Time{}, err
	}
	defer f.mu.Unlock()
	subject, _, _ = strings.Cut(f.remote.get(hash).message, "\n")
	return subject, f.o.Now(), nil
}

// Ready returns nil, or what Fail and Block say.
func (f *Fake) Ready(ctx context.Context) error {
	err := f.call(ctx, "Ready")
	if err == nil {
		f.mu.Unlock()
	}
	return err
}

// Ignored returns those directories that a pattern of Ignore matches.
func (f *Fake) Ignored(ctx context.Context, dirs []string) (map[string]bool, error) {
	if err := f.call(ctx, "Ignored"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	found := map[string]bool{}
	for _, d := range dirs {
		if f.isIgnored(d) {
			found[d] = true
		}
	}
	return found, nil
}

// Changes compares the directory with the last commit.
func (f *Fake) Changes(ctx context.Context, paths ...string) ([]repo.Change, error) {
	if err := f.call(ctx, "Changes", paths...); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	onDisk, found, err := f.scan()
	if err != nil {
		return nil, err
	}
	tree := f.remote.tree(f.head)
	for p, e := range onDisk {
		old, isOld := tree[p]
		if isOld && old == e {
			continue
		}
		kind := repo.Added
		if isOld {
			kind = repo.Modified
		}
		found[p] = f.change(p, kind)
	}
	for p := range tree {
		if _, is := onDisk[p]; !is && found[p].Refuse == "" {
			found[p] = f.change(p, repo.Deleted)
		}
	}
	var changes []repo.Change
	for _, p := range slices.Sorted(maps.Keys(found)) {
		if isBelow(p, paths) {
			changes = append(changes, found[p])
		}
	}
	return changes, nil
}

// change returns a path as a change.
func (f *Fake) change(p string, kind repo.ChangeKind) repo.Change {
	info, err := os.Lstat(f.path(p))
	if err != nil {
		info = nil
	}
	return repo.Change{Path: p, Kind: kind, Info: info, Staged: f.staged[p], Refuse: f.refused[p]}
}

// isBelow reports whether a path is one of these, or below one, or there are none.
func isBelow(p string, paths []string) bool {
	return len(paths) == 0 || slices.ContainsFunc(paths, func(dir string) bool {
		return dir == "." || p == dir || strings.HasPrefix(p, dir+"/")
	})
}

// Commit commits these paths as they are on disk now.
func (f *Fake) Commit(ctx context.Context, changes []repo.Change, message repo.Message) (*repo.Commit, error) {
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.Path)
	}
	if err := f.call(ctx, "Commit", paths...); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	old := f.remote.tree(f.head)
	tree, made := maps.Clone(old), &repo.Commit{}
	for _, c := range changes {
		reason := f.refused[c.Path]
		if c.Kind == repo.Nested {
			reason = "it is a repository of its own"
		}
		e, err := readEntry(f.path(c.Path))
		switch {
		case reason != "":
		case isGone(err):
			delete(tree, c.Path)
		case err != nil:
			reason = err.Error()
		default:
			tree[c.Path] = e
		}
		if reason != "" {
			c.Refuse = reason
			made.Refused = append(made.Refused, c)
		}
	}
	made.Stats = diff(old, tree)
	switch {
	case len(made.Stats) == 0 && len(made.Refused) == 0:
		return nil, nil
	case len(made.Stats) == 0:
		return made, nil
	}
	var err error
	if made.Message, err = message(ctx, made.Stats); err != nil {
		return nil, err
	}
	made.Hash = f.remote.add(&commit{parents: parents(f.head), tree: tree, message: made.Message, author: f.o.Host})
	return made, f.setHead(made.Hash)
}

// parents returns those that are commits.
func parents(hashes ...string) []string {
	return slices.DeleteFunc(hashes, func(h string) bool { return h == "" })
}

// setHead makes a commit the last one.
func (f *Fake) setHead(hash string) error {
	f.head = hash
	return os.WriteFile(filepath.Join(f.o.Path, ".fake", "HEAD"), []byte(hash+"\n"), 0o666)
}

package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"vext/internal/socket"
	"vext/source/autosync"
)

// A Client reaches one process that keeps trees in sync.
type Client struct {
	path  string
	isOwn bool // the directory of the socket is of this user
}

// Clients returns those of the processes of this user. Root also reaches those of vext
// serve, and of the owners of these paths. Sockets of processes that were killed are removed.
func Clients(paths ...string) []Client {
	var all []Client
	seen := map[string]bool{}
	for _, dir := range controlDirs(paths) {
		files, _ := os.ReadDir(dir)
		isOwn := isOwn(dir, os.Geteuid(), 0o077)
		for _, file := range files {
			path := filepath.Join(dir, file.Name())
			if file.Type() != fs.ModeSocket || !strings.HasSuffix(path, ".sock") || seen[path] {
				continue
			}
			seen[path] = true
			all = append(all, Client{path, isOwn})
		}
	}
	return all
}

// statusTime is how long a process has to answer with its status.
const statusTime = 10 * time.Second

// ErrNoAnswer says that a process has ended.
var ErrNoAnswer = errors.New("the process has ended")

// Status asks for the status of all trees.
func (c Client) Status(ctx context.Context) (*Process, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	a, err := c.call(ctx, request{Do: DoStatus})
	if err == nil && a.Process == nil {
		err = ErrNoAnswer
	}
	if err != nil {
		return nil, err
	}
	return a.Process, nil
}

// A Reached is a tree of a process that has answered.
type Reached struct {
	Client  Client
	Process *Process
	Tree    *autosync.Status
}

// Reach returns all trees that processes keep in sync, as Clients finds these. The errors are
// of processes that run and do not answer.
func Reach(ctx context.Context, paths ...string) (all []Reached, errs []error) {
	for _, c := range Clients(paths...) {
		p, err := c.Status(ctx)
		if errors.Is(err, ErrNoAnswer) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.path, err))
			continue
		}
		for i := range p.Trees {
			all = append(all, Reached{c, p, &p.Trees[i]})
		}
	}
	return all, errs
}

// Root returns the root of the tree.
func (r Reached) Root() string { return r.Tree.Path }

// Index returns the first of the trees whose root is a path or contains it, -1 if there is none.
// One of that name is found without a look at the others, whose file systems may not answer.
func Index[T any](trees []T, root func(T) string, path string) int {
	path, err := filepath.Abs(path)
	if err != nil {
		return -1
	}
	if i := slices.IndexFunc(trees, func(t T) bool { return filepath.Clean(root(t)) == path }); i >= 0 {
		return i
	}
	found := make(chan int, 1)
	go func() { found <- slices.IndexFunc(trees, func(t T) bool { return Contains(root(t), path) }) }()
	timer := time.NewTimer(treeTime)
	defer timer.Stop()
	select {
	case i := <-found:
		return i
	case <-timer.C:
		return -1
	}
}

// Contains reports whether a path is the root of a work tree, or in it and not in another
// repository there.
func Contains(root, path string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	want, err := os.Stat(root)
	if err != nil {
		return filepath.Clean(root) == path
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, want) {
			return true
		}
		if dir == filepath.Dir(dir) || hasRepository(dir) {
			return false
		}
	}
}

func hasRepository(dir string) bool {
	for _, name := range []string{".git", ".hg"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// Do has the process pause, resume or sync the trees with these roots, all if there are
// none. With DoNow it returns when that is done.
func (c Client) Do(ctx context.Context, what string, roots ...string) ([]Outcome, error) {
	a, err := c.call(ctx, request{Do: what, Paths: roots})
	if err != nil {
		return nil, err
	}
	return a.Outcomes, nil
}

func (c Client) call(ctx context.Context, r request) (*answer, error) {
	a := new(answer)
	err := socket.Call(ctx, c.path, maxAnswer, r, a)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		if c.isOwn {
			os.Remove(c.path) // its process was killed
		}
		return nil, ErrNoAnswer
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoAnswer
	case err != nil:
		return nil, err
	case a.Error != "":
		return nil, errors.New(a.Error)
	}
	return a, nil
}

// NotRunning is the state of a tree of the configuration that no process keeps in sync.
const NotRunning autosync.State = "not running"

package backport

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"vext/internal/vcs"
)

// A picker makes test picks: it finds out what a commit changes when it is picked to a
// branch, without writing to the repository. Its methods may be called at the same time.
type picker struct {
	scratch *vcs.Scratch
	changes map[string]vcs.Change // of commits; of a tip, Tree is its tree

	mu     sync.Mutex
	made   map[pick]*picked
	failed error // why blobs could not be fetched
}

// A pick is a commit, and the tree that it is picked to.
type pick struct{ tree, commit string }

// A picked is what became of a pick.
type picked struct {
	once  sync.Once
	state State // Clean, Conflict, NothingToDo or Unknown
	tree  string
	files []string // that conflict
	why   string   // of Unknown
}

// errNotGit says that there are no test picks in repositories of hg and svn.
var errNotGit = errors.New("a test pick can only be made in a repository of git")

// newPicker returns a picker for commits. close ends it.
func newPicker(ctx context.Context, history vcs.History, commits []string) (*picker, error) {
	git, ok := history.(vcs.GitRepository)
	if !ok {
		return nil, errNotGit
	}
	scratch, err := git.Scratch(ctx)
	if err != nil {
		return nil, err
	}
	p := &picker{scratch: scratch, changes: map[string]vcs.Change{}, made: map[pick]*picked{}}
	if err := p.know(ctx, commits); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *picker) close() error { return p.scratch.Close() }

// know reads what commits change, by one process.
func (p *picker) know(ctx context.Context, commits []string) error {
	var missing []string
	p.mu.Lock()
	for _, hash := range commits {
		if _, known := p.changes[hash]; !known {
			missing = append(missing, hash)
		}
	}
	p.mu.Unlock()
	found, err := p.scratch.Changes(ctx, missing)
	p.mu.Lock()
	defer p.mu.Unlock()
	for hash, change := range found {
		p.changes[hash] = change
	}
	return err
}

// fetch fetches what picks of commits to tips need. Without it, the picks that lack something
// are Unknown.
func (p *picker) fetch(ctx context.Context, commits, tips []string) {
	var changes []vcs.Change
	var trees []string
	for _, hash := range commits {
		if c, known := p.change(hash); known {
			changes = append(changes, c)
		}
	}
	for _, tip := range tips {
		if c, known := p.change(tip); known {
			trees = append(trees, c.Tree)
		}
	}
	err := p.scratch.FetchBlobs(ctx, changes, trees)
	p.mu.Lock()
	p.failed = errors.Join(p.failed, err)
	p.mu.Unlock()
}

// change returns what a commit changes.
func (p *picker) change(hash string) (vcs.Change, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, known := p.changes[hash]
	return c, known
}

// pick picks a commit to a tree, each once.
func (p *picker) pick(ctx context.Context, tree, hash string) *picked {
	p.mu.Lock()
	one := p.made[pick{tree, hash}]
	if one == nil {
		one = new(picked)
		p.made[pick{tree, hash}] = one
	}
	p.mu.Unlock()
	one.once.Do(func() { p.merge(ctx, one, tree, hash) })
	return one
}

func (p *picker) merge(ctx context.Context, one *picked, tree, hash string) {
	one.state = Unknown
	c, known := p.change(hash)
	if !known {
		one.why = "the repository lacks the commit or its parent"
		return
	}
	m, err := p.scratch.Merge(ctx, c.Base, tree, c.Tree)
	switch {
	case err != nil:
		one.why = p.whyNot(ctx, err)
	case m.Conflict:
		one.state, one.files = Conflict, m.Files
	case m.Tree == tree:
		one.state, one.tree = NothingToDo, tree
	default:
		one.state, one.tree = Clean, m.Tree
	}
}

// whyNot returns why a pick was not made, which the failure to fetch explains better than
// that of git without the blobs.
func (p *picker) whyNot(ctx context.Context, err error) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		err = p.failed
	}
	return whyNot(ctx, err)
}

// whyNot returns the reason of Unknown for an error.
func whyNot(ctx context.Context, err error) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "not looked at: there was no time left"
	}
	return fmt.Sprintf("not looked at: %v", err)
}

// chain picks commits, each to the result of the one before, and returns the last tree. It
// ends at the first that is neither clean nor without effect.
func (p *picker) chain(ctx context.Context, tree string, commits []string) (string, bool) {
	for _, hash := range commits {
		one := p.pick(ctx, tree, hash)
		if one.state != Clean && one.state != NothingToDo {
			return "", false
		}
		tree = one.tree
	}
	return tree, true
}

package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/hint"
	"vext/internal/program"
)

// Commit implements Repository. The commit is prepared in an index of its own, as git commit
// -- PATH does it: the changes of the work tree go in, and what a person has staged stays
// out. Then it is made by git's plumbing, which is fast in a large tree, and which moves the
// branch only from the commit that it was prepared on. The hooks of git commit run in their
// order, and a commit is signed if commit.gpgSign says so.
func (g *gitRepo) Commit(ctx context.Context, changes []Change, message Message) (*Commit, error) {
	if err := g.Ready(ctx); err != nil {
		return nil, err
	}
	take, refused := sortOut(changes)
	if len(take) == 0 {
		return nothing(refused), nil
	}
	d, err := g.newDraft(ctx)
	if err != nil {
		return nil, err
	}
	failed, err := d.add(ctx, take)
	if err != nil {
		return nil, err
	}
	refused = append(refused, failed...)
	stats, err := d.stats(ctx)
	if err != nil || len(stats) == 0 {
		return nothing(refused), err
	}
	c, err := d.commit(ctx, stats, message)
	if err != nil || c == nil {
		return c, busyWhenLocked(err)
	}
	c.Refused = refused
	return c, nil
}

// nothing returns what Commit returns when it made none.
func nothing(refused []Change) *Commit {
	if len(refused) == 0 {
		return nil
	}
	return &Commit{Refused: refused}
}

// sortOut divides changes into those that are committed and those that are not, with the
// reason.
func sortOut(changes []Change) (take, refused []Change) {
	for _, c := range changes {
		switch {
		case c.Refuse != "":
		case c.Kind == Nested:
			c.Refuse = "a repository of its own"
		case c.Staged:
			c.Refuse = "staged by hand"
		default:
			take = append(take, c)
			continue
		}
		refused = append(refused, c)
	}
	return take, refused
}

// A draft is a commit that is being prepared.
type draft struct {
	g      *gitRepo
	index  privateIndex
	branch string
	head   string // the commit that it is prepared on, "" for none
	tree   string // head, or the empty tree
	was    stamp  // of the index of the person
	config settings
	staged []rawEntry // in the index of the person, against head
}

// A cleanIndex is one in which nothing is staged against a commit.
type cleanIndex struct {
	index stamp
	head  string
}

// newDraft copies the index of the person, and takes out what a person has staged.
func (g *gitRepo) newDraft(ctx context.Context) (*draft, error) {
	d := &draft{g: g, index: privateIndex{g, filepath.Join(g.dir, "index")}}
	var err error
	if d.branch, err = g.branch(ctx); err != nil {
		return nil, err
	}
	if d.head, err = g.Head(ctx); err != nil {
		return nil, err
	}
	if d.tree, err = g.treeOf(ctx, d.head); err != nil {
		return nil, err
	}
	if d.was, err = g.copyIndex(d.index.path); err != nil {
		return nil, err
	}
	if d.config, err = g.readSettings(ctx); err != nil {
		return nil, err
	}
	if g.clean == (cleanIndex{d.was, d.head}) {
		return d, nil
	}
	if d.staged, err = d.index.differing(ctx, d.tree); err != nil {
		return nil, err
	}
	back := make([]rawEntry, len(d.staged))
	for i, e := range d.staged {
		back[i] = e.reversed()
	}
	return d, d.index.set(ctx, back)
}

// stats returns what the commit would change.
func (d *draft) stats(ctx context.Context) ([]Stat, error) {
	out, err := d.index.run(ctx, gitRun{args: []string{"diff-index", "--cached", "--ita-invisible-in-index", "--raw", "--numstat",
		"-z", "-M", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none", d.tree}})
	if err != nil {
		return nil, err
	}
	return parseStats(out)
}

// commit makes the commit. It returns nil when a hook has left nothing of it.
func (d *draft) commit(ctx context.Context, stats []Stat, message Message) (*Commit, error) {
	before := stampOf(d.index.path)
	if err := d.hook(ctx, "pre-commit"); err != nil {
		return nil, err
	}
	if stampOf(d.index.path) != before { // the hook has changed what is committed
		var err error
		if stats, err = d.stats(ctx); err != nil || len(stats) == 0 {
			return nil, err
		}
	}
	text, err := message(ctx, stats)
	if err == nil {
		text, err = d.editMessage(ctx, text)
	}
	if err != nil {
		return nil, err
	}
	hash, err := d.object(ctx, text)
	if err != nil {
		return nil, err
	}
	if err := d.moveBranch(ctx, hash, text); err != nil {
		return nil, err
	}
	c := &Commit{Hash: hash, Message: strings.TrimRight(text, "\n"), Stats: stats}
	if err := d.publishIndex(ctx, hash); err != nil {
		d.g.opts.Log.Warn("the index will be brought up to date later", "tree", d.g.root, "error", err)
		c.Unfinished = true
	}
	// The index is that of the person now. As with git commit, the hook can stop nothing.
	if err := d.g.hook(ctx, d.config, nil, "post-commit"); err != nil {
		d.g.opts.Log.Warn("a hook has failed after the commit", "path", d.g.root, "error", err)
	}
	return c, nil
}

// object writes the commit into the repository, without a name.
func (d *draft) object(ctx context.Context, message string) (string, error) {
	tree, err := d.index.run(ctx, gitRun{args: []string{"write-tree"}})
	if err != nil {
		return "", err
	}
	args := append([]string{"commit-tree", "-F", "-"}, d.config.signFlag()...)
	if d.head != "" {
		args = append(args, "-p", d.head)
	}
	out, err := d.g.run(ctx, gitRun{args: append(args, strings.TrimSpace(tree)), stdin: strings.NewReader(message), within: commitLimit})
	var failure *program.Error
	if errors.As(err, &failure) && failure.Says("tell me who you are", "empty ident name", "auto-detect email address", "no email was given", "no name was given") {
		return "", hint.Wrap(errors.New("git does not know whose commits these are"), `git config user.name "Jane Doe" and git config user.email jane@example.org`)
	}
	return strings.TrimSpace(out), d.config.signError(err)
}

// moveBranch makes the commit the last one of the branch. When the branch has moved
// meanwhile, it changes nothing.
func (d *draft) moveBranch(ctx context.Context, hash, message string) error {
	if now, err := d.g.branch(ctx); err != nil || now != d.branch {
		return errors.Join(err, &BusyError{"another branch was checked out meanwhile"})
	}
	if err := record(d.g.dir).add(hash); err != nil {
		return err
	}
	if err := d.g.writeJournal(journal{d.head, hash}); err != nil {
		return err
	}
	subject, _, _ := strings.Cut(message, "\n")
	action, old := "commit: ", d.head
	if old == "" {
		action, old = "commit (initial): ", strings.Repeat("0", len(hash))
	}
	_, err := d.g.run(ctx, gitRun{args: []string{"update-ref", "-m", action + subject, "HEAD", hash, old}})
	var failure *program.Error
	if errors.As(err, &failure) && failure.Says("ref updates aborted by hook") {
		return &HookError{"reference-transaction", err}
	}
	return err
}

// publishIndex brings the index of the person up to date. What is staged stays staged.
func (d *draft) publishIndex(ctx context.Context, hash string) error {
	if err := d.publishCopy(ctx, hash); err != errIndexChanged {
		return err
	}
	return d.g.updateIndex(ctx, journal{d.head, hash}, hash)
}

var errIndexChanged = errors.New("the index was changed meanwhile")

// publishCopy makes the private index that of the person, if nobody has changed it since it
// was copied. So git need not read the files again.
func (d *draft) publishCopy(ctx context.Context, hash string) error {
	lock, err := d.g.lockIndex(ctx)
	if err != nil {
		return err
	}
	defer lock.release()
	if stampOf(d.g.index()) != d.was {
		return errIndexChanged
	}
	staged := d.staged
	if len(staged) > 0 {
		committed, err := d.g.entries(ctx, nil, "diff-tree", "-r", d.tree, hash)
		if err != nil {
			return err
		}
		staged = without(staged, committed)
		if err := d.index.set(ctx, staged); err != nil {
			return err
		}
	}
	now := stampOf(d.index.path)
	if err := os.Rename(d.index.path, d.g.index()); err != nil {
		return err
	}
	d.g.merged = now
	if len(staged) == 0 {
		d.g.clean = cleanIndex{now, hash}
	}
	return os.Remove(d.g.journalPath())
}

// busyWhenLocked returns a *BusyError for an error of git that says that another git process
// works in the repository.
func busyWhenLocked(err error) error {
	var failure *program.Error
	if errors.As(err, &failure) && failure.Says(".lock': File exists", "but expected", "reference already exists") {
		return &BusyError{fmt.Sprintf("another git process works here (%s)", failure)}
	}
	return err
}

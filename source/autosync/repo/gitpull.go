package repo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxIncoming bounds the commits that a Pulled lists.
const maxIncoming = 100

// Pull implements Repository. It does everything but the last step in memory, by git
// merge-tree; the last step is a checkout, which refuses to overwrite what has changed
// meanwhile. So there is no state of a merge or rebase in progress, HEAD is always on its
// branch, and no marker of a conflict is ever written to a file.
//
// Before each integration a ref below refs/vext/autosync/before/ gets the commit that was
// there, and refs/vext/autosync/upstream/ has the last commit of each remote branch that was
// integrated or pushed. A remote branch that does not continue it was forced.
func (g *gitRepo) Pull(ctx context.Context, o PullOptions) (*Pulled, error) {
	p, err := g.pull(ctx, o)
	g.stopped = nil
	if stopped, ok := err.(*StoppedError); ok {
		g.stopped = stopped // nothing may be pushed over it
	}
	return p, err
}

func (g *gitRepo) pull(ctx context.Context, o PullOptions) (*Pulled, error) {
	f, err := g.follow(ctx)
	if err != nil || f.remote == "" {
		return nil, err
	}
	isFetched, err := g.isFetched(ctx, f, o)
	if err != nil {
		return nil, err
	}
	isDirect, exists := false, isFetched
	if !isFetched {
		if isDirect, err = g.fetchDirect(ctx, f, o); err != nil {
			return nil, err
		}
		if exists = isDirect; !isDirect {
			if exists, err = g.fetch(ctx, f); err != nil {
				return nil, err
			}
		}
	}
	refs, err := g.refValues(ctx, f.local, f.tracking, f.seenRef(), directRef)
	if err != nil {
		return nil, err
	}
	s := comparison{remoteBranch: f, head: refs[f.local], seen: refs[f.seenRef()]}
	if !exists {
		if s.seen != "" || refs[f.tracking] != "" {
			return nil, f.deleted()
		}
		return &Pulled{Before: s.head, After: s.head}, nil
	}
	s.upstream = refs[f.tracking]
	s.unconfirmed = isDirect || s.seen == refs[directRef]
	if !isDirect && !isFetched {
		s.direct = refs[directRef]
	}
	p, err := g.takeIn(ctx, s)
	if p != nil {
		p.Direct = isDirect
	}
	return p, err
}

// isFetched reports whether the clone has the remote branch by the fetch of something else,
// which does not fetch into a ref of autosync.
func (g *gitRepo) isFetched(ctx context.Context, f remoteBranch, o PullOptions) (bool, error) {
	if !o.Fetched || strings.HasPrefix(f.tracking, refsDir) {
		return false, nil
	}
	refs, err := g.refValues(ctx, f.tracking)
	return refs[f.tracking] != "", err
}

// A comparison is that of the branch with its remote branch.
type comparison struct {
	remoteBranch
	head     string // the last commit here, "" before the first
	upstream string // the last commit of the remote branch
	seen     string // the one that was integrated or pushed last
	// unconfirmed says that only a peer has said that seen was pushed: the remote may be
	// behind it.
	unconfirmed bool
	direct      string   // what a peer has said, which the remote has overtaken
	theirs      []logged // what is only in upstream, oldest first
	ours        []logged // what is only in head
	bases       []string // where both begin
}

// takeIn integrates the commit of the remote branch.
func (g *gitRepo) takeIn(ctx context.Context, s comparison) (*Pulled, error) {
	if err := g.compare(ctx, &s); err != nil {
		return nil, err
	}
	if err := g.checkUpstream(ctx, s); err != nil {
		return nil, err
	}
	p := &Pulled{Before: s.head, After: s.head, Upstream: s.upstream}
	if len(s.theirs) == 0 {
		return p, g.noteUpstream(ctx, s)
	}
	in, err := g.integrate(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := g.checkout(ctx, s, in); err != nil {
		return nil, err
	}
	p.After, p.Rebased, p.Conflicts = in.tip, in.rebased, in.conflicts
	for _, c := range s.theirs[max(0, len(s.theirs)-maxIncoming):] {
		p.Commits = append(p.Commits, Incoming{Hash: c.hash, Author: c.author, Subject: c.subject})
	}
	return p, nil
}

// noteUpstream notes that the commit of the remote branch is integrated.
func (g *gitRepo) noteUpstream(ctx context.Context, s comparison) error {
	if commands := s.noted(); commands != "" {
		_, err := g.run(ctx, gitRun{args: []string{"update-ref", "--stdin"}, stdin: strings.NewReader(commands)})
		return err
	}
	return nil
}

// noted returns the commands of git update-ref that note it.
func (s comparison) noted() string {
	commands := ""
	if s.seen != s.upstream {
		commands = "update " + s.seenRef() + " " + s.upstream + "\n"
	}
	if s.direct != "" { // the remote itself has it now
		commands += "delete " + directRef + "\n"
	}
	return commands
}

// A logged commit is one of a comparison of two branches.
type logged struct {
	hash            string
	parents         []string
	author, subject string
}

// compare fills in what is only on one side, and where the sides begin.
func (g *gitRepo) compare(ctx context.Context, s *comparison) error {
	if s.head == s.upstream {
		s.bases = []string{s.head}
		return nil
	}
	between := s.upstream
	if s.head != "" {
		between = s.head + "..." + s.upstream
	}
	out, err := g.git(ctx, "log", "-z", "--no-color", "--no-show-signature", "--no-notes", "--topo-order", "--reverse", "--boundary", "--left-right",
		"--format=tformat:%m%n%H%n%P%n%an%n%s", between, "--")
	if err != nil {
		return err
	}
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		lines := strings.SplitN(entry, "\n", 5)
		if len(lines) < 5 {
			return fmt.Errorf("git log printed %s", strconv.Quote(entry))
		}
		c := logged{lines[1], strings.Fields(lines[2]), lines[3], lines[4]}
		switch {
		case lines[0] == "-":
			s.bases = append(s.bases, c.hash)
		case lines[0] == "<" && s.head != "":
			s.ours = append(s.ours, c)
		default:
			s.theirs = append(s.theirs, c)
		}
	}
	return nil
}

// checkUpstream returns a *StoppedError when the remote branch does not continue what was
// there, and a person has not yet decided what is right: a merge of the new commits, a reset
// to them, or a push of the old ones ends it.
func (g *gitRepo) checkUpstream(ctx context.Context, s comparison) error {
	if err := g.checkForced(ctx, s); err != nil {
		return err
	}
	if len(s.theirs) == 0 || s.head == "" || len(s.bases) > 0 {
		return nil
	}
	if shallow, err := g.git(ctx, "rev-parse", "--is-shallow-repository"); err == nil && shallow == "true\n" {
		return &StoppedError{fmt.Sprintf("this is a shallow clone, and %s has no commit in common with it. To get the rest: git fetch --unshallow %s", s, s.remote)}
	}
	return &StoppedError{fmt.Sprintf("%s and the branch here have no commit in common. To join them: git merge --allow-unrelated-histories %s. "+
		"To take only what is there: git reset --keep %[2]s", s, s.tracking)}
}

// checkForced is checkUpstream for a forced push.
func (g *gitRepo) checkForced(ctx context.Context, s comparison) error {
	if s.seen == "" || slices.Contains(s.bases, s.seen) {
		return nil
	}
	if continues, err := g.isAncestor(ctx, s.seen, s.upstream); err != nil || continues {
		return err
	}
	isBehind, err := g.isAncestor(ctx, s.upstream, s.seen)
	switch {
	case err != nil:
		return err
	case isBehind:
		return g.checkSetBack(ctx, s)
	case len(s.theirs) == 0: // a person has merged it
		return nil
	}
	return &StoppedError{fmt.Sprintf("%s was overwritten by a forced push: it has no longer %s, which was there before. "+
		"To keep both: git merge %[3]s. To take only what is there now: git reset --keep %[3]s. To put back what was there: git push --force-with-lease %[4]s HEAD:%[5]s",
		s, short(s.seen), s.tracking, s.remote, s.branch)}
}

// checkSetBack is checkUpstream for a remote branch that was set back to an earlier commit. A
// push would bring back what somebody wanted to remove.
func (g *gitRepo) checkSetBack(ctx context.Context, s comparison) error {
	if s.unconfirmed || s.head == "" {
		return nil
	}
	if has, err := g.isAncestor(ctx, s.seen, s.head); err != nil || !has {
		return err
	}
	return &StoppedError{fmt.Sprintf("%s was set back from %s to %s by a forced push. To follow it: git reset --keep %s. To undo it: git push %s HEAD:%s",
		s, short(s.seen), short(s.upstream), s.tracking, s.remote, s.branch)}
}

// deleted says that the remote branch was there before.
func (f remoteBranch) deleted() error {
	return &StoppedError{fmt.Sprintf("the branch %s of %s was deleted there. To make it again: git push %[2]s HEAD:refs/heads/%[1]s. "+
		"To follow another one: git branch --set-upstream-to=%[2]s/NAME", f.branch, f.remote)}
}

package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/calendar"
	"vext/internal/hint"
	"vext/internal/program"
	"vext/internal/weburl"
)

// Init sets up a work tree of git at a path for autosync: it makes the repository, or clones
// url, adds the remote, and commits the files that are there. It returns what it did, also
// with an error, each step as a sentence for a person. It overwrites nothing, and never waits
// for a password: files on this side and a history on the other are joined by a person.
func Init(ctx context.Context, path, url string, o Options) (steps []string, err error) {
	if o.Path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &setup{o: o, path: o.Path, url: url, remote: o.Remote}
	if s.remote == "" {
		s.remote = "origin"
	}
	err = s.run(ctx)
	return s.steps, err
}

// A setup is one run of Init.
type setup struct {
	o      Options
	path   string // absolute
	url    string // "" for none
	remote string // its name
	far    farSide
	g      *gitRepo
	steps  []string
}

// did adds a step.
func (s *setup) did(format string, args ...any) {
	s.steps = append(s.steps, fmt.Sprintf(format, args...))
}

func (s *setup) run(ctx context.Context) error {
	if err := s.checkAround(); err != nil {
		return err
	}
	if isBare(s.path) {
		return fmt.Errorf("%s is a git directory, which has no work tree", s.path)
	}
	isEmpty, hasGit, err := s.look()
	if err != nil {
		return err
	}
	if s.url != "" {
		if s.far, err = s.askFar(ctx); err != nil {
			return err
		}
	}
	switch {
	case isEmpty && s.far.branch != "":
		return s.clone(ctx)
	case !hasGit && s.far.branch != "":
		return s.byHand()
	case !hasGit:
		if err := s.makeRepository(ctx); err != nil {
			return err
		}
	}
	if s.g, err = openGit(ctx, s.o); err != nil {
		return err
	}
	if err := s.join(ctx); err != nil {
		return err
	}
	if err := s.firstCommit(ctx); err != nil {
		return err
	}
	if len(s.steps) == 0 {
		s.did("%s is set up already", s.path)
	}
	return nil
}

// look returns whether there is nothing at the path, and whether there is a repository.
func (s *setup) look() (isEmpty, hasGit bool, err error) {
	entries, err := os.ReadDir(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, false, nil
	}
	if err != nil {
		return false, false, err
	}
	for _, e := range entries {
		switch e.Name() {
		case ".git":
			return false, true, nil
		case ".hg", ".svn":
			return false, false, fmt.Errorf("%s is a repository of %s already", s.path, e.Name()[1:])
		}
	}
	return len(entries) == 0, false, nil
}

// checkAround returns an error when the path is within a repository: a repository in another
// one is left alone by both.
func (s *setup) checkAround() error {
	for dir := filepath.Dir(s.path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(s.path, ".git")); err == nil {
			return nil
		}
		for _, name := range []string{".git", ".hg"} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				return hint.Wrap(fmt.Errorf("%s is in the repository %s", s.path, dir),
					"git init "+s.path+", if it shall be one of its own")
			}
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// git runs a git command where there is no repository yet.
func (s *setup) git(ctx context.Context, args ...string) (string, error) {
	dir := s.path
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	g := &gitRepo{opts: s.o, root: dir}
	run := gitRun{args: args, within: gitLimit}
	switch args[0] {
	case "clone":
		run.within = cloneLimit
	case "ls-remote":
		run.within = askLimit
	case "init", "config":
		return g.run(ctx, run)
	}
	settings, err := g.readSettings(ctx)
	if err != nil {
		return "", err
	}
	run.env = settings.sshEnvironment()
	return g.run(ctx, run)
}

// A farSide is what the remote has.
type farSide struct {
	branch string // that to follow, "" when there is no commit
	head   string // the commit of it
}

// askFar asks the remote which branch to follow: that of the options, its HEAD, or the only
// one.
func (s *setup) askFar(ctx context.Context) (farSide, error) {
	out, err := s.git(ctx, "ls-remote", "--symref", "--", s.url)
	if err != nil {
		return farSide{}, hint.Wrap(&OfflineError{err}, "the repository must exist, and be reached without a question; to make it on the server: git init --bare PATH")
	}
	branches := map[string]string{}
	want, only := s.o.Branch, ""
	for line := range strings.Lines(out) {
		value, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if head, ok := strings.CutPrefix(value, "ref: refs/heads/"); ok && name == "HEAD" && want == "" {
			want = head
		} else if name, ok := strings.CutPrefix(name, "refs/heads/"); ok {
			branches[name], only = value, name
		}
	}
	switch {
	case len(branches) == 0:
		return farSide{}, nil
	case branches[want] != "":
		return farSide{want, branches[want]}, nil
	case len(branches) == 1 && s.o.Branch == "":
		return farSide{only, branches[only]}, nil
	case s.o.Branch != "":
		return farSide{}, fmt.Errorf("%s has no branch %s", weburl.Parse(s.url), s.o.Branch)
	}
	return farSide{}, fmt.Errorf("%s has %d branches: say which one to follow", weburl.Parse(s.url), len(branches))
}

// clone clones the remote into an empty directory.
func (s *setup) clone(ctx context.Context) error {
	_, err := s.git(ctx, "clone", "--quiet", "--origin", s.remote, "--branch", s.far.branch, "--", s.url, s.path)
	if err == nil {
		s.did("cloned %s into %s, branch %s", weburl.Parse(s.url), s.path, s.far.branch)
	}
	return err
}

// makeRepository makes one, on the branch that git is configured to begin with, else main.
func (s *setup) makeRepository(ctx context.Context) error {
	branch := s.o.Branch
	if branch == "" {
		out, err := s.git(ctx, "config", "--default=main", "--get", "init.defaultBranch")
		if err != nil {
			return err
		}
		branch = strings.TrimSpace(out)
	}
	if _, err := s.git(ctx, "init", "--quiet", "--initial-branch="+branch, "--", s.path); err != nil {
		return err
	}
	s.did("made a repository in %s, on branch %s", s.path, branch)
	return nil
}

// firstCommit commits the files that are there when there is no commit yet.
func (s *setup) firstCommit(ctx context.Context) error {
	if head, err := s.g.Head(ctx); err != nil || head != "" {
		return err
	}
	changes, err := s.g.Changes(ctx)
	if err != nil {
		return err
	}
	for i, c := range changes {
		changes[i].Staged = false // a person who asks for this wants it committed
		if c.Info != nil && c.Info.Size() > maxFirst && c.Info.Mode().IsRegular() {
			changes[i].Refuse = fmt.Sprintf("it is larger than %d MB", maxFirst/1_000_000)
		}
	}
	c, err := s.g.Commit(ctx, changes, func(_ context.Context, stats []Stat) (string, error) {
		message := "First commit of " + calendar.Plural(len(stats), "file")
		if s.o.Host != "" {
			message += " on " + s.o.Host
		}
		return message, nil
	})
	if c == nil || err != nil {
		return err
	}
	if c.Hash != "" {
		what := "the file that was there"
		if n := len(c.Stats); n != 1 {
			what = fmt.Sprintf("the %d files that were there", n)
		}
		s.did("committed %s", what)
	}
	for _, r := range c.Refused {
		s.did("left out %s: %s", r.Path, r.Refuse)
	}
	return nil
}

// maxFirst bounds the files of a first commit, in bytes: the default of max_file.
const maxFirst = 50_000_000

// join adds the remote, and has the branch follow one of it.
func (s *setup) join(ctx context.Context) error {
	if err := s.addRemote(ctx); err != nil {
		return err
	}
	u, err := s.g.upstream(ctx)
	if err != nil || u.remote == "" || u.local == "" {
		return err
	}
	if s.far.branch != "" {
		if err := s.checkHistory(ctx, u); err != nil {
			return err
		}
		u.branch = s.far.branch
	}
	out, err := s.g.ask(ctx, "config", "--get", "branch."+u.local+".merge")
	if err != nil || out != "" {
		return err
	}
	for _, pair := range [][2]string{{"remote", u.remote}, {"merge", "refs/heads/" + u.branch}} {
		if _, err := s.g.git(ctx, "config", "branch."+u.local+"."+pair[0], pair[1]); err != nil {
			return err
		}
	}
	s.did("branch %s follows %s of %s", u.local, u.branch, u.remote)
	return nil
}

// addRemote adds the remote of the URL, unless it is there.
func (s *setup) addRemote(ctx context.Context) error {
	if s.url == "" {
		return nil
	}
	was, err := s.g.ask(ctx, "config", "--get", "remote."+s.remote+".url")
	if was = strings.TrimSuffix(was, "\n"); err != nil || was == s.url {
		return err
	}
	if was != "" {
		return hint.Wrap(fmt.Errorf("%s has a remote %s already, %s", s.path, s.remote, weburl.Parse(was)),
			fmt.Sprintf("git -C %s remote set-url %s %s", s.path, s.remote, weburl.Parse(s.url)))
	}
	if _, err := s.g.git(ctx, "remote", "add", "--", s.remote, s.url); err != nil {
		return err
	}
	s.did("added the remote %s, %s", s.remote, weburl.Parse(s.url))
	return nil
}

// checkHistory fetches, and returns an error when both sides have histories, or this side has
// files, that only a person can join.
func (s *setup) checkHistory(ctx context.Context, u upstream) error {
	tracking := "refs/remotes/" + u.remote + "/" + s.far.branch
	if _, err := s.git(ctx, "fetch", "--quiet", u.remote, "+refs/heads/"+s.far.branch+":"+tracking); err != nil {
		return &OfflineError{err}
	}
	head, err := s.g.Head(ctx)
	if err != nil {
		return err
	}
	if head == "" {
		return s.begin(ctx, u, tracking)
	}
	_, err = s.g.git(ctx, "merge-base", head, tracking)
	var failure *program.Error
	if errors.As(err, &failure) && failure.Status() == 1 {
		err = hint.Wrap(fmt.Errorf("%s and %s have nothing in common: join them by hand", s.path, weburl.Parse(s.url)),
			fmt.Sprintf("git -C %s merge --allow-unrelated-histories %s/%s", s.path, u.remote, s.far.branch))
	}
	return err
}

// begin checks out the branch of the remote where there is no commit, and no file either: git
// would overwrite one that is ignored.
func (s *setup) begin(ctx context.Context, u upstream, tracking string) error {
	entries, err := os.ReadDir(s.path)
	if err != nil {
		return err
	}
	if len(entries) > 1 {
		return s.byHand()
	}
	if _, err := s.g.git(ctx, "merge", "--quiet", "--ff-only", tracking); err != nil {
		return err
	}
	s.did("checked out %s of %s", s.far.branch, u.remote)
	return nil
}

// byHand returns the error for files here and a history there.
func (s *setup) byHand() error {
	url := weburl.Parse(s.url)
	return hint.Wrap(fmt.Errorf("%s has files, and %s has a history: join them by hand", s.path, url),
		fmt.Sprintf("git clone %s %s.new, then move the files into it", url, s.path))
}

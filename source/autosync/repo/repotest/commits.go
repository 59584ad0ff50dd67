package repotest

import (
	"context"
	"errors"
	"os"
	"slices"

	"vext/source/autosync/repo"
)

// nothing: an empty clone of an empty remote has nothing to do.
func (s *suite) nothing() {
	ctx := s.Context()
	s.check(s.A.Ready(ctx))
	if got := s.changes(s.A); len(got) > 0 {
		s.Errorf("changed: %q", got)
	}
	if c, err := s.A.Commit(ctx, nil, saying("empty")); c != nil || err != nil {
		s.Errorf("commit: %v, %v", c, err)
	}
	if n, err := s.A.Unpushed(ctx); n != 0 || err != nil {
		s.Errorf("unpushed: %d, %v", n, err)
	}
	if s.Coarse {
		return // its commands fail in an empty repository
	}
	if p := s.push(s.A); p != nil {
		s.Errorf("pushed %v", p)
	}
	if p := s.pull(s.A); p.Before != p.After || len(p.Commits)+len(p.Conflicts)+p.Rebased > 0 {
		s.Errorf("pulled %+v", p)
	}
	s.write(s.A, "a.txt", "one\n")
	s.save(s.A, "a.txt")
	if c, err := s.A.Commit(ctx, []repo.Change{{Path: "a.txt", Kind: repo.Modified}}, saying("again")); c != nil || err != nil {
		s.Errorf("a second commit of the same: %v, %v", c, err)
	}
	s.clean(s.A)
}

// oneCommit: a commit has new, changed, deleted and renamed files.
func (s *suite) oneCommit() {
	for _, name := range []string{"a.txt", "gone.txt", "dir/old.txt"} {
		s.write(s.A, name, name+"\nsecond\n")
	}
	s.save(s.A, "a.txt", "gone.txt", "dir")
	before := s.head(s.A)

	s.write(s.A, "a.txt", "a.txt\nchanged\nlonger\n")
	s.write(s.A, "new/b.txt", "new\n")
	s.remove(s.A, "gone.txt")
	s.check(os.Rename(fileOf(s.A, "dir/old.txt"), fileOf(s.A, "new/name.txt")))
	want := []string{"modified a.txt", "deleted dir/old.txt", "deleted gone.txt", "added new/b.txt", "added new/name.txt"}
	paths := []string{"a.txt", "dir/old.txt", "gone.txt", "new/b.txt", "new/name.txt"}
	if s.Coarse {
		want[0] = "added a.txt" // for what is there
	} else if got := s.changes(s.A); !slices.Equal(got, want) {
		s.Errorf("changed: %q", got)
	}
	if got := s.changes(s.A, paths...); !slices.Equal(got, want) {
		s.Errorf("changed, by path: %q", got)
	}
	c := s.save(s.A, paths...)
	if h := s.head(s.A); h == before || h != c.Hash {
		s.Errorf("committed %q, the last commit is %q, was %q", c.Hash, h, before)
	}
	if got := s.changes(s.A); len(got) > 0 {
		s.Errorf("changed after the commit: %q", got)
	}
	if n, err := s.A.Unpushed(s.Context()); err != nil || n != 2 && !s.Coarse {
		s.Errorf("unpushed: %d, %v", n, err)
	}
	if !s.Coarse {
		s.stats(c.Stats)
	}
}

// stats checks those of oneCommit.
func (s *suite) stats(stats []repo.Stat) {
	s.Helper()
	found := map[string]repo.Stat{}
	for _, stat := range stats {
		found[stat.Path] = stat
	}
	if a := found["a.txt"]; a.Kind != repo.Modified || a.Added != 2 || a.Deleted != 1 {
		s.Errorf("a.txt: %+v", a)
	}
	if b := found["new/b.txt"]; b.Kind != repo.Added || b.Added != 1 {
		s.Errorf("new/b.txt: %+v", b)
	}
	if gone := found["gone.txt"]; gone.Kind != repo.Deleted || gone.Deleted != 2 {
		s.Errorf("gone.txt: %+v", gone)
	}
	if renamed := found["new/name.txt"]; renamed.From != "dir/old.txt" || len(stats) != 4 {
		s.Errorf("new/name.txt: %+v, of %d", renamed, len(stats))
	}
}

// hostile are names of files that programs misunderstand.
var hostile = []string{
	"-rf", "--all", "a b", " leading", "trailing ", "quote\"s'", "back\\slash", "line\nbreak", "tab\tbed", "é", "e\u0301",
	"*", "[a]", "?", "%s", "100%", ":(top)x", "glob:*", "re:.*", "set:all()", "listfile0:x", "path:y", "#hash", "~", "$HOME", "`id`", ";", "dir/-x",
	"...", "@", "HEAD", "\xff\xfe", "<<<<<<<",
}

// names: each of them can be committed, pushed, pulled, changed and deleted.
func (s *suite) names() {
	var names []string
	for _, name := range hostile {
		if s.Refuses == nil || !s.Refuses(name) {
			names = append(names, name)
			s.write(s.A, name, "content of "+name)
		}
	}
	s.save(s.A, names...)
	s.push(s.A)
	s.pull(s.B)
	for _, name := range names {
		s.has(s.B, name, "content of "+name)
		s.write(s.A, name, "changed")
	}
	if got := s.changes(s.A); len(got) != len(names) && !s.Coarse {
		s.Errorf("changed: %q", got)
	}
	s.save(s.A, names...)
	for _, name := range names {
		s.remove(s.A, name)
	}
	s.save(s.A, names...)
	s.push(s.A)
	s.pull(s.B)
	if got := files(s.B); len(got) > 0 {
		s.Errorf("left: %q", got)
	}
}

// onlyGiven: a commit has only the changes that it was given.
func (s *suite) onlyGiven() {
	if s.Coarse {
		s.Skip("its commit takes what the program takes")
	}
	s.share("x", "x\n", "y", "y\n", "z", "z\n")
	s.write(s.A, "x", "changed x\n")
	s.write(s.A, "y", "changed y\n")
	s.write(s.A, "new", "new\n")
	s.remove(s.A, "z")
	s.save(s.A, "x")
	want := []string{"added new", "modified y", "deleted z"}
	if got := s.changes(s.A); !slices.Equal(got, want) {
		s.Errorf("left: %q", got)
	}
	s.push(s.A)
	s.pull(s.B)
	s.has(s.B, "x", "changed x\n")
	s.has(s.B, "y", "y\n")
	s.has(s.B, "z", "z\n")
	s.hasNot(s.B, "new")
	s.save(s.A)
	s.push(s.A)
	s.pull(s.B)
	s.has(s.B, "new", "new\n")
	s.hasNot(s.B, "z")
}

// messageFails: without a message there is no commit.
func (s *suite) messageFails() {
	s.write(s.A, "a.txt", "one\n")
	changes, err := s.A.Changes(s.Context(), "a.txt")
	s.check(err)
	failed, before := errors.New("no message"), s.head(s.A)
	c, err := s.A.Commit(s.Context(), changes, func(context.Context, []repo.Stat) (string, error) { return "", failed })
	if c != nil || !errors.Is(err, failed) || s.head(s.A) != before {
		s.Errorf("%v, %v", c, err)
	}
	s.has(s.A, "a.txt", "one\n")
	for _, message := range []string{"-m %s --amend\n\nbody 'of' it: é", "# not a comment"} {
		s.write(s.A, "a.txt", message)
		changes, err = s.A.Changes(s.Context(), "a.txt")
		s.check(err)
		c, err = s.A.Commit(s.Context(), changes, saying(message))
		s.check(err)
		if c == nil || c.Message != message {
			s.Errorf("%+v, want the message %q", c, message)
		}
	}
}

// modes: whether a file is executable, and a symbolic link, are changes like any.
func (s *suite) modes() {
	s.share("run", "#!/bin/sh\n", "data", "data\n")
	s.check(os.Chmod(fileOf(s.A, "run"), 0o755))
	s.check(os.Symlink("nowhere", fileOf(s.A, "link")))
	s.save(s.A, "run", "link")
	s.push(s.A)
	s.pull(s.B)
	if info, err := os.Stat(fileOf(s.B, "run")); err != nil || info.Mode()&0o111 == 0 {
		s.Errorf("run: %v, %v", info, err)
	}
	if to, err := os.Readlink(fileOf(s.B, "link")); err != nil || to != "nowhere" {
		s.Errorf("link: %q, %v", to, err)
	}
}

// fileAndDirectory: a file becomes a directory, and a directory a file.
func (s *suite) fileAndDirectory() {
	s.share("file", "was a file\n", "dir/a", "in a directory\n")
	s.remove(s.A, "file")
	s.remove(s.A, "dir")
	s.write(s.A, "file/a", "in a directory now\n")
	s.write(s.A, "dir", "a file now\n")
	s.save(s.A, "file", "dir", "file/a", "dir/a")
	s.push(s.A)
	s.pull(s.B)
	s.has(s.B, "file/a", "in a directory now\n")
	s.has(s.B, "dir", "a file now\n")
}

// nested: a repository in the work tree is reported and left alone.
func (s *suite) nested() {
	if s.Coarse {
		s.Skip("what to do with it is up to the program")
	}
	s.write(s.A, "good", "good\n")
	s.write(s.A, "inner/mine", "mine\n")
	s.check(os.MkdirAll(fileOf(s.A, "inner/.git/objects"), 0o777))
	s.check(os.MkdirAll(fileOf(s.A, "inner/.git/refs"), 0o777))
	s.write(s.A, "inner/.git/HEAD", "ref: refs/heads/main\n")
	s.check(os.MkdirAll(fileOf(s.A, "other/.hg/store"), 0o777))
	s.write(s.A, "other/mine", "mine\n")
	nested := 0
	for _, c := range s.changes(s.A) {
		if c == "nested inner" || c == "nested other" {
			nested++
		}
	}
	if nested == 0 {
		s.Errorf("changed: %q", s.changes(s.A))
	}
	s.save(s.A)
	s.push(s.A)
	s.pull(s.B)
	s.has(s.B, "good", "good\n")
	s.hasNot(s.B, "inner")
	s.has(s.A, "inner/mine", "mine\n")
}

// unsafe: nothing is committed in the middle of what a person does.
func (s *suite) unsafe() {
	if len(s.Unsafe) == 0 {
		s.Skip("there are no such states")
	}
	for name, enter := range s.Unsafe {
		leave := enter()
		var busy *repo.BusyError
		if err := s.A.Ready(s.Context()); !errors.As(err, &busy) {
			s.Errorf("%s: %v", name, err)
		} else {
			s.Logf("%s: %v", name, err)
		}
		leave()
		if err := s.A.Ready(s.Context()); err != nil {
			s.Errorf("after %s: %v", name, err)
		}
	}
}

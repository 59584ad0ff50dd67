package repotest

import (
	"errors"
	"os"
	"slices"
	"strings"

	"vext/source/autosync/repo"
)

// pushAndPull: what one clone commits arrives in the other, once.
func (s *suite) pushAndPull() {
	s.write(s.A, "a.txt", "one\n")
	first := s.save(s.A, "a.txt")
	if p := s.push(s.A); p == nil || p.Old != "" || p.New != first.Hash {
		if !s.Coarse {
			s.Errorf("pushed %+v, want %s", p, first.Hash)
		}
	}
	if p := s.push(s.A); p != nil && !s.Coarse {
		s.Errorf("pushed again %+v", p)
	}
	if n, err := s.A.Unpushed(s.Context()); err != nil || n != 0 && !s.Coarse {
		s.Errorf("unpushed: %d, %v", n, err)
	}
	p := s.pull(s.B)
	s.has(s.B, "a.txt", "one\n")
	if !s.Coarse && (p.After != first.Hash || p.Before == p.After || len(p.Commits) != 1 || p.Commits[0].Hash != first.Hash || p.Commits[0].Subject != "save a.txt" || p.Upstream != first.Hash) {
		s.Errorf("pulled %+v", p)
	}
	if p := s.pull(s.B); p.Before != p.After || len(p.Commits)+len(p.Conflicts) > 0 {
		s.Errorf("pulled again %+v", p)
	}
	url, branch, err := s.A.RemoteURL(s.Context())
	if err != nil || url == "" || branch == "" && !s.Coarse {
		s.Errorf("remote %q, %q, %v", url, branch, err)
	}
}

// behind: a push that the remote is ahead of asks for a pull, after which it works.
func (s *suite) behind() {
	s.share("base", "base\n", "gone", "gone\n")
	s.write(s.A, "a/theirs.txt", "theirs\n")
	s.write(s.A, "base", "changed there\n")
	s.save(s.A, "a/theirs.txt", "base")
	s.push(s.A)
	s.write(s.B, "b/ours.txt", "ours\n")
	s.save(s.B, "b/ours.txt")
	s.remove(s.B, "gone")
	s.save(s.B, "gone")
	s.write(s.B, "untracked", "not committed yet\n")
	if p, err := s.B.Push(s.Context()); p != nil || !errors.Is(err, repo.ErrBehind) {
		s.Errorf("pushed %+v, %v", p, err)
	}
	if s.Coarse {
		return
	}
	p := s.pull(s.B)
	if len(p.Commits) != 1 || len(p.Conflicts) > 0 {
		s.Errorf("pulled %+v", p)
	}
	s.has(s.B, "a/theirs.txt", "theirs\n")
	s.has(s.B, "b/ours.txt", "ours\n")
	s.has(s.B, "base", "changed there\n")
	s.has(s.B, "untracked", "not committed yet\n")
	s.hasNot(s.B, "gone")
	s.remove(s.B, "untracked")
	s.meet()
}

// identity: clones of one repository have the same, and it stays.
func (s *suite) identity() {
	s.share("a", "a\n")
	a, err := s.A.Identity(s.Context())
	s.check(err)
	b, err := s.B.Identity(s.Context())
	s.check(err)
	if a != b || a == "" {
		s.Errorf("%q and %q", a, b)
	}
	s.write(s.A, "a", "second\n")
	s.save(s.A, "a")
	if again, err := s.A.Identity(s.Context()); err != nil || again != a {
		s.Errorf("%q, then %q, %v", a, again, err)
	}
}

// cut: an unreachable remote is an OfflineError, and nothing is lost.
func (s *suite) cut() {
	if s.Cut == nil {
		s.Skip()
	}
	s.share("a", "a\n")
	s.write(s.A, "a", "second\n")
	s.save(s.A, "a")
	s.Cut()
	var offline *repo.OfflineError
	if _, err := s.A.Push(s.Context()); !errors.As(err, &offline) {
		s.Errorf("push: %v", err)
	}
	if _, err := s.A.Pull(s.Context(), repo.PullOptions{}); !errors.As(err, &offline) {
		s.Errorf("pull: %v", err)
	}
	s.has(s.A, "a", "second\n")
}

// unrelated: another history is not integrated.
func (s *suite) unrelated() {
	if s.Unrelate == nil {
		s.Skip()
	}
	s.share("a", "a\n")
	s.write(s.A, "a", "second\n")
	s.save(s.A, "a")
	s.Unrelate()
	before := s.head(s.A)
	var stopped *repo.StoppedError
	if _, err := s.A.Pull(s.Context(), repo.PullOptions{}); !errors.As(err, &stopped) {
		s.Errorf("pull: %v", err)
	} else {
		s.Log(err)
	}
	if s.head(s.A) != before {
		s.Error("something was integrated")
	}
	s.has(s.A, "a", "second\n")
}

// changedMeanwhile: a file that a person has just saved is not overwritten.
func (s *suite) changedMeanwhile() {
	if s.Coarse {
		s.Skip("it is up to the program")
	}
	s.share("a", "a\n", "b", "b\n")
	s.publish("a", "theirs\n")
	s.write(s.B, "b", "just saved\n")
	before := s.head(s.B)
	s.write(s.B, "a", "ours, just saved\n")
	if p, err := s.B.Pull(s.Context(), repo.PullOptions{}); !errors.Is(err, repo.ErrChanged) {
		s.Errorf("pulled %+v, %v", p, err)
	}
	s.has(s.B, "a", "ours, just saved\n")
	s.has(s.B, "b", "just saved\n")
	if s.head(s.B) != before {
		s.Error("something was integrated")
	}
	s.check(s.B.Ready(s.Context()))
	s.save(s.B)
	s.pull(s.B)
	s.has(s.B, "a", "theirs\n")
	s.has(s.B, copyOf("a"), "ours, just saved\n")
	s.has(s.B, "b", "just saved\n")
	s.meet()
}

// inTheWay: a file that is not committed and has the name of one that comes is kept.
func (s *suite) inTheWay() {
	if s.Coarse {
		s.Skip("it is up to the program")
	}
	s.share("a", "a\n")
	s.publish("new", "theirs\n")
	s.write(s.B, "new", "ours\n")
	if p, err := s.B.Pull(s.Context(), repo.PullOptions{}); !errors.Is(err, repo.ErrChanged) {
		s.Errorf("pulled %+v, %v", p, err)
	}
	s.has(s.B, "new", "ours\n")
	s.save(s.B)
	s.pull(s.B)
	s.has(s.B, "new", "theirs\n")
	s.has(s.B, copyOf("new"), "ours\n")
	s.meet()
}

// differentLines: changes of different lines of a file are merged.
func (s *suite) differentLines() {
	if !s.MergesLines {
		s.Skip()
	}
	middle := strings.Repeat("line\n", 20)
	s.share("a.txt", "first\n"+middle+"last\n")
	s.publish("a.txt", "theirs\n"+middle+"last\n")
	s.write(s.B, "a.txt", "first\n"+middle+"ours\n")
	s.save(s.B, "a.txt")
	if p := s.pull(s.B); len(p.Conflicts) > 0 {
		s.Errorf("pulled %+v", p)
	}
	s.has(s.B, "a.txt", "theirs\n"+middle+"ours\n")
	s.meet()
}

// copyOf returns the name of the copy that B keeps of a file.
func copyOf(name string) string {
	return repo.ConflictName(name, "beta", now, func(string) bool { return false })
}

// both has A and B change the same file, and A push.
func (s *suite) both(name, theirs, ours string) {
	s.Helper()
	if s.Coarse {
		s.Skip("conflicts are up to the program")
	}
	s.publish(name, theirs)
	s.write(s.B, name, ours)
	s.save(s.B, name)
}

// conflictCopy: theirs stays, ours is kept beside it, and both go on.
func (s *suite) conflictCopy() {
	name := "some notes/todo list.txt"
	s.share(name, "base\n", "other", "other\n")
	s.write(s.B, "other", "ours alone\n")
	s.save(s.B, "other")
	s.both(name, "theirs\n", "ours\n")
	p := s.pull(s.B)
	if len(p.Conflicts) != 1 || p.Conflicts[0].Path != name || p.Conflicts[0].Copy != copyOf(name) || p.Conflicts[0].Text == "" {
		s.Errorf("conflicts: %+v", p.Conflicts)
	}
	s.has(s.B, name, "theirs\n")
	s.has(s.B, copyOf(name), "ours\n")
	s.has(s.B, "other", "ours alone\n")
	s.unmarked(s.B)
	s.clean(s.B)
	s.meet()
	s.keeps(s.A, "base\n", "theirs\n", "ours\n")
	s.publish(name, "a third\n")
	if p := s.pull(s.B); len(p.Conflicts) > 0 {
		s.Errorf("a third change: %+v", p.Conflicts)
	}
	s.has(s.B, name, "a third\n")
}

// twoCommits: the last version of ours is in a copy, the one before in the history.
func (s *suite) twoCommits() {
	s.share("a.txt", "base\n")
	s.both("a.txt", "theirs\n", "ours, first\n")
	s.write(s.B, "a.txt", "ours, second\n")
	s.write(s.B, "b.txt", "beside\n")
	s.save(s.B, "a.txt", "b.txt")
	p := s.pull(s.B)
	if len(p.Conflicts) == 0 {
		s.Error("no conflict")
	}
	s.has(s.B, "a.txt", "theirs\n")
	s.has(s.B, "b.txt", "beside\n")
	isKept := slices.ContainsFunc(files(s.B), func(f string) bool {
		return strings.HasPrefix(f, "a (conflict beta ") && strings.HasSuffix(f, ": ours, second\n")
	})
	if !isKept {
		s.Errorf("files: %q", files(s.B))
	}
	s.unmarked(s.B)
	s.meet()
	s.keeps(s.B, "ours, first\n", "ours, second\n", "theirs\n")
}

// policyOurs: ours stays in place, theirs in the history.
func (s *suite) policyOurs() {
	s.share("a.txt", "base\n")
	s.both("a.txt", "theirs\n", "ours\n")
	if p := s.pull(s.B); len(p.Conflicts) != 1 {
		s.Errorf("conflicts: %+v", p.Conflicts)
	}
	s.has(s.B, "a.txt", "ours\n")
	s.meet()
	s.keeps(s.B, "theirs\n", "ours\n")
}

// policyTheirs: theirs stays in place, and ours is still to be found.
func (s *suite) policyTheirs() {
	s.share("a.txt", "base\n")
	s.both("a.txt", "theirs\n", "ours\n")
	if p := s.pull(s.B); len(p.Conflicts) != 1 {
		s.Errorf("conflicts: %+v", p.Conflicts)
	}
	s.has(s.B, "a.txt", "theirs\n")
	if got := files(s.B); len(got) != 1 {
		s.Errorf("files: %q", got)
	}
	s.meet()
}

// policyStop: nothing is integrated.
func (s *suite) policyStop() {
	s.share("a.txt", "base\n")
	s.both("a.txt", "theirs\n", "ours\n")
	before := s.head(s.B)
	var stopped *repo.StoppedError
	if p, err := s.B.Pull(s.Context(), repo.PullOptions{}); !errors.As(err, &stopped) {
		s.Errorf("pulled %+v, %v", p, err)
	}
	if s.head(s.B) != before {
		s.Error("something was integrated")
	}
	s.has(s.B, "a.txt", "ours\n")
	s.clean(s.B)
}

// addAdd: both have made a file of the same name.
func (s *suite) addAdd() {
	s.share("base", "base\n")
	s.both("new.md", "theirs\n", "ours\n")
	if p := s.pull(s.B); len(p.Conflicts) != 1 {
		s.Errorf("conflicts: %+v", p.Conflicts)
	}
	s.has(s.B, "new.md", "theirs\n")
	s.has(s.B, copyOf("new.md"), "ours\n")
	s.meet()
}

// binary: a file that is not text is kept whole, twice.
func (s *suite) binary() {
	s.share("a.png", "base\x00\xff")
	s.both("a.png", "theirs\x00\xff", "ours\x00\xfe")
	if p := s.pull(s.B); len(p.Conflicts) != 1 {
		s.Errorf("conflicts: %+v", p.Conflicts)
	}
	s.has(s.B, "a.png", "theirs\x00\xff")
	s.has(s.B, copyOf("a.png"), "ours\x00\xfe")
	s.meet()
}

// deletedHere: a file that we have deleted, and they have changed, comes back.
func (s *suite) deletedHere() {
	if s.Coarse {
		s.Skip("conflicts are up to the program")
	}
	s.share("a.txt", "base\n", "b", "b\n")
	s.publish("a.txt", "theirs\n")
	s.remove(s.B, "a.txt")
	s.save(s.B, "a.txt")
	if p := s.pull(s.B); len(p.Conflicts) != 1 || p.Conflicts[0].Path != "a.txt" {
		s.Errorf("conflicts: %+v", p.Conflicts)
	}
	s.has(s.B, "a.txt", "theirs\n")
	s.meet()
}

// deletedThere: a file that they have deleted, and we have changed, stays.
func (s *suite) deletedThere() {
	if s.Coarse {
		s.Skip("conflicts are up to the program")
	}
	s.share("a.txt", "base\n", "b", "b\n")
	s.check(os.Remove(fileOf(s.A, "a.txt")))
	s.save(s.A, "a.txt")
	s.push(s.A)
	s.write(s.B, "a.txt", "ours\n")
	s.save(s.B, "a.txt")
	if p := s.pull(s.B); len(p.Conflicts) != 1 || p.Conflicts[0].Path != "a.txt" {
		s.Errorf("conflicts: %+v", p.Conflicts)
	}
	s.has(s.B, "a.txt", "ours\n")
	s.meet()
}

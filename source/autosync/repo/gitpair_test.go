package repo_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/source/autosync/repo"
)

// A pair is two clones of one bare repository.
type pair struct {
	testing.TB
	dir, remote string
	a, b        repo.Repository
}

var someTime = time.Date(2026, 11, 30, 14, 5, 0, 0, time.UTC)

// newPair makes two clones. Of the options it sets what is not set.
func newPair(t testing.TB, o repo.Options) *pair {
	t.Helper()
	dir := t.TempDir()
	p := &pair{TB: t, dir: dir, remote: filepath.Join(dir, "remote")}
	git(t, dir, "init", "-q", "--bare", p.remote)
	for _, host := range []string{"alpha", "beta"} {
		git(t, dir, "clone", "-q", p.remote, host)
		git(t, filepath.Join(dir, host), "config", "user.name", host)
	}
	p.a, p.b = p.open("alpha", o), p.open("beta", o)
	return p
}

func (p *pair) open(host string, o repo.Options) repo.Repository {
	p.Helper()
	o.Path, o.Host = filepath.Join(p.dir, host), host
	if o.Now == nil {
		o.Now = func() time.Time { return someTime }
	}
	r, err := repo.Open(p.Context(), "git", o)
	p.check(err)
	return r
}

func (p *pair) check(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// sh runs a script in a work tree.
func (p *pair) sh(r repo.Repository, script string) {
	p.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = r.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		p.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// save commits everything, if there is something.
func (p *pair) save(r repo.Repository) {
	p.Helper()
	p.check(r.Ready(p.Context()))
	changes, err := r.Changes(p.Context())
	p.check(err)
	_, err = r.Commit(p.Context(), changes, saying("autosync"))
	p.check(err)
}

func (p *pair) push(r repo.Repository) {
	p.Helper()
	_, err := r.Push(p.Context())
	p.check(err)
}

func (p *pair) pull(r repo.Repository) *repo.Pulled {
	p.Helper()
	pulled, err := r.Pull(p.Context(), repo.PullOptions{})
	p.check(err)
	return pulled
}

// share runs a script in A and brings what it makes to B.
func (p *pair) share(script string) {
	p.Helper()
	p.sh(p.a, script)
	p.save(p.a)
	p.push(p.a)
	p.pull(p.b)
}

// part runs a script on each side, and pushes what A has made.
func (p *pair) part(theirs, ours string) {
	p.Helper()
	p.sh(p.a, theirs)
	p.save(p.a)
	p.push(p.a)
	p.sh(p.b, ours)
	p.save(p.b)
}

// meet brings what B has to A.
func (p *pair) meet() {
	p.Helper()
	p.push(p.b)
	p.pull(p.a)
	p.sound(p.a)
	p.sound(p.b)
	if a, b := p.git(p.a, "rev-parse", "HEAD"), p.git(p.b, "rev-parse", "HEAD"); a != b {
		p.Errorf("%s and %s after both have pulled", a, b)
	}
}

func (p *pair) git(r repo.Repository, args ...string) string {
	p.Helper()
	return strings.TrimSuffix(git(p, r.Root(), args...), "\n")
}

// sound checks what must always be true of a clone.
func (p *pair) sound(r repo.Repository) {
	p.Helper()
	if head := p.git(r, "symbolic-ref", "HEAD"); head != "refs/heads/main" {
		p.Errorf("HEAD is %s", head)
	}
	if status := p.git(r, "status", "--porcelain"); status != "" {
		p.Errorf("not clean: %s", status)
	}
	p.git(r, "fsck", "--no-dangling", "--no-progress")
	if all := p.history(r); strings.Contains(all, "<<<<<<<") || strings.Contains(all, ">>>>>>>") {
		p.Errorf("a marker of a conflict is in the history")
	}
	filepath.WalkDir(filepath.Join(r.Root(), ".git"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(name, ".lock") || slices.Contains([]string{"MERGE_HEAD", "rebase-merge", "integrate"}, d.Name())) {
			p.Errorf("left behind: %s", name)
		}
		return nil
	})
}

// history returns all files that are in the history of HEAD.
func (p *pair) history(r repo.Repository) string {
	p.Helper()
	cmd := exec.Command("sh", "-c", "git rev-list --objects --no-object-names HEAD | git cat-file --batch='%(objecttype)'")
	cmd.Dir = r.Root()
	out, err := cmd.Output()
	p.check(err)
	return string(out)
}

// files lists a work tree: "name: content", "name -> target", "name*: content" of a program.
func (p *pair) files(r repo.Repository) string {
	p.Helper()
	var found []string
	filepath.WalkDir(r.Root(), func(full string, d fs.DirEntry, err error) error {
		p.check(err)
		name, _ := filepath.Rel(r.Root(), full)
		if name == ".git" {
			return filepath.SkipDir
		}
		info, err := d.Info()
		p.check(err)
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(full)
			found = append(found, name+" -> "+target)
		case !d.IsDir():
			content, _ := os.ReadFile(full)
			if info.Mode()&0o100 != 0 {
				name += "*"
			}
			found = append(found, name+": "+strings.ReplaceAll(strings.TrimSuffix(string(content), "\n"), "\n", "/"))
		}
		return nil
	})
	return sorted(strings.Join(found, "\n"))
}

// sorted sorts lines.
func sorted(lines string) string {
	list := strings.Split(lines, "\n")
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// saying returns the message of a commit.
func saying(message string) repo.Message {
	return func(context.Context, []repo.Stat) (string, error) { return message, nil }
}

package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vext/internal/program"
	"vext/internal/weburl"
)

// Head implements Repository.
func (g *gitRepo) Head(ctx context.Context) (string, error) {
	if ref, commit, ok := g.readHead(); ok && commit != "" {
		return commit, nil
	} else if ok {
		if refs, ok := g.readRefs(ref); ok {
			return refs[ref], nil
		}
	}
	out, err := g.ask(ctx, "rev-parse", "--quiet", "--verify", "HEAD^{commit}")
	return strings.TrimSpace(out), err
}

// ask runs a git command that ends with 1 and prints nothing when what is asked for does not
// exist. Then it returns "".
func (g *gitRepo) ask(ctx context.Context, args ...string) (string, error) {
	out, err := g.git(ctx, args...)
	var failure *program.Error
	if errors.As(err, &failure) && failure.Status() == 1 {
		return "", nil
	}
	return out, err
}

// branch returns the branch that is checked out, "" when HEAD is detached.
func (g *gitRepo) branch(ctx context.Context) (name string, err error) {
	ref, _, ok := g.readHead()
	if !ok {
		ref, err = g.ask(ctx, "symbolic-ref", "--quiet", "HEAD")
	}
	name, isBranch := strings.CutPrefix(strings.TrimSuffix(ref, "\n"), "refs/heads/")
	if !isBranch {
		name = ""
	}
	return name, err
}

// An upstream is where the commits of the branch that is checked out go, and come from.
type upstream struct {
	local  string // the branch that is checked out, "" when HEAD is detached
	remote string // its name, or a URL; "" for none
	branch string // at the remote

	settings settings
}

// upstream finds the remote: that of the options, of the branch, origin, or the only one.
func (g *gitRepo) upstream(ctx context.Context) (upstream, error) {
	local, err := g.branch(ctx)
	if err != nil {
		return upstream{}, err
	}
	set, err := g.readSettings(ctx)
	if err != nil {
		return upstream{}, err
	}
	u := upstream{local: local, remote: g.opts.Remote, branch: g.opts.Branch, settings: set}
	var remotes []string
	for key := range set {
		if name, ok := strings.CutPrefix(key, "remote."); ok {
			if name, ok = strings.CutSuffix(name, ".url"); ok {
				remotes = append(remotes, name)
			}
		}
	}
	tracked := set.last("branch." + local + ".remote")
	switch {
	case u.remote != "":
	case tracked != "" && tracked != ".":
		u.remote = tracked
	case slices.Contains(remotes, "origin"):
		u.remote = "origin"
	case len(remotes) == 1:
		u.remote = remotes[0]
	}
	if u.branch == "" {
		u.branch = local
		if merge, ok := strings.CutPrefix(set.last("branch."+local+".merge"), "refs/heads/"); ok && tracked == u.remote {
			u.branch = merge
		}
	}
	return u, nil
}

// RemoteURL implements Repository. Without a remote the URL is "".
func (g *gitRepo) RemoteURL(ctx context.Context) (url, branch string, err error) {
	u, err := g.upstream(ctx)
	if err != nil || u.remote == "" {
		return "", u.branch, err
	}
	url, err = g.pushURL(ctx, u.remote, u.settings)
	var failure *program.Error
	if errors.As(err, &failure) && failure.Says("No such remote") {
		url, err = u.remote, nil
		if u.remote == g.opts.Remote && !strings.ContainsAny(url, "/:") {
			err = &StoppedError{g.root + " has no remote " + u.remote}
		}
	}
	if err != nil {
		return "", u.branch, err
	}
	return weburl.Parse(strings.TrimSuffix(url, "\n")).String(), u.branch, nil
}

// pushURL returns the URL of a remote. Git is asked for one that the configuration rewrites.
func (g *gitRepo) pushURL(ctx context.Context, remote string, set settings) (string, error) {
	urls := set["remote."+remote+".pushurl"]
	if len(urls) == 0 {
		urls = set["remote."+remote+".url"]
	}
	if len(urls) > 0 && !slices.Contains(urls, "") && !set.rewritesURLs() {
		return urls[0], nil
	}
	return g.git(ctx, "remote", "get-url", "--push", "--", remote)
}

// rewritesURLs reports whether there is an insteadOf or pushInsteadOf.
func (s settings) rewritesURLs() bool {
	for key := range s {
		if strings.HasPrefix(key, "url.") {
			return true
		}
	}
	return false
}

// Identity implements Repository. It is the hash of the oldest first commit, because each
// clone has that one; a shallow clone does not, and has the place of its URL instead.
func (g *gitRepo) Identity(ctx context.Context) (string, error) {
	if g.identity != "" {
		return g.identity, nil
	}
	head, err := g.Head(ctx)
	if err != nil {
		return "", err
	}
	_, shallow := os.Lstat(filepath.Join(g.commonDir, "shallow"))
	if head == "" || shallow == nil {
		url, _, err := g.RemoteURL(ctx)
		return weburl.Parse(url).Place(), err
	}
	out, err := g.git(ctx, "log", "--max-parents=0", "--no-show-signature", "--format=%ct %H", head)
	if err != nil {
		return "", err
	}
	g.identity = oldest(out)
	return g.identity, nil
}

// oldest returns the hash of the lowest time in lines of "time hash"; of two, the lower hash.
func oldest(lines string) string {
	var found []string
	for line := range strings.Lines(lines) {
		at, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
		found = append(found, fmt.Sprintf("%020s %s", at, hash))
	}
	if len(found) == 0 {
		return ""
	}
	_, hash, _ := strings.Cut(slices.Min(found), " ")
	return hash
}

// Internal implements Repository.
func (g *gitRepo) Internal() []string {
	heads := filepath.Join(g.commonDir, "refs", "heads")
	dirs := []string{g.gitDir, g.commonDir, heads, filepath.Join(g.commonDir, "reftable")}
	if head, err := os.ReadFile(filepath.Join(g.gitDir, "HEAD")); err == nil {
		if name, ok := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: refs/heads/"); ok {
			dirs = append(dirs, filepath.Dir(filepath.Join(heads, filepath.FromSlash(name))))
		}
	}
	remotes := filepath.Join(g.commonDir, "refs", "remotes")
	entries, _ := os.ReadDir(remotes)
	for _, e := range entries {
		dirs = append(dirs, filepath.Join(remotes, e.Name()))
	}
	slices.Sort(dirs)
	return slices.DeleteFunc(slices.Compact(dirs), func(dir string) bool {
		info, err := os.Stat(dir)
		return err != nil || !info.IsDir()
	})
}

package remote

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"vext/internal/commit"
)

func TestParseRefspec(t *testing.T) {
	for text, want := range map[string]refspec{
		"+refs/heads/*:refs/remotes/o/*":     {src: "refs/heads/*", dst: "refs/remotes/o/*", pattern: true},
		"refs/heads/a*b:refs/remotes/o/c*d":  {src: "refs/heads/a*b", dst: "refs/remotes/o/c*d", pattern: true},
		"^refs/heads/x":                      {src: "refs/heads/x", negative: true},
		"^refs/heads/x*":                     {src: "refs/heads/x*", negative: true, pattern: true},
		"main":                               {src: "main"},
		"main:":                              {src: "main"},
		":refs/x":                            {src: "HEAD", dst: "refs/x"},
		"main:mine":                          {src: "main", dst: "refs/heads/mine"},
		"main:remotes/o/main":                {src: "main", dst: "refs/remotes/o/main"},
		"+refs/pull/*/head:refs/remotes/p/*": {src: "refs/pull/*/head", dst: "refs/remotes/p/*", pattern: true},
	} {
		if got, err := parseRefspec(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"a*:b", "a:b*", "a**:b*", "^", "^a:b", "a*b*:c*", "refs/heads/*", "a*:"} {
		if got, err := parseRefspec(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func FuzzRefspec(f *testing.F) {
	f.Add("+refs/heads/*:refs/remotes/o/*", "refs/heads/main")
	f.Add("^refs/heads/a*", "refs/heads/")
	f.Add("*:*", "")
	f.Add("refs/heads/*x:*", "refs/heads/x")
	f.Fuzz(func(t *testing.T, spec, name string) {
		r := &Remote{Name: "o", Fetch: []string{spec}, prune: true, tags: followTags}
		s, err := parseRefspec(spec)
		if err != nil {
			return
		}
		w := r.want(refs{name: "1"})
		if r.differing(w, w.refs, nil) != nil {
			t.Errorf("%q of %q: differs from itself", spec, name)
		}
		if s.pattern && s.dst != "" && s.matches(name) {
			dst, _ := expand(s.src, s.dst, name)
			if src, ok := expand(s.dst, s.src, dst); !ok || src != name {
				t.Errorf("%q of %q: %q, and back %q", spec, name, dst, src)
			}
		}
		prefixes := r.remotePrefixes()
		if len(w.refs) > 0 && prefixes != nil && s.src != name && !commit.IsHash(s.src) &&
			!slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			t.Errorf("%q of %q: not in %q", spec, name, prefixes)
		}
		r.localPrefixes()
	})
}

func TestLsRemoteFlags(t *testing.T) {
	for specs, want := range map[string]string{
		"+refs/heads/*:refs/remotes/o/*":                        "--heads --tags",
		"+refs/heads/main:refs/remotes/o/main":                  "--heads --tags",
		"+refs/heads/*:refs/remotes/o/* refs/pull/*:refs/r/p/*": "",
		"+refs/*:refs/*":               "",
		"HEAD:refs/x":                  "",
		"refs/tags/*:refs/tags/*":      "--tags",
		"refs/heads/main":              "--heads",
		"^refs/pull/* refs/heads/main": "--heads",
	} {
		r := &Remote{Fetch: strings.Fields(specs), tags: followTags}
		if got := strings.Join(lsRemoteFlags(r.remotePrefixes()), " "); got != want {
			t.Errorf("%s: %q, want %q", specs, got, want)
		}
	}
}

// What missing names is what git fetch changes, whatever is configured.
func TestMissingAsGit(t *testing.T) {
	const heads = "+refs/heads/*:refs/remotes/origin/*"
	for name, config := range map[string][]string{
		"default":            {"fetch=" + heads},
		"prune":              {"fetch=" + heads, "prune=true"},
		"one branch":         {"fetch=+refs/heads/main:refs/remotes/origin/main"},
		"short names":        {"fetch=main:remotes/origin/m", "fetch=t-light:t"},
		"HEAD":               {"fetch=+HEAD:refs/remotes/origin/head"},
		"negative":           {"fetch=" + heads, "fetch=^refs/heads/fea*", "fetch=^refs/tags/t-light", "prune=true"},
		"negative exact":     {"fetch=" + heads, "fetch=^refs/heads/feature/x", "prune=true"},
		"pull":               {"fetch=" + heads, "fetch=+refs/pull/*/head:refs/remotes/origin/pr/*"},
		"infix":              {"fetch=+refs/heads/fea*/x:refs/remotes/origin/f*"},
		"no tags":            {"fetch=" + heads, "tagOpt=--no-tags"},
		"all tags":           {"fetch=" + heads, "fetch=+refs/tags/*:refs/tags/*", "tagOpt=--tags"},
		"prune tags":         {"fetch=" + heads, "prune=true", "pruneTags=true"},
		"no destination":     {"fetch=refs/heads/main"},
		"everything, prune":  {"fetch=+refs/*:refs/mirror/*", "prune=true"},
		"two destinations":   {"fetch=" + heads, "fetch=+refs/heads/*:refs/copy/*", "prune=true"},
		"prune of one":       {"fetch=+refs/heads/gone:refs/remotes/origin/gone", "fetch=" + heads, "prune=true"},
		"notes":              {"fetch=+refs/notes/*:refs/notes/o/*", "tagOpt=--tags"},
		"destination abroad": {"fetch=+refs/heads/*:abroad/*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.other("git tag t-light; git tag -a -m x t-full; git push -q origin HEAD:refs/heads/gone t-light t-full HEAD:refs/heads/feature/x")
			gitFor(t, f.clone, "config", "--remove-section", "remote.origin")
			gitFor(t, f.clone, "config", "remote.origin.url", f.server)
			for _, entry := range config {
				key, value, _ := strings.Cut(entry, "=")
				gitFor(t, f.clone, "config", "--add", "remote.origin."+key, value)
			}
			for _, change := range []string{
				"true",
				"git commit -q --allow-empty -m two; git push -q origin main HEAD:refs/pull/7/head HEAD:refs/notes/commits",
				"git push -q -f origin HEAD~1:main HEAD:refs/heads/new HEAD~1:refs/heads/feature/x",
				"git tag -f t-light; git push -q -f origin t-light :gone",
				"git push -q origin :t-full :refs/heads/feature/x; git push -q origin HEAD:refs/heads/feature/x/y",
				"git checkout -q --orphan far; git commit -q --allow-empty -m far; git push -q origin far:refs/tags/far",
			} {
				f.other(change)
				f.fetchesAsMissing(t, change)
			}
		})
	}
}

// fetchesAsMissing checks that git fetch changes what missing says, and nothing else.
func (f *fixture) fetchesAsMissing(t *testing.T, change string) {
	t.Helper()
	c, err := openClone(t.Context(), f.clone, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	remotes, skipped, err := c.remotes(t.Context())
	if err != nil || len(remotes) != 1 {
		t.Fatalf("%v, skipped %v, %v", remotes, skipped, err)
	}
	d := &Daemon{clone: c, pace: defaultPace}
	missing := func() []string {
		t.Helper()
		theirs, err := d.lsRemote(t.Context(), remotes[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		names, err := c.missing(t.Context(), remotes[0], remotes[0].want(theirs))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	all := func() refs {
		return parseRefs(gitFor(t, f.clone, "for-each-ref", "--format=%(if)%(symref)%(then)%(else)%(objectname) %(refname)%(end)")+"\n", " ")
	}
	reported, before := missing(), all()
	out, _ := exec.Command("git", "-C", f.clone, "fetch", "origin").CombinedOutput()
	after := all()
	var changed []string
	for name := range maps.Collect(maps.All(merged(before, after))) {
		if before[name] != after[name] {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	newTag := func(name string) bool { // its commit comes with the branches
		return strings.HasPrefix(name, "refs/tags/") && before[name] == "" && !slices.Contains(reported, name)
	}
	if got := slices.DeleteFunc(slices.Clone(changed), newTag); !slices.Equal(got, reported) && !strings.Contains(string(out), "[rejected]") &&
		!strings.Contains(string(out), "couldn't find") && !strings.Contains(string(out), "cannot lock") {
		t.Errorf("after %s\nmissing %q\nchanged %q\n%s", change, reported, changed, out)
	}
	if left := missing(); len(left) > 0 && !strings.Contains(string(out), "[rejected]") && !strings.Contains(string(out), "couldn't find") && !strings.Contains(string(out), "cannot lock") {
		t.Errorf("after %s and git fetch: missing %q\n%s", change, left, out)
	}
}

func merged(a, b refs) refs {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func TestStale(t *testing.T) {
	r := &Remote{Fetch: []string{"+refs/heads/*:refs/remotes/o/*", "^refs/heads/tmp/*"}, prune: true, tags: noTags}
	w := r.want(refs{"refs/heads/main": "1", "refs/heads/tmp/x": "2"})
	local := refs{"refs/remotes/o/main": "1", "refs/remotes/o/gone": "1", "refs/remotes/o/tmp/x": "1", "refs/remotes/o/HEAD": "1"}
	if got := r.differing(w, local, map[string]bool{"refs/remotes/o/HEAD": true}); !slices.Equal(got, []string{"refs/remotes/o/gone"}) {
		t.Errorf("%q", got)
	}
}

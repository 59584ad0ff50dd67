package vcs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/commit"
	"vext/internal/weburl"
)

// A trap is a program that must not be run. It notes that it was, and by which
// name.
type trap struct {
	t    *testing.T
	dir  string
	path string
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	dir := t.TempDir()
	p := &trap{t, dir, filepath.Join(dir, "trap")}
	p.script("trap")
	return p
}

// script puts the trap under another name into its directory.
func (p *trap) script(name string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	p.write(path, "#!/bin/sh\necho "+name+" \"$@\" >>"+p.dir+"/ran\nexit 1\n")
	return path
}

func (p *trap) write(path, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

// check reports what has run since it was last asked.
func (p *trap) check(what string) {
	p.t.Helper()
	ran := filepath.Join(p.dir, "ran")
	if data, err := os.ReadFile(ran); err == nil {
		p.t.Errorf("%s runs %s", what, data)
		os.Remove(ran)
	}
}

// gitTraps are what the owner of a git repository can write into it. TRAP is
// the program that must not run, DIR the repository and MISSING one of its
// commits.
var gitTraps = map[string]string{
	"lazy fetch, upload-pack": `git config core.repositoryFormatVersion 1; git config extensions.partialClone evil
git config remote.evil.url "$DIR"; git config remote.evil.promisor true; git config remote.evil.uploadpack "$TRAP"; rm "$MISSING"`,
	"lazy fetch, without the extension": `git config remote.evil.url "$DIR"; git config remote.evil.promisor true
git config remote.evil.partialCloneFilter blob:none; git config remote.evil.uploadpack "$TRAP"; rm "$MISSING"`,
	"lazy fetch of a tree": `git config core.repositoryFormatVersion 1; git config extensions.partialClone evil
git config remote.evil.url "$DIR"; git config remote.evil.promisor true; git config remote.evil.uploadpack "$TRAP"; rm "$TREE"`,
	"lazy fetch, ext": `git config core.repositoryFormatVersion 1; git config extensions.partialClone evil
git config protocol.allow always; git config protocol.ext.allow always; git config remote.evil.url "ext::$TRAP ext"; git config remote.evil.promisor true; rm "$MISSING"`,
	"lazy fetch, ssh": `git config core.repositoryFormatVersion 1; git config extensions.partialClone evil
git config remote.evil.url ssh://localhost/w; git config remote.evil.promisor true; git config core.sshCommand "$TRAP"; rm "$MISSING"`,
	"lazy fetch, proxy": `git config core.repositoryFormatVersion 1; git config extensions.partialClone evil
git config remote.evil.url git://localhost/w; git config remote.evil.promisor true; git config core.gitProxy "$TRAP"; rm "$MISSING"`,
	"lazy fetch, insteadOf": `git config core.repositoryFormatVersion 1; git config extensions.partialClone evil; git config protocol.ext.allow always
git config "url.ext::$TRAP .insteadOf" https://; git config remote.evil.url https://localhost/w; git config remote.evil.promisor true; rm "$MISSING"`,
	"lazy fetch, helper": `git config core.repositoryFormatVersion 1; git config extensions.partialClone evil
git config remote.evil.vcs evil; git config remote.evil.url x; git config remote.evil.promisor true; rm "$MISSING"`,
	"lazy fetch, in a file that is included": `printf '[extensions]\n\tpartialClone = evil\n[remote "evil"]\n\turl = %s\n\tpromisor = true\n\tuploadpack = %s\n' "$DIR" "$TRAP" >included
git config core.repositoryFormatVersion 1; git config extensions.partialClone evil; git config include.path "$DIR/included"; rm "$MISSING"`,
	"lazy fetch, in the configuration of a work tree": `git config core.repositoryFormatVersion 1; git config extensions.worktreeConfig true; git config extensions.partialClone evil
printf '[remote "evil"]\n\turl = %s\n\tpromisor = true\n\tuploadpack = %s\n' "$DIR" "$TRAP" >config.worktree; rm "$MISSING"`,
	"programs": `git config core.fsmonitor "$TRAP"; git config core.pager "$TRAP"; git config pager.log "$TRAP"; git config core.editor "$TRAP"
git config core.askPass "$TRAP"; git config credential.helper "!$TRAP"; git config diff.external "$TRAP"; git config interactive.diffFilter "$TRAP"
git config uploadpack.packObjectsHook "$TRAP"; git config core.alternateRefsCommand "$TRAP"; git config sequence.editor "$TRAP"
for name in log for-each-ref cat-file merge-base diff-tree rev-parse upload-pack; do git config alias.$name "!$TRAP"; done
for name in log for-each-ref cat-file merge-base diff-tree rev-parse; do git config pager.$name "$TRAP"; done`,
	"signatures": `git config log.showSignature true; git config gpg.program "$TRAP"; git config gpg.ssh.program "$TRAP"; git config gpg.format openpgp
git config format.pretty 'format:%G?'; git cat-file commit refs/heads/main >c; sed '/^committer/a gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----' c >signed
git update-ref refs/heads/main "$(git hash-object -t commit -w signed)"`,
	"filters and drivers": `mkdir -p info; echo '* diff=evil filter=evil merge=evil' >info/attributes; git config core.attributesFile "$DIR/info/attributes"
git config diff.evil.command "$TRAP"; git config diff.evil.textconv "$TRAP"; git config filter.evil.clean "$TRAP"; git config filter.evil.smudge "$TRAP"
git config filter.evil.process "$TRAP"; git config merge.evil.driver "$TRAP"; git config log.diffMerges on; git config diff.submodule log; git config submodule.recurse true; git config fetch.recurseSubmodules true`,
	"hooks":            `git config core.hooksPath "$HOOKS"`,
	"hooks of its own": `rm -rf hooks; cp -R "$HOOKS" hooks`,
	"alternates": `git clone --quiet --bare . other.git; mkdir -p objects/info; echo "$DIR/other.git/objects" >objects/info/alternates; git config core.alternateRefsCommand "$TRAP"
rm "$MISSING"; rm "other.git/$MISSING" 2>/dev/null || true`,
}

// Whatever the owner of a git repository has written into it, no program is run
// by looking at it: where it lies, or to follow it.
func TestGitRunsNothingOfTheOwners(t *testing.T) {
	for name, script := range gitTraps {
		t.Run(name, func(t *testing.T) {
			trap := newTrap(t)
			for _, hook := range []string{"reference-transaction", "post-receive", "pre-receive", "update", "post-update", "post-index-change", "pre-auto-gc", "post-checkout", "post-merge", "proc-receive", "fsmonitor-watchman"} {
				trap.write(filepath.Join(trap.dir, "hooks", hook), "#!/bin/sh\necho "+hook+" >>"+trap.dir+"/ran\n")
			}
			bare := newGit(t).dir
			run(t, bare, "sh", "-euc", `parent=
for n in 1 2 3; do
	tree=$(printf '100644 blob %s\tfile\n' "$(echo $n | git hash-object -w --stdin)" | git mktree)
	parent=$(echo $n | git commit-tree $parent $tree)
	git update-ref refs/heads/main $parent
	parent="-p $parent"
done
git update-ref refs/heads/other main~2`)
			first, second := run(t, bare, "git", "rev-parse", "main~2"), run(t, bare, "git", "rev-parse", "main~1")
			tree := run(t, bare, "git", "rev-parse", "main^{tree}")
			cmd := exec.Command("sh", "-euc", script)
			cmd.Dir = bare
			cmd.Env = append(os.Environ(), "TRAP="+trap.path, "DIR="+bare, "HOOKS="+trap.dir+"/hooks", "MISSING=objects/"+second[:2]+"/"+second[2:], "TREE=objects/"+tree[:2]+"/"+tree[2:])
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			data, err := os.ReadFile(filepath.Join(bare, "refs", "heads", "main"))
			if err != nil {
				t.Fatal(err)
			}
			tip := strings.TrimSpace(string(data))
			os.Remove(filepath.Join(trap.dir, "ran")) // what the script has run

			r, _ := Open(Git, bare, weburl.URL{})
			lookAtAll(t, trap, r, tip, first, second)
			if _, err := Locate(t.Context(), bare, ""); err != nil && !strings.Contains(name, "work tree") {
				t.Errorf("Locate: %v", err)
			}
			trap.check("Locate")
			Detect(t.Context(), weburl.Parse(bare))
			Detect(t.Context(), weburl.Parse("file://"+bare+"/."))
			trap.check("Detect")
			for _, url := range []string{bare, "file://" + bare} {
				copied, _ := Open(Git, filepath.Join(t.TempDir(), "copy.git"), weburl.Parse(url))
				lookAtAll(t, trap, copied, tip, first, second)
			}
		})
	}
}

// lookAtAll does with a repository all that vext does, whether that succeeds or
// not.
func lookAtAll(t *testing.T, trap *trap, r Repository, tip, first, second string) {
	t.Helper()
	r.Update(t.Context(), func(string) bool { return true })
	trap.check("Update")
	take := func(*commit.Commit) error { return nil }
	for _, ranges := range [][]Range{
		{{Refname: "refs/heads/main", New: tip}},
		{{Refname: "refs/heads/main", New: tip, Since: []string{first}}},
		{{Refname: "refs/heads/main", New: tip, Since: []string{second}}, {Refname: "refs/heads/other", New: first}},
	} {
		r.Walk(t.Context(), Log{Ranges: ranges, Files: true}, take)
		trap.check("Walk")
	}
	r.Has(t.Context(), []string{first, second, tip})
	trap.check("Has")
	r.Includes(t.Context(), tip, first)
	trap.check("Includes")
	r.Related(t.Context(), tip, []string{first, second})
	trap.check("Related")
	history := r.(History)
	history.Heads(t.Context())
	trap.check("Heads")
	history.Scan(t.Context(), []string{tip}, nil, func(Record) error { return nil })
	trap.check("Scan")
	history.Commits(t.Context(), []string{tip, second, first})
	trap.check("Commits")
	history.Files(t.Context(), []string{tip, second, first})
	trap.check("Files")
	if git, ok := r.(GitRepository); ok {
		if scratch, err := git.Scratch(t.Context()); err == nil {
			changes, _ := scratch.Changes(t.Context(), []string{tip, second, first})
			scratch.Merge(t.Context(), changes[second].Base, changes[tip].Tree, changes[second].Tree)
			scratch.Touching(t.Context(), first, tip, []string{"file"}, 5)
			scratch.TouchingLines(t.Context(), first, tip, changes[tip], "file")
			scratch.Close()
		}
		trap.check("Scratch")
	}
	if brancher, ok := r.(SvnRepository); ok {
		brancher.Branches(t.Context())
		trap.check("Branches")
	}
}

// The same for Mercurial: also where hg trusts the hgrc, as it does when root or
// the same user owns it.
func TestMercurialRunsNothingOfTheOwners(t *testing.T) {
	trap := newTrap(t)
	h := newHg(t)
	h.commit("first")
	h.commit("second")
	nodes := strings.Fields(run(t, h.dir, "hg", "log", "--template", "{node} "))
	trap.write(filepath.Join(trap.dir, "evil.py"), fmt.Sprintf("open(%q, 'a').write('extension\\n')\n", filepath.Join(trap.dir, "ran")))
	var b strings.Builder
	fmt.Fprintf(&b, "[extensions]\nevil = %s/evil.py\n[ui]\nssh = %s\neditor = %[2]s\nmerge = %[2]s\n[pager]\npager = %[2]s\n[trusted]\nusers = *\n[hooks]\n", trap.dir, trap.path)
	for _, name := range []string{"pre-log", "post-log", "pre-heads", "pre-branches", "pre-root", "pre-clone", "pre-pull", "preoutgoing", "outgoing", "prelistkeys", "listkeys", "changegroup", "pre-identify", "pre-paths"} {
		fmt.Fprintf(&b, "%s = %s %[1]s\n", name, trap.path)
	}
	b.WriteString("[alias]\n")
	for _, name := range []string{"log", "heads", "branches", "root", "pull", "identify"} {
		fmt.Fprintf(&b, "%s = !%s alias\n", name, trap.path)
	}
	trap.write(filepath.Join(h.dir, ".hg", "included"), b.String())
	trap.write(filepath.Join(h.dir, ".hg", "hgrc"), "%include included\n")

	inPlace, _ := Open(Hg, h.dir, weburl.URL{})
	lookAtAll(t, trap, inPlace, nodes[0], nodes[1], nodes[1])
	copied, _ := Open(Hg, filepath.Join(t.TempDir(), "copy.hg"), weburl.Parse(h.dir))
	lookAtAll(t, trap, copied, nodes[0], nodes[1], nodes[1])
	if err := os.Chmod(filepath.Join(h.dir, ".hg"), 0o755); err != nil {
		t.Fatal(err)
	}
	if positions := update(t, copied); len(positions) != 1 { // a pull
		t.Errorf("positions: %v", positions)
	}
	trap.check("a pull")
	if _, err := Locate(t.Context(), h.dir, Hg); err != nil {
		t.Error(err)
	}
	trap.check("Locate")
	output(t.Context(), remote(t.Context(), Hg, "", weburl.Parse(h.dir), "identify", "--id", "--", h.dir))
	trap.check("Detect")
}

// The same for Subversion, of which reading starts no hook.
func TestSubversionRunsNothingOfTheOwners(t *testing.T) {
	trap := newTrap(t)
	s := newSvn(t)
	s.commit("first")
	s.commit("second")
	for _, hook := range []string{"start-commit", "pre-commit", "post-commit", "pre-lock", "post-lock", "pre-revprop-change", "post-revprop-change", "pre-unlock", "post-unlock"} {
		trap.write(filepath.Join(s.dir, "hooks", hook), "#!/bin/sh\necho "+hook+" >>"+trap.dir+"/ran\n")
	}
	trap.write(filepath.Join(s.dir, "conf", "hooks-env"), "[default]\nPATH = "+trap.dir+"\n")
	for _, url := range []weburl.URL{{}, weburl.Parse(s.url())} {
		r, _ := Open(Svn, s.dir, url)
		lookAtAll(t, trap, r, "r2", "r1", "r1")
	}
	if _, err := Locate(t.Context(), s.dir, Svn); err != nil {
		t.Error(err)
	}
	trap.check("Locate")
}

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/testkit"
)

// lazyTrap makes of a git repository one whose owner has git fetch, and so run a
// program, when it looks for the commit before the last.
const lazyTrap = `cd $REPO
lost=$(git rev-parse main~1)
git config core.repositoryFormatVersion 1; git config extensions.partialClone evil
git config remote.evil.url $REPO; git config remote.evil.promisor true; git config remote.evil.uploadpack /tmp/trap
git config remote.evil.partialCloneFilter blob:none
git config core.fsmonitor /tmp/trap; git config log.showSignature true; git config gpg.program /tmp/trap; git config core.sshCommand /tmp/trap
git config core.pager /tmp/trap; git config --unset core.hooksPath || true; cp /tmp/hooks/* hooks/
git unpack-objects -q < $(ls objects/pack/*.pack 2>/dev/null || echo /dev/null) 2>/dev/null || true
rm -f objects/$(echo $lost | cut -c1-2)/$(echo $lost | cut -c3-)
`

// newHostile is a sandbox with a repository of the user git that has vext's hook,
// and a trap, the program that the repository's owner would have others run.
func newHostile(t *testing.T) *sandbox {
	t.Helper()
	s := newSandbox(t, "git", "https://git.example.org", "DIR/srv/git")
	s.sh("git", "git init --quiet --bare --initial-branch=main /srv/git/widget.git; git clone --quiet /srv/git/widget.git /tmp/git 2>/dev/null; cd /tmp/git; git checkout --quiet -B main"+
		"; for n in one two three; do git -c user.name=J -c user.email=jane@example.org commit --quiet --allow-empty -m \"$n\" -m 'MFC after: 1 week'; git push --quiet origin main; done")
	s.sh("root", steps(t, "../docs/guide-git.md")[0].commands)
	write(t, filepath.Join(s.dir, "tmp", "trap"), 0o755, "#!/bin/sh\nid -u >>"+s.dir+"/tmp/ran."+"$(id -u)\nexit 1\n")
	ok(t, os.Mkdir(filepath.Join(s.dir, "tmp", "hooks"), 0o755))
	for _, name := range []string{"reference-transaction", "post-index-change"} {
		write(t, filepath.Join(s.dir, "tmp", "hooks", name), 0o755, "#!/bin/sh\nexec "+s.dir+"/tmp/trap\n")
	}
	return s
}

// wantNotRun reports who has run the trap, of those who must not.
func (s *sandbox) wantNotRun(what string) {
	s.t.Helper()
	for _, id := range []string{"0", "60002"} {
		if _, err := os.Stat(filepath.Join(s.dir, "tmp", "ran."+id)); err == nil {
			s.t.Errorf("%s: user %s runs the owner's program", what, id)
			os.Remove(filepath.Join(s.dir, "tmp", "ran."+id))
		}
	}
}

// Whatever vext does with a repository whose owner has set a trap, it does not
// run the owner's program: as its own user, as root, and where STATE is root's.
func TestOwnerRunsNothing(t *testing.T) {
	s := newHostile(t)
	s.sh("root", "vext hook install /srv/git/widget.git")
	s.sh("git", `git -C /srv/git/widget.git config core.hooksPath /nowhere; cd /tmp/git
for n in four five; do git -c user.name=J -c user.email=jane@example.org commit --quiet --allow-empty -m $n -m 'MFC after: 1 week'; done; git push --quiet origin main`)
	s.sh("git", strings.ReplaceAll(lazyTrap, "$REPO", "/srv/git/widget.git"))
	os.Remove(filepath.Join(s.dir, "tmp", "ran.60001")) // git's own pushes may
	write(t, filepath.Join(s.dir, "etc", "vext", "root.toml"), 0o644, s.places.Replace("[[repository]]\nname = \"local\"\nurl = \"/srv/git/widget.git\"\nfrom = \"2020-01-01\"\n"))
	ok(t, os.Mkdir(filepath.Join(s.dir, "root"), 0o750)) // STATE that is root's
	for _, command := range []string{
		"vext run", "vext hook status", "vext hook work widget </dev/null", "vext check", "vext import --repository widget --since 2026-01-01",
		"vext hook status /srv/git/widget.git", "vext hook install /srv/git/widget.git",
		"vext --config /etc/vext/root.toml follow --once", "vext --config /etc/vext/root.toml import --repository local --since 2020-01-01",
		"VEXT_STATE=$ROOT vext hook install --name other /srv/git/widget.git", "VEXT_STATE=$ROOT vext run", "VEXT_STATE=$ROOT vext --config /etc/vext/root.toml follow --once",
	} {
		for _, as := range []string{"vext", "root"} {
			s.try(as, "ROOT="+s.dir+"/root; "+s.places.Replace(command))
			s.wantNotRun(as + ": " + command)
		}
	}
}

// A repository that somebody of the group has put among those with a hook is not
// looked at, and vext check and vext run name the file.
func TestPlantedHook(t *testing.T) {
	s := newHostile(t)
	s.sh("root", "vext hook install /srv/git/widget.git")
	s.sh("git", `git clone --quiet --bare /srv/git/widget.git /tmp/evil.git
printf '{"name": "evil", "vcs": "git", "where": "%s", "begun": true, "positions": {}}' /tmp/evil.git >/var/spool/vext/hooks/evil.json`)
	s.sh("git", strings.ReplaceAll(lazyTrap, "$REPO", "/tmp/evil.git"))
	s.sh("git", "cd /tmp/git; git -c user.name=J -c user.email=jane@example.org commit --quiet --allow-empty -m four -m 'MFC after: 1 week'; git push --quiet origin main")
	for _, as := range []string{"vext", "root"} {
		r := s.try(as, s.places.Replace("vext run"))
		contains(t, r.stderr, s.places.Replace("/var/spool/vext/hooks/evil.json: not trusted"))
		r.ok(t)
	}
	contains(t, s.try("vext", "vext check").stdout, s.places.Replace("/var/spool/vext/hooks/evil.json: not trusted: it belongs to user 60001"))
	contains(t, s.try("vext", "vext hook status").stderr, "evil.json: not trusted")
	s.wantNotRun("run and check")
	if r := s.try("vext", "vext import --repository evil --since 2020-01-01"); r.status == 0 {
		t.Error("its past is taken in")
	}
	contains(t, s.sh("vext", "vext list"), "four") // the true hook's

	// What an earlier version had the hook of the git server write counts again
	// when the hook is installed again.
	s.sh("root", "cd /var/spool/vext/hooks; rm evil.json; chown 60001 widget.json")
	contains(t, s.try("vext", "vext check").stdout, "widget.json: not trusted")
	s.sh("root", "vext hook install /srv/git/widget.git")
	if r := s.try("vext", "vext check"); strings.Contains(r.stdout, "not trusted") {
		t.Errorf("still: %s", r.stdout)
	}
}

// A repository that belongs to somebody else is followed by its path, by a user
// who has no home, and git needs no configuration.
func TestFollowAnothersRepositoryWithoutHome(t *testing.T) {
	testkit.Program(t, "setpriv")
	s := newHostile(t)
	s.sh("root", "vext follow add --from 2020-01-01 /srv/git/widget.git")
	r := s.try("vext", "unset HOME XDG_CONFIG_HOME XDG_STATE_HOME; vext follow --once; vext run; vext list")
	r.ok(t)
	contains(t, r.stdout, "three")
	if r.stderr != "" {
		t.Errorf("it says %s", r.stderr)
	}
}

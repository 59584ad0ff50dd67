package test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A sandbox is a machine as the guides have it, below a directory: with a user
// vext, one of the server, and jane, each with a group of its own.
type sandbox struct {
	t      *testing.T
	dir    string
	server string // the name of the server's user
	places *strings.Replacer
}

// The ids of a sandbox's users and their groups.
const (
	serverID = 60001
	vextID   = 60002
	janeID   = 60003
)

// newSandbox makes a sandbox with the programs, an empty state directory and a
// configuration, as guides.md says. https is what the guide's URLs begin with,
// and what they lead to here.
func newSandbox(t *testing.T, server, https, here string) *sandbox {
	t.Helper()
	testkit.Root(t)
	testkit.Program(t, "setpriv")
	dir := openDir(t)
	s := &sandbox{t: t, dir: dir, server: server}
	s.places = strings.NewReplacer(https, strings.ReplaceAll(here, "DIR", dir),
		"/srv/", dir+"/srv/", "/var/spool/vext", dir+"/spool", "/etc/", dir+"/etc/", "/tmp/", dir+"/tmp/",
		"/usr/local/bin/", dir+"/bin/", "/usr/sbin/sendmail", dir+"/bin/sendmail", "users = hg,", fmt.Sprintf("users = %d,", serverID))
	for path, owner := range map[string]int{
		"bin": 0, "groups": 0, "etc": 0, "etc/vext": 0, "etc/cron.d": 0, "etc/mercurial": 0, "tmp": 0, "home": 0,
		"srv": serverID, "srv/" + server: serverID, "home/" + server: serverID, "home/jane": janeID,
		"spool": vextID, "mail": vextID, "outbox": janeID,
	} {
		ok(t, os.MkdirAll(filepath.Join(dir, path), 0o755))
		ok(t, os.Chown(filepath.Join(dir, path), owner, owner))
	}
	ok(t, os.Chmod(filepath.Join(dir, "tmp"), 0o777))
	ok(t, os.Chmod(filepath.Join(dir, "spool"), 0o750))
	for name, text := range sandboxPrograms {
		write(t, filepath.Join(dir, "bin", name), 0o755, fmt.Sprintf("#!/bin/sh -eu\nBOX=%s\nSERVER=%s\n%s", dir, server, text))
	}
	write(t, filepath.Join(dir, "bin", "vext"), 0o755, read(t, filepath.Join(testkit.Programs(t), "vext")))
	write(t, filepath.Join(dir, "etc", "vext", "vext.toml"), 0o644, fmt.Sprintf(`[reminders]
allow = ["*@example.org"]
[mail]
from = "mfc@example.org"
via = "maildir:%s/mail"
`, dir))
	return s
}

// sandboxPrograms take the place of those that know the machine's users, or that
// would reach out of the sandbox.
var sandboxPrograms = map[string]string{
	"id-of": `case $1 in vext) echo 60002 ;; "$SERVER") echo 60001 ;; jane) echo 60003 ;; *) echo "no user $1" >&2; exit 1 ;; esac
`,
	"usermod": `[ "$1 $2" = "-a -G" ]
id-of "$3" >>"$BOX/groups/$4"
`,
	"sudo": `[ "$1" = -u ]
id=$(id-of "$2")
groups=$id,$(cat "$BOX/groups/$2" 2>/dev/null | tr '\n' ,)
HOME=$BOX/home/$2
shift 2
export HOME
exec setpriv --reuid "$id" --regid "$id" --groups "${groups%,}" "$@"
`,
	"chgrp": `[ "$1" = -R ]
exec /usr/bin/chgrp -R "$(id-of "$2")" "$3"
`,
	"install": `previous=
for arg; do
	shift
	case $previous in -o | -g) set -- "$@" "$(id-of "$arg")" ;; *) set -- "$@" "$arg" ;; esac
	previous=$arg
done
exec /usr/bin/install "$@"
`,
	"crontab": `case $1 in
-l) cat "$HOME/crontab" 2>/dev/null || true ;;
-) cat >"$HOME/crontab.new"; mv "$HOME/crontab.new" "$HOME/crontab" ;;
esac
`,
	"sendmail": `cat >"$BOX/outbox/$$"
`,
}

// try runs a script as one of the users.
func (s *sandbox) try(as, script string) result {
	s.t.Helper()
	env := []string{
		"PATH=" + s.dir + "/bin:" + os.Getenv("PATH"), "HOME=" + s.dir, "HGRCPATH=" + s.dir + "/etc/mercurial/hgrc",
		"VEXT_STATE=" + s.dir + "/spool", "VEXT_CONFIG=" + s.dir + "/etc/vext/vext.toml",
	}
	command := []string{"sh", "-euc", script}
	if as == "jane" { // whose files are where vext looks for them by itself
		home := filepath.Join(s.dir, "home", "jane")
		env = append(env, "VEXT_STATE=", "VEXT_CONFIG="+home+"/.config/vext/vext.toml", "GIT_CONFIG_GLOBAL="+home+"/.gitconfig")
	}
	if as != "root" {
		command = append([]string{filepath.Join(s.dir, "bin", "sudo"), "-u", as}, command...)
	}
	return program{dir: s.dir + "/tmp", env: env}.run(s.t, command[0], command[1:]...)
}

// sh runs a script with the places of a guide in it, which must succeed.
func (s *sandbox) sh(as, script string) string {
	s.t.Helper()
	return s.try(as, s.places.Replace(script)).ok(s.t)
}

// A step is a block of commands in a guide, the section that it stands in, and
// what it prints, "" where the guide does not say.
type step struct{ section, commands, prints string }

// steps returns the steps of a guide.
func steps(t *testing.T, guide string) []step {
	t.Helper()
	var steps []step
	path := filepath.Join(t.TempDir(), "section")
	for section := range strings.SplitSeq(read(t, guide), "\n## ") {
		title, _, _ := strings.Cut(section, "\n")
		write(t, path, 0o644, section)
		for _, b := range fenced(t, path) {
			switch b.language {
			case "sh":
				steps = append(steps, step{section: title, commands: b.text})
			case "text":
				steps[len(steps)-1].prints = b.text
			}
		}
	}
	return steps
}

// general takes out of a text what is different each time.
func general(text string) string {
	text = regexp.MustCompile(`\b[0-9a-f]{12}\b`).ReplaceAllString(text, "HASH")
	return regexp.MustCompile(`\b[A-Z][a-z]{2} \d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d\b`).ReplaceAllString(text, "TIME")
}

// follow does what a guide says, step by step, as root or as the user that a
// section is for. Behind the last step of a section it calls what is to be done
// then.
func (s *sandbox) follow(guide string, users map[string]string, then map[string]func()) {
	s.t.Helper()
	all := steps(s.t, guide)
	for i, step := range all {
		as := "root"
		if user, isFor := users[step.section]; isFor {
			as = user
		}
		var r result
		want := general(s.places.Replace(step.prints))
		for range 100 {
			r = s.try(as, s.places.Replace(step.commands))
			if r.status != 0 || want == "" || general(r.stdout) == want || !strings.Contains(step.commands, "vext list") {
				break
			}
			time.Sleep(100 * time.Millisecond) // it says: a moment later
		}
		if r.status != 0 || want != "" && general(r.stdout+r.stderr) != want {
			s.t.Fatalf("%s:\n%s\nends with %d, prints\n%s%s\nand not\n%s", step.section, step.commands, r.status, r.stdout, r.stderr, want)
		}
		if next := then[step.section]; next != nil && (i+1 == len(all) || all[i+1].section != step.section) {
			next()
			delete(then, step.section)
		}
	}
	if len(then) > 0 {
		s.t.Errorf("%s has no sections %q", guide, slices.Collect(maps.Keys(then)))
	}
}

// cron runs the command of the last line of a crontab: that of a user, or one of
// cron.d, which names the user.
func (s *sandbox) cron(path, as string) {
	s.t.Helper()
	lines := strings.Split(strings.TrimSpace(read(s.t, filepath.Join(s.dir, path))), "\n")
	fields := strings.SplitN(lines[len(lines)-1], " ", 6)
	command := fields[5]
	if as == "" {
		as, command, _ = strings.Cut(command, " ")
	}
	s.try(as, command).ok(s.t)
}

// wantSent checks how many reminders were sent, by vext and by jane's own.
func (s *sandbox) wantSent(vext, jane int) {
	s.t.Helper()
	if got := len(mails(s.t, filepath.Join(s.dir, "mail"))); got != vext {
		s.t.Errorf("vext has sent %d reminders, want %d", got, vext)
	}
	if got := len(names(s.t, filepath.Join(s.dir, "outbox"))); got != jane {
		s.t.Errorf("jane's vext has sent %d reminders, want %d", got, jane)
	}
}

// What the guide for git says works, whether others may read the repository or
// not.
func TestGitGuide(t *testing.T) {
	for name, mask := range map[string]string{"open": "022", "closed": "077"} {
		t.Run(name, func(t *testing.T) {
			root := openDir(t)
			s := newSandbox(t, "git", "https://git.example.org", serveGit(t, root))
			const commit = "git -c user.name=Jane -c user.email=jane@example.org commit --quiet --allow-empty -m 'foo: fix %s' -m 'MFC after: 0 days'; git push --quiet\n"
			s.sh("git", "umask "+mask+"; git init --quiet --bare --initial-branch=main /srv/git/widget.git; git clone --quiet /srv/git/widget.git /tmp/git")
			s.sh("git", "cd /tmp/git; git checkout --quiet -B main; "+fmt.Sprintf(commit, "the old")+"git push --quiet origin main")
			hooks := filepath.Join(s.dir, "srv", "git", "widget.git", "hooks")
			before := names(t, hooks)
			s.follow("../docs/guide-git.md", map[string]string{"In your own work tree": "jane", "A repository elsewhere": "jane"}, map[string]func(){
				"See that it works": func() { s.wantSent(1, 0) },
				"Out again": func() {
					if after := names(t, hooks); !slices.Equal(after, before) {
						t.Errorf("%q is left, of %q", after, before)
					}
					ok(t, os.Symlink(filepath.Join(s.dir, "srv", "git", "widget.git"), filepath.Join(root, "widget.git")))
					s.sh("jane", "git clone --quiet https://git.example.org/widget.git ~/src")
				},
				"In your own work tree": func() {
					s.sh("jane", "cd ~/src; "+fmt.Sprintf(strings.ReplaceAll(commit, "git push --quiet", ""), "my own"))
					eventually(t, "jane is reminded", func() bool { // the hook's worker may still be at it
						s.cron("home/jane/crontab", "jane")
						return len(names(t, filepath.Join(s.dir, "outbox"))) > 0
					})
					s.wantSent(1, 1)
				},
				"A repository elsewhere": func() {
					s.sh("git", "cd /tmp/git; git pull --quiet; "+fmt.Sprintf(commit, "what is elsewhere"))
					s.cron("home/jane/crontab", "jane")
					s.wantSent(1, 2)
				},
				"The same for a project": func() {
					s.sh("git", "cd /tmp/git; "+fmt.Sprintf(commit, "for all"))
					s.cron("etc/cron.d/vext-follow", "")
					s.sh("vext", "vext run")
					s.wantSent(2, 2)
				},
			})
		})
	}
}

// What the guide for Mercurial says works, whether others may read the
// repository or not.
func TestMercurialGuide(t *testing.T) {
	testkit.Program(t, "hg")
	for name, mask := range map[string]string{"open": "022", "closed": "077"} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t, "hg", "https://hg.example.org", "DIR/srv/hg")
			const commit = "echo '%[1]s' >>file; hg commit --quiet --addremove --user 'Jane <jane@example.org>' --message 'foo: fix %[1]s\n\nMFC after: 0 days'"
			s.sh("hg", "umask "+mask+"; hg init /srv/hg/widget; hg clone --quiet /srv/hg/widget /tmp/hg; cd /tmp/hg; "+fmt.Sprintf(commit, "the old")+"; hg push --quiet")
			hgrc := filepath.Join(s.dir, "srv", "hg", "widget", ".hg", "hgrc")
			s.follow("../docs/guide-mercurial.md", map[string]string{"In your own repository": "jane"}, map[string]func(){
				"On a server": func() {
					if r := s.try("jane", s.places.Replace("hg -R /srv/hg/widget root")); name == "open" && r.stderr != "" {
						t.Errorf("jane sees %s", r.stderr)
					}
				},
				"See that it works": func() { s.wantSent(1, 0) },
				"Out again": func() {
					if _, err := os.Stat(hgrc); err == nil {
						t.Error("hgrc is left")
					}
					s.sh("root", "chmod -R a+rX /srv/hg")
					s.sh("jane", "hg clone --quiet /srv/hg/widget ~/src")
				},
				"In your own repository": func() {
					s.sh("jane", "cd ~/src; "+fmt.Sprintf(commit, "my own"))
					eventually(t, "jane is reminded", func() bool { // the hook's worker may still be at it
						s.cron("home/jane/crontab", "jane")
						return len(names(t, filepath.Join(s.dir, "outbox"))) > 0
					})
					s.wantSent(1, 1)
				},
				"A repository elsewhere": func() {
					s.sh("hg", "cd /tmp/hg; "+fmt.Sprintf(commit, "for all")+"; hg push --quiet --force")
					s.cron("etc/cron.d/vext-follow", "")
					s.sh("vext", "vext run")
					s.wantSent(2, 1)
				},
			})
		})
	}
}

// What the guide for Subversion says works, whether others may read the
// repository or not.
func TestSubversionGuide(t *testing.T) {
	testkit.Program(t, "svn")
	testkit.Program(t, "svnadmin")
	for name, mask := range map[string]string{"open": "022", "closed": "077"} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t, "svn", "https://svn.example.org", "file://DIR/srv/svn")
			s.sh("svn", "umask "+mask+"; svnadmin create /srv/svn/widget; svn mkdir --quiet --username jane --message 'first\n\nMFC after: 0 days' file:///srv/svn/widget/trunk")
			hooks := filepath.Join(s.dir, "srv", "svn", "widget", "hooks")
			before := names(t, hooks)
			s.follow("../docs/guide-subversion.md", nil, map[string]func(){
				"See that it works": func() { s.wantSent(1, 0) },
				"Out again": func() {
					if after := names(t, hooks); !slices.Equal(after, before) {
						t.Errorf("%q is left, of %q", after, before)
					}
				},
				"A repository elsewhere": func() {
					s.sh("svn", "svn mkdir --quiet --username jane --message 'for all\n\nMFC after: 0 days' file:///srv/svn/widget/trunk/more")
					s.cron("etc/cron.d/vext-follow", "")
					s.sh("vext", "vext run")
					s.wantSent(2, 0)
				},
			})
		})
	}
}

// Where the hook's user can't hand anything over, that is said when the hook is
// put in.
func TestHookInstallWarns(t *testing.T) {
	s := newSandbox(t, "git", "https://git.example.org", "DIR/srv/git")
	s.sh("git", "git init --quiet --bare --initial-branch=main /srv/git/widget.git; git init --quiet --initial-branch=main /tmp/git; cd /tmp/git; git -c user.name=J -c user.email=j@example.org commit --quiet --allow-empty -m first; git push --quiet /srv/git/widget.git main")
	for _, warns := range []bool{true, false} {
		r := s.try("root", s.places.Replace("vext hook install /srv/git/widget.git"))
		r.want(t, 0)
		if got := strings.Contains(r.stderr, "commits are found only by the next run"); got != warns {
			t.Errorf("warns %v: %s", got, r.stderr)
		}
		s.sh("root", steps(t, "../docs/guide-git.md")[0].commands)
	}
}

// Each of the rights that the guides grant is needed: without it the hook can't
// hand a commit over, the push succeeds without a word all the same, and the
// next run finds it.
func TestHookRights(t *testing.T) {
	for name, test := range map[string]struct {
		takeAway string
		byHook   bool
	}{
		"all of them":                    {":", true},
		"to write to spool":              {"chmod g-w /var/spool/vext/spool", false},
		"to write to tmp":                {"chmod g-w /var/spool/vext/tmp", false},
		"a history":                      {"rm -r /var/spool/vext/history", true}, // which the next run makes
		"to be in the group":             {"rm $BOX/groups/git", false},
		"to read the configuration":      {"chown vext /etc/vext/vext.toml; chmod 600 /etc/vext/vext.toml", false},
		"not even to write to hooks":     {"chmod g-w /var/spool/vext/hooks", true}, // then each push is looked at anew
		"not even to note what was seen": {"rm /var/spool/vext/history/seen-hook", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t, "git", "https://git.example.org", "DIR/srv/git")
			write(t, filepath.Join(s.dir, "bin", "chown"), 0o755, "#!/bin/sh -eu\nexec /usr/bin/chown \"$("+s.dir+"/bin/id-of \"$1\")\" \"$2\"\n")
			s.sh("git", "git init --quiet --bare --initial-branch=main /srv/git/widget.git; git clone --quiet /srv/git/widget.git /tmp/git 2>/dev/null; cd /tmp/git; git checkout --quiet -B main")
			s.sh("root", steps(t, "../docs/guide-git.md")[0].commands)
			s.try("root", "BOX="+s.dir+"; "+s.places.Replace("vext hook install /srv/git/widget.git; "+test.takeAway)).ok(t)
			const commits = 6 // which are written together
			r := s.try("git", s.places.Replace(`cd /tmp/git
for n in 1 2 3 4 5 6; do git -c user.name=Jane -c user.email=jane@example.org commit --quiet --allow-empty -m "fix $n" -m 'MFC after: 1 week'; done
git push --quiet origin main`))
			if r.status != 0 || r.stdout+r.stderr != "" {
				t.Errorf("git push: exit status %d\n%s%s", r.status, r.stdout, r.stderr)
			}
			spool := filepath.Join(s.dir, "spool", "spool")
			if test.byHook {
				eventually(t, "the hook spools", func() bool { return len(names(t, spool)) == commits })
			}
			queued := func() []string {
				paths, _ := filepath.Glob(filepath.Join(s.dir, "spool", "queue", "*", "*"))
				return paths
			}
			eventually(t, "a run queues", func() bool { s.sh("vext", "vext run"); return len(queued()) == commits })
			for _, path := range queued() {
				if byHook := ownerOf(t, path) == serverID; byHook != test.byHook {
					t.Errorf("came by the hook: %v", byHook)
				}
			}
		})
	}
}

func ownerOf(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	ok(t, err)
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

package repo_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/testkit"
	"vext/source/autosync/repo"
	"vext/source/autosync/repo/repotest"
)

// words splits a command line.
func words(s string) []string { return strings.Fields(s) }

// byGit and byHg are the commands of the two version controls that can be tested.
var (
	byGit = repo.Commands{
		Status: words("git status --porcelain"), Add: words("git --literal-pathspecs add --force -- %s"),
		Remove: words("git --literal-pathspecs rm -q -r --cached --ignore-unmatch -- %s"), Commit: words("git commit -q -m %s"),
		Push: words("git push -q origin HEAD:refs/heads/main"), Pull: words("git pull -q --rebase origin main"), RemoteURL: words("git remote get-url origin"),
	}
	byHg = repo.Commands{
		Status: words("hg status"), Add: words("hg addremove -q -- %s"), Remove: words("hg forget -q -- %s"), Commit: words("hg commit -m %s"),
		Push: words("hg push -q"), Pull: words("hg pull -q -u"), RemoteURL: words("hg paths default"),
	}
)

// commandsPerson has git and hg know a person, and nothing else of this machine's user.
func commandsPerson(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	content := "[user]\nname = Test\nemail = test@example.org\n[init]\ndefaultBranch = main\n[ui]\nusername = Test\n"
	if err := os.WriteFile(config, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"GIT_CONFIG_GLOBAL", "HGRCPATH"} {
		t.Setenv(name, config)
	}
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
}

// clonesBy returns two clones of an empty repository, made and used by commands.
func clonesBy(t *testing.T, program string, o repo.Options) (a, b repo.Repository) {
	t.Helper()
	testkit.Program(t, program)
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v\n%s", program, args, err, out)
		}
	}
	if o.Commands = byHg; program == "git" {
		o.Commands = byGit
		run("init", "-q", "--bare", "server")
	} else {
		run("init", "server")
	}
	open := func(host string) repo.Repository {
		run("clone", "-q", "server", host)
		o.Path, o.Host = filepath.Join(dir, host), host
		r, err := repo.Open(t.Context(), "commands", o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	return open("alpha"), open("beta")
}

func TestCommands(t *testing.T) {
	for _, program := range []string{"git", "hg"} {
		t.Run(program, func(t *testing.T) {
			commandsPerson(t)
			repotest.Run(t, func(t *testing.T, o repo.Options) repotest.Setup {
				if program == "hg" && os.Getenv("VEXT_TEST_LONG") == "" {
					t.Skip("VEXT_TEST_LONG=1 tests it with hg")
				}
				a, b := clonesBy(t, program, o)
				return repotest.Setup{A: a, B: b, Coarse: true, Refuses: func(name string) bool {
					return program == "hg" && strings.ContainsAny(name, "\r\n")
				}}
			})
		})
	}
}

// scripted returns a work tree of commands that only write down how they are called.
func scripted(t *testing.T, c repo.Commands) (repo.Repository, string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o777); err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(t.Context(), "", repo.Options{Path: tree, Commands: c})
	if err != nil {
		t.Fatal(err)
	}
	return r, tree
}

// No shell sees a name or a message, and each is one argument.
func TestCommandsArguments(t *testing.T) {
	record := []string{"sh", "-c", `printf '<%s>' "$@" >> ../log; echo >> ../log`, "sh"}
	of := func(args ...string) []string { return append(record[:len(record):len(record)], args...) }
	r, tree := scripted(t, repo.Commands{Status: words("echo changed"), Add: of("add", "%s", "x%s"), Remove: of("rm", "%s"), Commit: of("commit", "%s")})
	name := `a $(touch pwned) "b`
	if err := os.WriteFile(filepath.Join(tree, name), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	changes, err := r.Changes(t.Context(), name, "gone", "-gone", name)
	if err != nil || len(changes) != 3 {
		t.Fatalf("%+v, %v", changes, err)
	}
	c, err := r.Commit(t.Context(), changes, func(context.Context, []repo.Stat) (string, error) { return "-x 'm'\n; id", nil })
	if err != nil || c.Hash != "1" || len(c.Stats) != 3 {
		t.Fatalf("%+v, %v", c, err)
	}
	log, err := os.ReadFile(filepath.Join(tree, "../log"))
	want := "<rm><./-gone>\n<rm><gone>\n<add><a $(touch pwned) \"b><x%s>\n<commit><-x 'm'\n; id>\n"
	if err != nil || string(log) != want {
		t.Errorf("%q, %v; want %q", log, err, want)
	}
	if p, err := r.Push(t.Context()); p != nil || err != nil {
		t.Errorf("a push without a command: %v, %v", p, err)
	}
}

func TestCommandsFail(t *testing.T) {
	fails := []string{"sh", "-c", "echo no >&2; exit 3"}
	r, tree := scripted(t, repo.Commands{Status: words("echo changed"), Add: words("true %s"), Remove: words("true %s"), Commit: fails, Push: fails, Pull: fails})
	say := func(context.Context, []repo.Stat) (string, error) { return "m", nil }
	changes, err := r.Changes(t.Context())
	if err != nil || len(changes) != 1 || changes[0].Path != "." {
		t.Fatalf("%+v, %v", changes, err)
	}
	var hook *repo.HookError
	if _, err := r.Commit(t.Context(), changes, say); !errors.As(err, &hook) || !strings.Contains(err.Error(), "no") {
		t.Errorf("commit: %v", err)
	}
	var offline *repo.OfflineError
	if _, err := r.Push(t.Context()); !errors.Is(err, repo.ErrBehind) {
		t.Errorf("push: %v", err)
	}
	if _, err := r.Pull(t.Context(), repo.PullOptions{}); !errors.As(err, &offline) {
		t.Errorf("pull: %v", err)
	}
	if _, err := r.Push(t.Context()); !errors.As(err, &offline) {
		t.Errorf("a second push: %v", err)
	}
	if err := os.RemoveAll(tree); err != nil {
		t.Fatal(err)
	}
	var stopped *repo.StoppedError
	if _, err := r.Changes(t.Context(), "a"); !errors.As(err, &stopped) {
		t.Errorf("without a tree: %v", err)
	}
	for _, c := range []repo.Commands{{Status: words("x")}, {Status: words("x"), Add: words("%s"), Remove: words("x"), Commit: words("x")}} {
		if _, err := repo.Open(t.Context(), "commands", repo.Options{Path: t.TempDir(), Commands: c}); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	missing, _ := scripted(t, repo.Commands{Status: words("vext-no-such-program"), Add: words("x"), Remove: words("x"), Commit: words("x")})
	if _, err := missing.Changes(t.Context()); err == nil || !strings.Contains(err.Error(), "vext-no-such-program is not installed") {
		t.Errorf("%v", err)
	}
}

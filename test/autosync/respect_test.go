package autosync

import (
	"os"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
)

// still is how long nothing may happen for a test to believe that nothing will.
const still = 2 * time.Second

// While a person is in the middle of something, nothing is committed; afterwards it goes on
// by itself.
func TestUnsafeStates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ begin, end, says string }{
		"merge":       {"git merge -q --no-commit --no-ff side", "git commit -qm merged", "merge"},
		"conflict":    {"git merge -q clash || true", "git checkout -q --ours f; git add f; git commit -qm merged", "merge"},
		"rebase":      {"GIT_SEQUENCE_EDITOR='sed -i s/^pick/edit/' git rebase -q -i HEAD~1 2>/dev/null || true", "git rebase --continue >/dev/null 2>&1", "rebase"},
		"cherry-pick": {"git cherry-pick clash >/dev/null 2>&1 || true", "git cherry-pick --abort", "cherry-pick"},
		"revert":      {"git revert --no-commit HEAD", "git revert --abort", "revert"},
		"bisect":      {"git bisect start -q 2>/dev/null || git bisect start", "git bisect reset -q 2>/dev/null || git bisect reset", "bisect"},
		"detached":    {"git checkout -q --detach", "git checkout -q main", "detached"},
		"index.lock":  {"touch .git/index.lock", "rm .git/index.lock", "index.lock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := machines.New(t, machines.Options{Table: "push_after = \"1h\"\n"})
			w.A.Sh("git checkout -q -b side; echo side >side; git add side; git commit -qm side; git checkout -q -b clash main; echo clash >f; git add f; git commit -qm clash; git checkout -q main; echo main >f; git add f; git commit -qm main")
			w.A.Start()
			w.A.Sh(test.begin)
			before := w.A.Git("rev-parse HEAD")
			w.A.Write("new", "new\n")
			time.Sleep(still)
			if now := w.A.Git("rev-parse HEAD"); now != before {
				t.Errorf("%s was committed", now)
			}
			if out, _ := w.A.Vext("autosync", "status").CombinedOutput(); !strings.Contains(strings.ToLower(string(out)), strings.Split(test.says, ".")[0]) {
				t.Errorf("the status does not say why:\n%s", out)
			}
			w.A.Sh(test.end)
			w.A.Committed()
			if w.A.Git("log -1 --format=%s -- new") == "" {
				t.Error("the new file is not committed")
			}
			w.A.Stop()
		})
	}
}

// What a person has staged is not swallowed.
func TestStaged(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Files: map[string]string{"half": "1\n2\n3\n4\n5\n6\n7\n8\n9\n"}})
	w.A.Start()
	w.A.Sh(`printf 'one\n2\n3\n4\n5\n6\n7\n8\nnine\n' >half; git diff >../patch; git checkout -q half; sed 's/nine/9/; s/^-9$/ 9/; /^+9$/d' ../patch >/dev/null; printf 'one\n2\n3\n4\n5\n6\n7\n8\n9\n' >half; git add half; printf 'one\n2\n3\n4\n5\n6\n7\n8\nnine\n' >half`)
	w.A.Write("other", "other\n")
	if !testkit.Eventually(machines.Patience, func() bool { _, err := w.A.Try("git cat-file -e HEAD:other"); return err == nil }) {
		t.Error("the other file is held up")
	}
	time.Sleep(still)
	if staged := w.A.Git("show :half"); !strings.HasPrefix(staged, "one\n") || strings.Contains(staged, "nine") {
		t.Errorf("staged is %q", staged)
	}
	if log := w.A.Git("log --format=%s -- half"); strings.Count(log, "\n") > 0 {
		t.Errorf("half a change was committed: %s", log)
	}
	w.A.Git("commit -qm 'by hand'")
	w.A.Committed()
	w.A.Stop()
}

// A hook that fails is retried seldom, and what it refuses is committed when it agrees.
func TestFailingHook(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{})
	w.A.Sh("printf '#!/bin/sh\\necho x >>.git/tries\\necho the hook says no >&2\\nexit 1\\n' >.git/hooks/pre-commit; chmod +x .git/hooks/pre-commit")
	w.A.Start()
	w.A.Write("f", "f\n")
	testkit.Eventually(machines.Patience, func() bool { _, err := os.Stat(w.A.Path(".git/tries")); return err == nil })
	time.Sleep(2 * still)
	if tries := w.A.Sh("wc -l <.git/tries"); strings.TrimSpace(tries) > "3" {
		t.Errorf("%s tries", tries)
	}
	if !strings.Contains(w.A.Log(), "the hook says no") {
		t.Error("what the hook says is not shown")
	}
	w.A.Sh("rm .git/hooks/pre-commit")
	if out, err := w.A.Vext("autosync", "now").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	w.A.Committed()
	w.A.Stop()
}

// Whoever signs and has no agent is not waited for.
func TestSigning(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{})
	w.A.Git("config commit.gpgSign true; git config gpg.program /bin/false")
	w.A.Start()
	w.A.Write("f", "f\n")
	time.Sleep(still)
	w.A.Stop()
	if commits := w.A.Commits(); commits != "1" {
		t.Errorf("%s commits, one of them not signed", commits)
	}
}

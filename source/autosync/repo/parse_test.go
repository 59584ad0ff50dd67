package repo

import (
	"path"
	"strings"
	"testing"
	"time"
)

// No output of git makes its readers panic.
func FuzzGitOutput(f *testing.F) {
	f.Add("1 .M N... 100644 100644 100644 1 1 a b\x00? d/\x00u \x00")
	f.Add("1 .M  100644 100644 100644 1 1 a\x00")
	f.Add(":100644 100644 1 2 M\x00a\x001\t2\ta\x00")
	f.Add(":    0")
	f.Add(":100644 100644 1 2 R100\x00a\x00b\x000\t0\t\x00a\x00b\x00")
	f.Add("0a\x00100644 1 1\ta\x00100644 2 2\ta~main\x00\x002\x00a\x00a~main\x00CONFLICT (file/directory)\x00text\x00")
	f.Add("tree 1\nauthor Jane <jane@example.org> 1700000000 +0100\n\nmessage\n")
	f.Add(" ! [remote rejected] main -> main (hook declined)\nremote: no\r\nremote: Counting objects\n")
	f.Fuzz(func(t *testing.T, out string) {
		g := &gitRepo{root: "/nowhere"}
		g.parseStatus(out)
		parseStats(out)
		unreadable(out)
		oldest(out)
		parseMerge(out)
		parseTree(out, map[string]entry{})
		parseCommit("0a", out)
		rejected.FindStringSubmatch(out)
		serverWords(out)
	})
}

// No output of hg makes its readers panic.
func FuzzHgOutput(f *testing.F) {
	f.Add("M a\x00A b\x00  a\x00? c d\x00")
	f.Add("diff --git a/a b/a\n@@ -1,2 +1 @@\n-x\n-y\n+z\nBinary file b has changed\n")
	f.Add("abort: pre-push hook failed\n")
	f.Fuzz(func(t *testing.T, out string) {
		parseHgStatus(out)
		countLines([]Stat{{Path: "a"}}, out)
		abortLines(out)
		hookLine.FindStringSubmatch(out)
	})
}

// A copy of a conflict is beside its file, its name fits, and is recognised.
func FuzzConflictName(f *testing.F) {
	f.Add("notes/todo.txt", "laptop")
	f.Add(strings.Repeat("ö", 127), `a/b\c`)
	f.Add(".x."+strings.Repeat("y", 63), "")
	f.Fuzz(func(t *testing.T, name, host string) {
		full := ConflictName(name, host, time.Unix(0, 0), func(string) bool { return false })
		dir, base := path.Split(full)
		if wantDir, _ := path.Split(name); dir != wantDir || len(base) > maxName || !isCopy(full) {
			t.Errorf("%q on %q: %q", name, host, full)
		}
	})
}

package autosync

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
)

// Two machines change the same while they do not see each other. Nothing is lost, on both
// is the same, and the next change is in sync.
func TestConflicts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		a, b   string
		lines  []string // that must be in the trees afterwards
		copies int      // conflict copies
	}{
		"same line":           {"echo ours >f.txt", "echo theirs >f.txt", []string{"ours", "theirs"}, 1},
		"other lines":         {"sed -i 1s/.*/first/ long", "sed -i 9s/.*/last/ long", []string{"first", "last"}, 0},
		"edit and delete":     {"echo edited >f.txt", "rm f.txt", []string{"edited"}, 0},
		"delete and edit":     {"rm f.txt", "echo edited >f.txt", []string{"edited"}, 0},
		"add and add":         {"echo mine >new.txt", "echo yours >new.txt", []string{"mine", "yours"}, 1},
		"same add":            {"echo same >new.txt", "echo same >new.txt", []string{"same"}, 0},
		"rename and edit":     {"mv long renamed", "sed -i 9s/.*/edited/ long", []string{"edited"}, 0},
		"file and directory":  {"rm f.txt; mkdir f.txt; echo inner >f.txt/inner", "echo outer >f.txt", []string{"inner", "outer"}, 1},
		"directory and file":  {"echo outer >f.txt", "rm f.txt; mkdir f.txt; echo inner >f.txt/inner", []string{"inner", "outer"}, 1},
		"case":                {"mv long Long", "sed -i 1s/.*/first/ long", []string{"first"}, 0},
		"binary":              {`printf 'a\0ours\n' >bin.dat`, `printf 'a\0theirs\n' >bin.dat`, nil, 1},
		"symlink":             {"ln -sfn ours link", "ln -sfn theirs link", nil, 1},
		"mode and edit":       {"chmod +x f.txt", "echo edited >f.txt", []string{"edited"}, 0},
		"renamed differently": {"mv long one-name", "mv long other-name", []string{"l5"}, -1},
		"both delete":         {"rm f.txt", "rm f.txt", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := machines.New(t, machines.Options{Files: map[string]string{"f.txt": "base\n", "long": "l1\nl2\nl3\nl4\nl5\nl6\nl7\nl8\nl9\n", "bin.dat": "a\x00base\n"}})
			w.A.Sh("ln -s base link; git add link; git commit -qm link; git push -q")
			w.B.Git("pull -q")
			w.A.Sh(test.a)
			w.B.Sh(test.b)
			w.Start()
			w.Equal(machines.Patience)
			tree := w.A.Sh("git ls-files -z | xargs -0 cat 2>/dev/null || true")
			for _, line := range test.lines {
				if !strings.Contains("\n"+tree+"\n", "\n"+line+"\n") {
					t.Errorf("%q is in no file: %s", line, w.A.Git("ls-files"))
				}
			}
			copies, _ := filepath.Glob(w.A.Path("*(conflict *"))
			if len(copies) != test.copies && test.copies >= 0 {
				t.Errorf("%d conflict copies: %s", len(copies), copies)
			}
			w.A.Write("third", "third\n")
			w.Equal(machines.Patience)
			w.B.Await("third", "third\n")
			w.Stop()
			w.Check()
		})
	}
}

// A conflict copy has the name that the manual promises, and status lists it until it is
// looked at.
func TestConflictCopy(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{Files: map[string]string{"notes/todo.md": "base\n"}})
	w.A.Write("notes/todo.md", "a\n")
	w.B.Write("notes/todo.md", "b\n")
	w.Start()
	w.Equal(machines.Patience)
	copies, _ := filepath.Glob(w.A.Path("notes/todo (conflict * ????-??-?? ??.??).md"))
	if len(copies) != 1 {
		t.Fatalf("%s", w.A.Git("ls-files"))
	}
	status, _ := w.A.Vext("autosync", "status").CombinedOutput()
	if !strings.Contains(string(status), filepath.Base(copies[0])) {
		t.Errorf("the status does not list it:\n%s", status)
	}
	if err := os.Remove(copies[0]); err != nil {
		t.Fatal(err)
	}
	w.Equal(machines.Patience)
	w.Stop()
	w.Check()
}

// What a person has committed by hand is never rewritten.
func TestPersonsCommits(t *testing.T) {
	t.Parallel()
	w := machines.New(t, machines.Options{})
	w.A.Sh("echo hand >hand; git add hand; git commit -qm 'by hand'")
	hash := w.A.Git("rev-parse HEAD")
	w.B.Sh("echo b >b; git add b; git commit -qm b; git push -q")
	w.Start()
	w.Equal(machines.Patience)
	if _, err := w.A.Try("git merge-base --is-ancestor " + hash + " main"); err != nil {
		t.Error("it was rewritten")
	}
	w.Stop()
	w.Check()
}

// A remote branch that was forced, deleted, or has another history stops the tree, and
// nothing is touched.
func TestStopped(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"forced":    "git checkout -q --orphan x; git commit -qm x --allow-empty; git push -q -f origin x:main; git checkout -q main",
		"rewound":   "git push -q -f origin main~1:main",
		"deleted":   "git push -q origin :main",
		"unrelated": "git checkout -q --orphan x; echo u >u; git add u; git commit -qm u; git push -q -f origin x:main; git checkout -q main",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := machines.New(t, machines.Options{})
			w.A.Sh("git -C " + w.Server + " config receive.denyDeleteCurrent ignore; echo 2 >two; git add two; git commit -qm two; git push -q")
			w.B.Git("pull -q")
			w.A.Start()
			w.A.Write("first", "first\n")
			if !testkit.Eventually(machines.Patience, func() bool { commits := w.A.Commits(); h := w.Heads(); return commits == "3" && h[0] == h[2] }) {
				t.Fatal("not pushed")
			}
			w.B.Git("pull -q")
			before := w.A.Git("rev-parse HEAD")
			w.B.Sh(script)
			server, _ := w.A.Try("git -C " + w.Server + " rev-parse -q --verify main")
			w.A.Write("second", "second\n")
			if !testkit.Eventually(machines.Patience, func() bool {
				out, _ := w.A.Vext("autosync", "status", "--json").CombinedOutput()
				return strings.Contains(string(out), `"stopped"`)
			}) {
				t.Error("it is not stopped")
			}
			if now, _ := w.A.Try("git -C " + w.Server + " rev-parse -q --verify main"); now != server {
				t.Errorf("the server has %s, not %s", now, server)
			}
			if _, err := w.A.Try("git merge-base --is-ancestor " + before + " HEAD"); err != nil {
				t.Errorf("%s is not in %s", before, w.A.Git("rev-parse HEAD"))
			}
			if w.A.Read("second") != "second\n" {
				t.Error("the file is gone")
			}
			w.A.Stop()
		})
	}
}

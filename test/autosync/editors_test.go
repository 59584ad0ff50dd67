package autosync

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
)

// However a program saves a file, one save is one commit with the file, and no temporary
// file is ever in one.
func TestEditors(t *testing.T) {
	t.Parallel()
	editors := map[string]struct {
		program string // "" for one that is imitated
		file    string
		save    string
	}{
		"vim":              {"vim", "f.txt", `vim -es -u NONE -c 'set swapfile directory=. updatecount=1' -c 'normal Ofrom vim' -c wq f.txt </dev/null || test -s f.txt`},
		"vim with backup":  {"vim", "f.txt", `vim -es -u NONE -c 'set backup backupcopy=no swapfile directory=. backupdir=.' -c 'normal Ofrom vim' -c wq f.txt </dev/null || test -s f.txt`},
		"emacs":            {"emacs", "f.txt", `emacs --batch -Q --eval '(progn (setq make-backup-files t) (find-file "f.txt") (insert "from emacs\n") (do-auto-save) (sit-for 1) (save-buffer))' 2>/dev/null`},
		"LibreOffice":      {"soffice", "letter.odt", `echo text >../letter.txt; HOME=$PWD/.. soffice --headless --convert-to odt --outdir . ../letter.txt >/dev/null 2>&1`},
		"sed -i":           {"", "f.txt", "sed -i 's/base/from sed/' f.txt"},
		"JetBrains":        {"", "f.txt", "echo jet >f.txt___jb_tmp___; mv f.txt f.txt___jb_old___; mv f.txt___jb_tmp___ f.txt; rm f.txt___jb_old___"},
		"Office":           {"", "r.docx", "echo lock >'~$r.docx'; echo new >'~WRD0001.tmp'; mv r.docx '~WRL0002.tmp' 2>/dev/null || true; sleep 0.5; mv '~WRD0001.tmp' r.docx; rm -f '~WRL0002.tmp' '~$r.docx'"},
		"write and rename": {"", "f.txt", "echo renamed >f.txt.new.tmp; sync f.txt.new.tmp; mv f.txt.new.tmp f.txt"},
	}
	for name, e := range editors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if e.program != "" {
				testkit.Program(t, e.program)
			}
			w := machines.New(t, machines.Options{Files: map[string]string{"f.txt": "base\n", "r.docx": "base\n"}, Table: "quiet = \"1s\"\npush_after = \"1h\"\n"})
			w.A.Start()
			w.A.Sh(e.save)
			if !testkit.Eventually(2*machines.Patience, func() bool {
				out, _ := w.A.Try("git log --format= --name-only -1 -- " + e.file)
				return out != "" && w.A.Commits() != "1"
			}) {
				t.Fatal("not committed")
			}
			time.Sleep(still)
			touched := w.A.Git("log --format= --name-only HEAD~" + fmt.Sprint(atoi(t, w.A.Commits())-1) + "..")
			for file := range strings.Lines(touched) {
				if file = strings.TrimSpace(file); file != e.file {
					t.Errorf("%s is in a commit", file)
				}
			}
			if commits := w.A.Commits(); commits != "2" {
				t.Errorf("%s commits: %s", commits, w.A.Git("log --stat --format=%s"))
			}
			if left, _ := filepath.Glob(w.A.Path(".*.swp")); len(left) > 0 {
				t.Logf("left: %s", left)
			}
			w.A.Stop()
		})
	}
}

func atoi(t *testing.T, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

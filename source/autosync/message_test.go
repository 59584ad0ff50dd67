package autosync

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"vext/source/autosync/repo"
)

func TestSubject(t *testing.T) {
	long := strings.Repeat("directory/", 10)
	for _, test := range []struct {
		want  string
		files []File
	}{
		{"notes/todo.md: 3 lines", []File{{Path: "notes/todo.md", Kind: "modified", Added: 3, Deleted: 2}}},
		{"a: 1 line", []File{{Path: "a", Kind: "modified", Deleted: 1}}},
		{"run.sh: changed", []File{{Path: "run.sh", Kind: "modified"}}},
		{"a: new, empty", []File{{Path: "a", Kind: "added"}}},
		{"a: deleted", []File{{Path: "a", Kind: "deleted", Deleted: 4}}},
		{"photos/x.jpg: new, 2.1 MB", []File{{Path: "photos/x.jpg", Kind: "added", Binary: true, Size: 2_100_000}}},
		{"x.jpg: changed, 999 bytes", []File{{Path: "x.jpg", Kind: "modified", Binary: true, Size: 999}}},
		{"notes/a.md renamed to notes/b.md", []File{{Path: "notes/b.md", From: "notes/a.md", Kind: "renamed"}}},
		{"2 files in photos/", []File{{Path: "photos/a", Kind: "added"}, {Path: "photos/b/c", Kind: "modified"}}},
		{"4 files: 1 new, 1 changed, 1 renamed, 1 deleted", []File{{Path: "a", Kind: "added"}, {Path: "b", Kind: "modified"}, {Path: "c", From: "d", Kind: "renamed"}, {Path: "e", Kind: "deleted"}}},
		{"x/a/ renamed to x/b/ (2 files)", []File{{Path: "x/b/1", From: "x/a/1", Kind: "renamed"}, {Path: "x/b/c/2", From: "x/a/c/2", Kind: "renamed"}}},
		{"2 files in x/", []File{{Path: "x/b/1", From: "x/a/1", Kind: "renamed"}, {Path: "x/2", From: "x/a/c/2", Kind: "renamed"}}},
		{"a  b: deleted", []File{{Path: "a\n\x1bb\xff", Kind: "deleted"}}},
		{"…/directory/directory/directory/directory/directory/a: deleted", []File{{Path: long + "a", Kind: "deleted"}}},
		{"no file has changed", nil},
	} {
		want := strings.ReplaceAll(test.want, "a  b:", "a  b?:")
		if got := subject(test.files); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzSubject(f *testing.F) {
	f.Add("a/b", "c", 3, true)
	f.Add(strings.Repeat("é/", 100)+strings.Repeat("x", 255), "\xff\n", 0, false)
	f.Fuzz(func(t *testing.T, path, from string, n int, binary bool) {
		for _, files := range [][]File{
			{{Path: path, Kind: "modified", Added: n, Binary: binary, Size: int64(n)}}, {{Path: path, From: from, Kind: "renamed"}},
			{{Path: path, From: from, Kind: "renamed"}, {Path: path + "/x", From: from + "/x", Kind: "renamed"}},
		} {
			s := subject(files)
			if strings.ContainsAny(s, "\n\r\x1b") || !utf8.ValidString(s) {
				t.Errorf("%q", s)
			}
			if utf8.RuneCountInString(s) > maxSubject {
				t.Errorf("%d characters: %q", utf8.RuneCountInString(s), s)
			}
		}
	})
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 1500: "1.5 kB", 52_428_800: "52 MB", 999_999: "1.0 MB", 5e12: "5.0 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func testWriter(t *testing.T, template string, command ...string) (*writer, *strings.Builder) {
	t.Helper()
	log := new(strings.Builder)
	o := Options{
		Message: template, MessageCommand: command, Host: "desk", Log: slog.New(slog.NewTextHandler(log, nil)),
		Now: func() time.Time { return time.Date(2026, 11, 30, 14, 5, 0, 0, time.UTC) },
	}
	w, err := newWriter(o, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return w, log
}

var twoStats = []repo.Stat{{Path: "a", Kind: repo.Added, Added: 1}, {Path: "b", From: "c", Kind: repo.Modified}}

func TestMessage(t *testing.T) {
	for _, test := range []struct {
		template string
		stats    []repo.Stat
		want     string
	}{
		{"", twoStats[:1], "a: new, 1 line\n\non desk, Mon 30 Nov 2026 14:05\n"},
		{"", twoStats, "2 files: 1 new, 1 renamed\n\na: new, 1 line\nc renamed to b\n\non desk, Mon 30 Nov 2026 14:05\n"},
		{"{{.New}} {{.Changed}} {{.Renamed}} {{.Deleted}} {{.Host}} {{range .Files}}{{.Path}},{{end}}", twoStats, "1 0 1 0 desk a,b,\n"},
		{`{{if eq (len .Files) 2}}{{index .Files 7}}{{end}}x`, twoStats, "2 files: 1 new, 1 renamed\n"},
	} {
		w, _ := testWriter(t, test.template)
		got, err := w.write(t.Context(), test.stats)
		if err != nil || strings.TrimSpace(got) != strings.TrimSpace(test.want) {
			t.Errorf("%q, %v, want %q", got, err, test.want)
		}
	}
	w, _ := testWriter(t, "")
	lots := make([]repo.Stat, 100)
	for i := range lots {
		lots[i] = repo.Stat{Path: strings.Repeat("x", i+1), Kind: repo.Added}
	}
	if got, _ := w.write(t.Context(), lots); strings.Count(got, "\n") != 25 || !strings.Contains(got, "\nand 80 more\n") {
		t.Errorf("%d lines: %s", strings.Count(got, "\n"), got)
	}
	for _, bad := range []string{"{{.Nope}}", "{{", "{{/* */}}"} {
		if err := CheckMessage(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestMessageCommand(t *testing.T) {
	for _, test := range []struct{ script, want, warning string }{
		{`echo "host $(sed 's/.*"host":"\([a-z]*\)".*/\1/'): $VEXT_MESSAGE" | head -1`, "host desk: 2 files: 1 new, 1 renamed\n", ""},
		{`echo oops >&2; exit 3`, "2 files: 1 new", "exit status 3: oops"},
		{`true`, "2 files: 1 new", "it printed nothing"},
		{`printf 'a\033[31mb\n\nc'`, "a[31mb\n\nc\n", ""},
		{`yes | head -c 10000000`, strings.Repeat("y\n", 100), ""},
	} {
		w, log := testWriter(t, "", "sh", "-c", test.script)
		got, err := w.write(t.Context(), twoStats)
		if err != nil || !strings.HasPrefix(got, test.want) || len(got) > maxWritten+1 {
			t.Errorf("%s: %.300q, %v", test.script, got, err)
		}
		if test.warning == "" && log.Len() > 0 || !strings.Contains(log.String(), test.warning) {
			t.Errorf("%s: %s", test.script, log)
		}
	}
	w, log := testWriter(t, "", "/no/such/program")
	if got, err := w.write(t.Context(), twoStats); err != nil || !strings.HasPrefix(got, "2 files") || !strings.Contains(log.String(), "no such file") {
		t.Errorf("%q, %v, %s", got, err, log)
	}
	// It runs in the tree, and ends with the commit.
	w, _ = testWriter(t, "", "sh", "-c", "pwd > where; exec sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := w.write(ctx, twoStats); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(filepath.Join(w.root, "where")); err != nil {
		t.Error(err)
	}
}

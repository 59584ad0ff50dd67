package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func dirs(t *testing.T) (tmp, to string) {
	dir := t.TempDir()
	tmp, to = filepath.Join(dir, "tmp"), filepath.Join(dir, "to")
	for _, d := range []string{tmp, to} {
		if err := MakeDir(d); err != nil {
			t.Fatal(err)
		}
	}
	return tmp, to
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("%s is left in %s", files[0].Name(), dir)
	}
}

// A file is complete, has its mode whatever the umask, and is never replaced.
func TestWriteNew(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	SetUmask()
	tmp, to := dirs(t)
	path := filepath.Join(to, "a")
	if err := WriteNew(tmp, path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := WriteNew(tmp, path, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second write: %v, want fs.ErrExist", err)
	}
	if got := content(t, path); got != "first" {
		t.Errorf("it holds %q", got)
	}
	info, _ := os.Stat(path)
	dir, _ := os.Stat(to)
	if info.Mode().Perm() != FileMode || dir.Mode().Perm() != DirMode {
		t.Errorf("modes %v and %v", info.Mode(), dir.Mode())
	}
	empty(t, tmp)
	if err := WriteNew(tmp, filepath.Join(to, "no", "such"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no directory: %v", err)
	}
	empty(t, tmp)
}

func TestIsDirOf(t *testing.T) {
	dir, us := t.TempDir(), os.Geteuid()
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path      string
		forbidden fs.FileMode
		owners    []int
		want      bool
	}{
		{dir, 0o022, []int{us}, true}, {dir, 0o077, []int{us}, false}, {dir, 0o022, []int{us + 1}, false}, {dir, 0o022, []int{us + 1, us}, true},
		{link, 0o022, []int{us}, false}, {file, 0o022, []int{us}, false}, {file + "2", 0o022, []int{us}, false},
	} {
		if got := IsDirOf(test.path, test.forbidden, test.owners...); got != test.want {
			t.Errorf("%+v", test)
		}
	}
}

// Neither kind of rename replaces a file.
func TestRename(t *testing.T) {
	for name, rename := range map[string]func(string, string) error{"Rename": Rename, "linkAndUnlink": linkAndUnlink} {
		t.Run(name, func(t *testing.T) {
			tmp, to := dirs(t)
			from, path := filepath.Join(tmp, "x"), filepath.Join(to, "a")
			for i, want := range []error{nil, fs.ErrExist} {
				if err := os.WriteFile(from, []byte{byte('0' + i)}, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := rename(from, path); !errors.Is(err, want) {
					t.Fatalf("rename %d: %v, want %v", i, err, want)
				}
			}
			if got := content(t, path); got != "0" {
				t.Errorf("it was replaced: %q", got)
			}
			if err := rename(filepath.Join(tmp, "none"), path+"2"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("of nothing: %v", err)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	tmp, _ := dirs(t)
	if err := Remove(filepath.Join(tmp, "none")); err != nil {
		t.Error(err)
	}
}

// A FIFO blocks neither a reader nor a writer.
func TestOpenFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []int{os.O_RDONLY, os.O_WRONLY, os.O_WRONLY | os.O_CREATE | os.O_APPEND} {
		if f, err := OpenFile(path, flag); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%#x: %v, %v", flag, f, err)
		}
	}
}

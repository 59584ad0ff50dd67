package source

import (
	"io/fs"
	"os"
	"path/filepath"

	"vext/reminder"
)

// control checks that the users of the machine can reach vext serve through the
// control socket.
func (k *checker) control() []reminder.Finding {
	path := k.c.Control.Socket
	if path == "" {
		return nil
	}
	f := answers("control", "unix", path, "answers")
	if dir := closedDir(filepath.Dir(path)); f.Level == reminder.OK && dir != "" {
		f.Level, f.Text = reminder.Warning, path+" answers, but users can't reach it: "+dir+" is closed to them"
		f.Hint = "chmod o+x " + dir + ", or set another socket under [control]"
	}
	return []reminder.Finding{f}
}

// closedDir returns the first directory, from dir upwards, that some users can't pass
// through, "" when there is none.
func closedDir(dir string) string {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 && info.Mode().Type() == fs.ModeDir {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}

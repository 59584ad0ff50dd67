package repo

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/disk"
)

// A record is the list of the commits that autosync has made in a work tree, a file in
// its Dir. Only these may be made again by a rebase; all others are a person's.
type record string // the Dir

// maxRecord bounds the list, in bytes: some 20,000 commits. The older half goes; these are
// pushed long since.
const maxRecord = 1 << 20

func (r record) path() string { return filepath.Join(string(r), "commits") }

// add adds commits.
func (r record) add(hashes ...string) error {
	if info, err := os.Stat(r.path()); err == nil && info.Size() > maxRecord {
		data, err := disk.ReadFile(r.path())
		if err != nil {
			return err
		}
		data = data[len(data)/2:]
		_, data, _ = bytes.Cut(data, []byte("\n"))
		if err := disk.ReplaceUnsynced(string(r), r.path(), data); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(r.path(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(hashes, "\n") + "\n")
	return errors.Join(err, f.Close())
}

// all returns the commits.
func (r record) all() (map[string]bool, error) {
	data, err := disk.ReadFile(r.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := map[string]bool{}
	for hash := range strings.FieldsSeq(string(data)) {
		all[hash] = true
	}
	return all, nil
}

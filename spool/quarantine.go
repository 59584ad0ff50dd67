package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/disk"
	"vext/internal/text"
)

// WhySuffix ends the name of the file that says why a file is quarantined.
const WhySuffix = ".why"

// Quarantine moves a file of the state directory to failed/, under its name when that is
// a message's and free, and writes the reason beside it. It writes the reason first, so
// that no file in failed/ lacks one, and does not sync it: a crash can lose it, but the
// history of a message has it too.
func (s Spool) Quarantine(path, name, reason string) error {
	if err := disk.MakeDir(s.failed()); err != nil {
		return err
	}
	name, err := s.failedName(name, path)
	if err != nil {
		return err
	}
	to := filepath.Join(s.failed(), name)
	os.Remove(to + WhySuffix) // it may be a FIFO, on which a write would block
	if err := os.WriteFile(to+WhySuffix, []byte(reason+"\n"), disk.FileMode); err != nil {
		return err
	}
	err = disk.Rename(path, to)
	if errors.Is(err, fs.ErrExist) && isSameFile(path, to) { // a crash between link and unlink
		err = disk.Remove(path)
	}
	return err
}

func isSameFile(a, b string) bool {
	x, xErr := os.Lstat(a)
	y, yErr := os.Lstat(b)
	return xErr == nil && yErr == nil && os.SameFile(x, y)
}

// failedName returns a free name in failed/. A message keeps its own name. A file
// without a message's name, or whose name is taken, gets one made from its path and
// modification time.
func (s Spool) failedName(name, path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	there, err := os.Lstat(filepath.Join(s.failed(), name))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	case IsName(name) && (err != nil || os.SameFile(info, there)):
		return name, nil
	}
	sum := sha256.Sum256([]byte(path + info.ModTime().String()))
	clean := strings.Map(func(r rune) rune {
		if IsName("x"+string(r)) && r != '.' {
			return r
		}
		return '_'
	}, text.Shorten(name, 100))
	return "stray-" + strings.Trim(clean, "_") + "-" + hex.EncodeToString(sum[:8]), nil
}

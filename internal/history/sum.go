package history

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vext/internal/disk"
)

// ErrLost says that a file of the history is missing or has lost records. A commit
// whose reminder was sent may then look new.
var ErrLost = errors.New("lost records")

// A sum is what a file must have at least: a number of bytes, and the digest of the
// last of these. A file may be longer, because of a crash before the sum was
// written, or because an earlier version, which has no sums, appended to it.
type sum struct {
	name   string
	size   int64
	digest string // of the last tailSize bytes, or of all
}

// sums are the sums of all files, oldest year first. STATE/history.sum holds
// them, one a line. It is not synced: an outdated file is still valid, and an
// unreadable one is ignored.
type sums []sum

const sumFormat = "%s %012d %s\n"

func (h History) readSums() sums {
	text, err := disk.ReadFile(h.sum)
	if err != nil {
		return nil
	}
	return parseSums(text)
}

func (all sums) text() []byte {
	var text []byte
	for _, s := range all {
		text = fmt.Appendf(text, sumFormat, s.name, s.size, s.digest)
	}
	return text
}

// parseSums reads sums as text writes them; none when one can't be read.
func parseSums(text []byte) sums {
	var all sums
	for line := range bytes.Lines(text) {
		var s sum
		if _, err := fmt.Sscanf(string(line), sumFormat, &s.name, &s.size, &s.digest); err != nil || len(s.digest) != digestSize || !yearFile.MatchString(s.name) {
			return nil
		}
		all = append(all, s)
	}
	return all
}

// writeSum updates the sum of a file, and adds those of files that have none. It
// ignores errors: a record must not fail because its sum can't be written.
func (h History) writeSum(all sums, f *os.File, name string) {
	if len(all) == 0 {
		paths, _, _ := h.files()
		for _, path := range paths {
			if other, err := disk.Open(path); err == nil && filepath.Base(path) != name {
				all = all.with(other, filepath.Base(path))
				other.Close()
			}
		}
	}
	text := all.with(f, name).text()
	to, err := disk.OpenFile(h.sum, os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return
	}
	defer to.Close()
	to.WriteAt(text, 0) // in place, which needs no space on a full disk
	to.Truncate(int64(len(text)))
}

// with returns the sums with the sum of a file replaced or added.
func (all sums) with(f *os.File, name string) sums {
	end, err := readTail(f)
	if err != nil {
		return all
	}
	s := sum{name, end.size, end.digest()}
	i, known := slices.BinarySearchFunc(all, name, func(s sum, name string) int { return cmp.Compare(s.name, name) })
	if known {
		all[i] = s
		return all
	}
	return slices.Insert(all, i, s)
}

func (all sums) has(name string) bool {
	return slices.ContainsFunc(all, func(s sum) bool { return s.name == name })
}

// check returns an ErrLost when a file does not match its sum.
func (all sums) check(f *os.File, name string) error {
	i := slices.IndexFunc(all, func(s sum) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	end, err := readTailBefore(f, all[i].size)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the file is shorter than it was", ErrLost)
	case err != nil:
		return err
	case end.digest() != all[i].digest:
		return fmt.Errorf("%w: what was appended last is missing or changed", ErrLost)
	}
	return nil
}

// Verify checks that all files exist and match their sums. It reads only the end of
// each.
func (h History) Verify() error {
	all := h.readSums()
	for _, s := range all {
		path := filepath.Join(h.dir, s.name)
		f, err := disk.Open(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrNotRegular) {
			err = errMissing
		}
		if err == nil {
			err = all.check(f, s.name)
			f.Close()
		}
		if err != nil {
			return wrap("verify", path, err)
		}
	}
	return nil
}

var errMissing = fmt.Errorf("%w: the file is missing", ErrLost)

// tailSize is how much of the end of a file is read.
const tailSize = 4 << 10

// A tail is the end of a file.
type tail struct {
	size int64 // of the file up to here
	data []byte
}

func readTail(f *os.File) (tail, error) {
	info, err := f.Stat()
	if err != nil {
		return tail{}, err
	}
	return readTailBefore(f, info.Size())
}

// readTailBefore returns the end of the first size bytes of a file, the error
// io.ErrUnexpectedEOF when it has fewer.
func readTailBefore(f *os.File, size int64) (tail, error) {
	data := make([]byte, min(size, tailSize))
	if _, err := f.ReadAt(data, size-int64(len(data))); err != nil && len(data) > 0 {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return tail{}, err
	}
	return tail{size, data}, nil
}

const digestSize = 32

func (t *tail) digest() string {
	digest := sha256.Sum256(t.data)
	return hex.EncodeToString(digest[:])[:digestSize]
}

// isCut reports whether the last line is incomplete.
func (t *tail) isCut() bool { return len(t.data) > 0 && t.data[len(t.data)-1] != '\n' }

// lastTime returns the time of the last event, if the event is in the tail and can
// be read.
func (t *tail) lastTime() (last time.Time, ok bool) {
	var r record
	line := t.data[bytes.LastIndexByte(bytes.TrimSuffix(t.data, []byte("\n")), '\n')+1:]
	ok = !t.isCut() && r.split(line) && last.UnmarshalText(r[fTime]) == nil
	return last, ok
}

package repo

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"vext/internal/disk"
)

// A hgState is what autosync remembers of a work tree, in .hg/vext/state.json.
type hgState struct {
	Head     string            `json:"head"`     // where it has last left the work tree
	Upstream map[string]string `json:"upstream"` // by remote and branch: what was last integrated or pushed
	Updating string            `json:"updating"` // the commit to which an update has begun
}

// state reads what is remembered.
func (h *hgRepo) state() hgState {
	var s hgState
	data, err := disk.ReadFile(filepath.Join(h.dir, "state.json"))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.opts.Log.Warn("state of autosync unreadable", "path", h.dir, "error", err)
	}
	if s.Upstream == nil {
		s.Upstream = map[string]string{}
	}
	return s
}

// remember changes what is remembered.
func (h *hgRepo) remember(change func(*hgState)) error {
	s := h.state()
	change(&s)
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return disk.Replace(h.dir, filepath.Join(h.dir, "state.json"), data)
}

// parents returns the commits that the work tree is based on, from the file that hg has them
// in: hg itself takes a quarter of a second to start.
func (h *hgRepo) parents() (first, second string, err error) {
	head := make([]byte, 12+2*32)
	f, err := os.Open(filepath.Join(h.hg, "dirstate"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", h.place.check() // nothing was ever committed or checked out
	}
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	n, _ := f.Read(head)
	head = head[:n]
	size := 20
	if rest, is := bytes.CutPrefix(head, []byte("dirstate-v2\n")); is {
		head, size = rest, 32
	}
	if len(head) < 2*size {
		return "", "", nil
	}
	return node(head[:20]), node(head[size : size+20]), nil
}

// node returns a commit as hexadecimal digits, "" for none.
func node(b []byte) string {
	if len(bytes.Trim(b, "\x00")) == 0 {
		return ""
	}
	return hex.EncodeToString(b)
}

// Head implements Repository.
func (h *hgRepo) Head(context.Context) (string, error) {
	first, _, err := h.parents()
	return first, err
}

// unfinished are the files in .hg that say that a person is in the middle of something.
var unfinished = []struct{ file, what string }{
	{"rebasestate", "a rebase"}, {"graftstate", "a graft"}, {"histedit-state", "a histedit"}, {"shelvedstate", "an unshelve"},
	{"bisect.state", "a bisect"}, {"transplant/journal", "a transplant"}, {"evolvestate", "an evolve"},
}

// Ready implements Repository.
func (h *hgRepo) Ready(ctx context.Context) error {
	if err := h.place.check(); err != nil {
		return err
	}
	for _, name := range []string{"wlock", "store/lock"} {
		if owner := h.locked(name); owner != "" {
			return &BusyError{"an hg process has locked the repository: " + owner}
		}
	}
	if err := h.repair(); err != nil {
		return err
	}
	first, second, err := h.parents()
	if err != nil {
		return err
	}
	if second != "" {
		return &BusyError{"a merge is in progress"}
	}
	for _, u := range unfinished {
		if _, err := os.Lstat(filepath.Join(h.hg, u.file)); err == nil {
			return &BusyError{u.what + " is in progress"}
		}
	}
	if _, err := os.Lstat(filepath.Join(h.hg, "updatestate")); err == nil {
		return &BusyError{"an update was interrupted; to complete it: hg update"}
	}
	return h.checkTip(ctx, first)
}

// checkTip returns a *BusyError when a person has checked out an older commit to look at it.
func (h *hgRepo) checkTip(ctx context.Context, first string) error {
	if first == "" || first == h.state().Head {
		return nil
	}
	out, err := h.run(ctx, "log", "-r", "children(.) and branch(.) and not secret()", "-T", "{node}\n")
	if err != nil {
		return err
	}
	if out != "" {
		return &BusyError{"an older commit is checked out; to go on from the last one: hg update"}
	}
	return h.remember(func(s *hgState) { s.Head = first })
}

// locked returns the living process that holds a lock, "" for none. hg itself breaks the lock
// of a process that is gone.
func (h *hgRepo) locked(name string) string {
	owner, err := os.Readlink(filepath.Join(h.hg, name))
	if err != nil {
		return ""
	}
	host, number, _ := strings.Cut(owner, ":")
	host, _, _ = strings.Cut(host, "/") // of a container
	pid, err := strconv.Atoi(number)
	here, _ := os.Hostname()
	if err == nil && host == here && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return ""
	}
	return owner
}

// repair removes what a process of vext that was killed has left. What its update has already
// written counts as changes, which are those of the commit that it updated to.
func (h *hgRepo) repair() error {
	var err error
	if h.state().Updating != "" {
		if err = os.Remove(filepath.Join(h.hg, "updatestate")); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err == nil {
			err = h.remember(func(s *hgState) { s.Updating = "" })
		}
	}
	left, _ := filepath.Glob(filepath.Join(h.dir, "list-*"))
	for _, path := range append(left, h.work()) {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// work returns where the second work tree is, while there is one.
func (h *hgRepo) work() string { return filepath.Join(h.dir, "work") }

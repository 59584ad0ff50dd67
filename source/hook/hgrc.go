package hook

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"

	"vext/internal/disk"
)

// The lines around the block that vext writes into hgrc. If the last line before the
// block has no newline, the block adds one, which is removed with the block.
const (
	hgBegin    = "# vext: begin (vext hook remove takes this out again)\n"
	hgBeginCut = "\n# vext: begin, with the end of the line before (vext hook remove takes both out again)\n"
	hgEnd      = "# vext: end\n"
)

// isCut reports whether the last line of a file has no newline.
func isCut(data []byte) bool { return len(data) > 0 && data[len(data)-1] != '\n' }

// block returns what is written into hgrc: a hook for commits that are pushed or
// pulled, and one for local commits (hgrc(5), hooks). Hooks of other names continue
// to work. cut means that the line before has no newline.
func (h *Hook) block(cut bool) string {
	begin := hgBegin
	if cut {
		begin = hgBeginCut
	}
	line := Line(h.Command) + " </dev/null >/dev/null 2>&1 || true\n"
	return begin + "[hooks]\nchangegroup.vext = " + line + "commit.vext = " + line + hgEnd
}

// splitHgrc returns hgrc without vext's block, and the block.
func splitHgrc(data []byte) (rest, block []byte) {
	begin := bytes.Index(data, []byte(hgBeginCut))
	if begin < 0 {
		begin = bytes.Index(data, []byte(hgBegin))
	}
	if begin < 0 {
		return data, nil
	}
	end := bytes.Index(data[begin:], []byte(hgEnd))
	if end < 0 {
		return data[:begin], data[begin:]
	}
	end += begin + len(hgEnd)
	rest, block = bytes.Clone(data[:begin]), data[begin:end]
	if isCut(rest) && end < len(data) { // the text after the block starts a new line
		rest = append(rest, '\n')
	}
	return append(rest, data[end:]...), block
}

func (h *Hook) readHgrc() ([]byte, fs.FileMode, error) {
	data, err := os.ReadFile(h.Place.Hooks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0o644, nil
	}
	info, statErr := os.Stat(h.Place.Hooks)
	if err = cmp.Or(err, statErr); err != nil {
		return nil, 0, err
	}
	return data, info.Mode().Perm(), nil
}

func (h *Hook) hgState() (string, error) {
	data, _, err := h.readHgrc()
	_, block := splitHgrc(data)
	switch {
	case err != nil:
		return "", err
	case block == nil:
		return Missing, nil
	case string(block) != h.block(block[0] == '\n'):
		return Outdated, nil
	}
	return Installed, nil
}

// installHg appends the block to hgrc, and reports whether it created hgrc.
func (h *Hook) installHg() (made bool, err error) {
	data, mode, err := h.readHgrc()
	if err != nil {
		return false, err
	}
	rest, _ := splitHgrc(data)
	return data == nil, disk.ReplaceOutside(h.Place.Hooks, append(rest, h.block(isCut(rest))...), mode)
}

// removeHg removes the block, and an hgrc that Install created.
func (h *Hook) removeHg(made bool) error {
	data, mode, err := h.readHgrc()
	if err != nil {
		return err
	}
	rest, block := splitHgrc(data)
	switch {
	case block == nil:
		return nil
	case len(rest) == 0 && made:
		return os.Remove(h.Place.Hooks)
	}
	return disk.ReplaceOutside(h.Place.Hooks, rest, mode)
}

package backport

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/vcs"
)

// The cache is a text file. Its first line names the format and what was looked for; each
// other line is a commit: its hash, its parents' places, the time, the digest of sameness,
// flags (a: asks, m: a merge, - for none), the number of Subversion or -, and references. The
// last line has a checksum of the commits. The cache is replaced as a whole, and made anew when any of it can't be
// read.
const cacheFormat = "vext-backport-2"

// endOfCache is how the last line begins.
const endOfCache = "end "

// cacheID returns the first line of a cache made with these options.
func (o *Options) cacheID() string {
	return fmt.Sprintf("%s %q %q", cacheFormat, o.AsksID, fmt.Sprint(o.Rules))
}

// load reads the cache. A cache that is missing, damaged or made with other options is an
// empty index.
func load(path, id string) *index {
	x := newIndex()
	isWhole := false
	sum := uint32(0)
	readCache(path, id, func(line string) bool {
		if strings.HasPrefix(line, endOfCache) {
			isWhole = line == fmt.Sprint(endOfCache, sum)
			return false
		}
		sum = crc32.Update(crc32.Update(sum, crc32.IEEETable, []byte(line)), crc32.IEEETable, []byte("\n"))
		c, ok := parseIndexed(line, int32(len(x.commits)))
		if ok {
			x.add(c)
		}
		return ok
	})
	if !isWhole {
		return newIndex()
	}
	return x
}

// readCache calls fn with the lines of a file behind the first, which must be id, until it
// returns false. A file that can't be read has no lines, because a cache can be made anew.
func readCache(path, id string, fn func(line string) bool) {
	if path == "" {
		return
	}
	f, err := disk.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || lines.Text() != id {
		return
	}
	for lines.Scan() && fn(lines.Text()) {
	}
}

// save replaces the cache.
func (x *index) save(path, id string) error {
	if path == "" {
		return nil
	}
	var b bytes.Buffer
	b.Grow(100 * len(x.commits)) // about, because a buffer that grows needs the memory twice
	b.WriteString(id + "\n")
	for i := range x.commits {
		x.commits[i].write(&b)
	}
	sum := crc32.ChecksumIEEE(b.Bytes()[len(id)+1:])
	fmt.Fprint(&b, endOfCache, sum, "\n")
	return disk.ReplaceUnsynced(filepath.Dir(path), path, b.Bytes())
}

func (c *indexed) write(b *bytes.Buffer) {
	line := b.AvailableBuffer()
	line = append(append(line, c.hash...), ' ')
	for i, parent := range c.parents {
		if i > 0 {
			line = append(line, ',')
		}
		line = strconv.AppendInt(line, int64(parent), 36)
	}
	line = strconv.AppendInt(append(line, ' '), c.time, 10)
	line = strconv.AppendUint(append(line, ' '), c.same, 36)
	flags := ""
	if c.asks {
		flags += "a"
	}
	if c.isMerge {
		flags += "m"
	}
	line = append(append(line, ' '), orDash(flags)...)
	line = append(append(line, ' '), orDash(c.number)...)
	for _, ref := range c.refs {
		line = append(append(line, ' ', byte(ref.relation)), ref.revision...)
	}
	b.Write(append(line, '\n'))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// parseIndexed reads a line of the cache, that of the commit at a place.
func parseIndexed(line string, at int32) (c indexed, ok bool) {
	next := func() (field string) {
		field, line, _ = strings.Cut(line, " ")
		return field
	}
	c.hash = strings.Clone(next()) // so that the line is not kept
	if !commit.IsHash(c.hash) && vcs.SvnNumber(c.hash) == 0 {
		return c, false
	}
	if parents := next(); parents != "" {
		for text := range strings.SplitSeq(parents, ",") {
			parent, err := strconv.ParseInt(text, 36, 32)
			if err != nil || parent < 0 || int32(parent) >= at {
				return c, false
			}
			c.parents = append(c.parents, int32(parent))
		}
	}
	var timeErr, sameErr error
	c.time, timeErr = strconv.ParseInt(next(), 10, 64)
	c.same, sameErr = strconv.ParseUint(next(), 36, 64)
	flags, number := next(), next()
	c.asks, c.isMerge = strings.Contains(flags, "a"), strings.Contains(flags, "m")
	if number != "-" {
		c.number = strings.Clone(number)
	}
	for line != "" {
		ref := next()
		if len(ref) < 2 {
			return c, false
		}
		c.refs = append(c.refs, reference{relation(ref[0]), strings.Clone(ref[1:])})
	}
	return c, timeErr == nil && sameErr == nil && number != ""
}

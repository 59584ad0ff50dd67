package vcs

import (
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"vext/internal/commit"
)

// An svnHistory is the history of a repository of Subversion as a graph: the parent of a
// revision is the one before it on its branch; that of the first, the one of which the branch
// is a copy. It is kept in memory, and read again by every process.
type svnHistory struct {
	last     int
	branches map[string][]int // their revisions, in order
	all      []svnRevision    // in order
	places   map[int]int
}

// An svnRevision is a revision that changed a branch. One that changed several counts for the
// first, so that no branch gets the history of another.
type svnRevision struct {
	record record
	files  commit.Files
}

// Heads implements History: the last revision of each branch. It reads what is new.
func (s *svnRepository) Heads(ctx context.Context) (map[string]string, error) {
	if s.history == nil {
		s.history = &svnHistory{branches: map[string][]int{}, places: map[int]int{}}
	}
	info, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	h, below := s.history, strings.TrimPrefix(info.Entry.URL, info.Entry.Root)
	if h.last < info.Entry.Revision {
		merging := map[string][]int{}
		err := s.log(ctx, s.url.String(), fmt.Sprintf("%d:%d", h.last+1, info.Entry.Revision), func(e *logEntry) error {
			if branch := h.add(e, below); branch != "" && e.changesProperties() {
				merging[branch] = append(merging[branch], e.Revision)
			}
			return nil
		})
		if err == nil {
			err = s.readMerges(ctx, merging)
		}
		if err != nil {
			s.history = nil // it is incomplete
			return nil, err
		}
		h.last = info.Entry.Revision
	}
	heads := map[string]string{}
	for branch, numbers := range h.branches {
		heads[branch] = svnName(numbers[len(numbers)-1])
	}
	return heads, nil
}

func svnName(number int) string { return "r" + strconv.Itoa(number) }

// changesProperties reports whether a revision could have merged something.
func (e *logEntry) changesProperties() bool {
	for _, p := range e.Paths {
		if p.Properties == "true" && p.Kind != "file" {
			return true
		}
	}
	return false
}

// add adds a revision and returns its branch, "" if it has none.
func (h *svnHistory) add(e *logEntry, below string) string {
	c, branches := e.commit(below)
	if len(branches) == 0 || branches[0] == "" {
		return ""
	}
	branch, parent := branches[0], 0
	if numbers := h.branches[branch]; len(numbers) > 0 {
		parent = numbers[len(numbers)-1]
	}
	revision := svnRevision{}
	for _, p := range e.Paths {
		path := strings.TrimPrefix(strings.TrimPrefix(p.Path, below), "/")
		revision.files.Add(strings.TrimPrefix(strings.TrimPrefix(path, branch), "/"))
		if path != branch || p.CopiedFrom == "" {
			continue
		}
		h.branches[branch], parent = nil, 0
		from := h.branches[cmp.Or(commit.BranchOfPath(p.CopiedFrom), commit.BranchOfPath(strings.TrimPrefix(p.CopiedFrom, below)))]
		if i, _ := slices.BinarySearch(from, p.CopiedAt+1); i > 0 {
			parent = from[i-1]
		}
	}
	date := []byte(c.Date.UTC().Format("2006-01-02T15:04:05Z07:00"))
	who := []byte(c.Author.Email)
	revision.record = record{[]byte(c.Revision), nil, who, who, date, who, who, date, []byte(c.Message)}
	if parent > 0 {
		revision.record[fieldParents] = []byte(svnName(parent))
	}
	h.branches[branch] = append(h.branches[branch], e.Revision)
	h.places[e.Revision] = len(h.all)
	h.all = append(h.all, revision)
	return branch
}

// readMerges adds to the messages of revisions what they have merged by svn:mergeinfo, one
// line each: "(merged from r123)", or "(reverse-merged r123)".
func (s *svnRepository) readMerges(ctx context.Context, merging map[string][]int) error {
	for _, branch := range slices.Sorted(maps.Keys(merging)) {
		numbers := merging[branch]
		url := s.url.String() + "/" + branch + "@"
		empty := map[int]bool{}
		for _, n := range numbers {
			empty[n] = true
		}
		cmd := s.svn(ctx, "log", "--xml", "--quiet", "--use-merge-history", "--revision", fmt.Sprintf("%d:%d", numbers[0], numbers[len(numbers)-1]), "--", url)
		err := readMergeLog(ctx, cmd, func(by, number int) {
			delete(empty, by)
			s.history.note(by, "(merged from "+svnName(number)+")")
		})
		if err != nil {
			continue // the branch is gone
		}
		for _, n := range slices.Sorted(maps.Keys(empty)) {
			if err := s.readReverse(ctx, n, url); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (h *svnHistory) note(number int, line string) {
	if at, ok := h.places[number]; ok {
		message := &h.all[at].record[fieldMessage]
		*message = slices.Concat(*message, []byte("\n"+line+"\n"))
	}
}

// readReverse notes which merges a revision has taken back. svn log does not say it.
func (s *svnRepository) readReverse(ctx context.Context, number int, url string) error {
	cmd := s.svn(ctx, "diff", "--properties-only", "--depth=empty", "--change", strconv.Itoa(number), "--", url)
	return readLines(ctx, cmd, func(line string) {
		_, list, ok := strings.Cut(line, ":r")
		if !ok || !strings.HasPrefix(strings.TrimSpace(line), "Reverse-merged ") {
			return
		}
		for part := range strings.SplitSeq(list, ",") { // 4-6,9
			from, to, _ := strings.Cut(strings.TrimSuffix(part, "*"), "-")
			first := SvnNumber(from)
			for n := first; first > 0 && n <= max(first, SvnNumber(to)); n++ {
				if _, ok := s.history.places[n]; ok {
					s.history.note(number, "(reverse-merged "+svnName(n)+")")
				}
			}
		}
	})
}

// readMergeLog calls fn with every revision that another one has merged.
func readMergeLog(ctx context.Context, cmd *exec.Cmd, fn func(by, number int)) error {
	return stream(ctx, cmd, func(r io.Reader) error {
		var open []int
		for decoder := xml.NewDecoder(r); ; {
			token, err := decoder.Token()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return fmt.Errorf("svn log: %w: %w", errCut, err)
			}
			switch e := token.(type) {
			case xml.StartElement:
				if e.Name.Local != "logentry" {
					continue
				}
				number := 0
				for _, a := range e.Attr {
					if a.Name.Local == "revision" {
						number = SvnNumber(a.Value)
					}
				}
				if len(open) > 0 {
					fn(open[0], number)
				}
				open = append(open, number)
			case xml.EndElement:
				if e.Name.Local == "logentry" && len(open) > 0 {
					open = open[:len(open)-1]
				}
			}
		}
	})
}

// Scan implements History. A position of known is a revision up to which all are known.
func (s *svnRepository) Scan(_ context.Context, _, known []string, fn func(Record) error) error {
	if s.history == nil {
		return nil
	}
	last := 0
	for _, position := range known {
		last = max(last, SvnNumber(position))
	}
	for i := range s.history.all {
		one := &s.history.all[i].record
		if SvnNumber(string(one[fieldHash])) <= last {
			continue
		}
		if err := fn(Record{one}); err != nil {
			return err
		}
	}
	return nil
}

// Commits implements History.
func (s *svnRepository) Commits(_ context.Context, revisions []string) (map[string]*commit.Commit, error) {
	all := map[string]*commit.Commit{}
	for _, revision := range revisions {
		if r := s.revision(revision); r != nil {
			all[revision] = r.record.commit("")
		}
	}
	return all, nil
}

func (s *svnRepository) revision(name string) *svnRevision {
	if s.history == nil {
		return nil
	}
	at, ok := s.history.places[SvnNumber(name)]
	if !ok {
		return nil
	}
	return &s.history.all[at]
}

// Files implements History. The paths are those below the branch.
func (s *svnRepository) Files(_ context.Context, revisions []string) (map[string]commit.Files, error) {
	all := map[string]commit.Files{}
	for _, revision := range revisions {
		if r := s.revision(revision); r != nil {
			all[revision] = r.files
		}
	}
	return all, nil
}

// Patches implements History: svn computes no identities of changes.
func (s *svnRepository) Patches(context.Context, []string) (map[string]string, error) {
	return nil, nil
}

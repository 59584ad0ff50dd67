package vcs

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"vext/internal/commit"
	"vext/internal/text"
	"vext/internal/weburl"
)

// An svnRepository is read at its URL, because Subversion has no clones. Its only
// position is that of the branch "", which is a revision number.
type svnRepository struct {
	url    weburl.URL
	uuid   string
	sparse bool

	history *svnHistory // see Heads
}

func (s *svnRepository) svn(ctx context.Context, args ...string) *exec.Cmd {
	return remote(ctx, Svn, "", s.url, args...)
}

// svnInfo is the output of svn info --xml.
type svnInfo struct {
	Entry struct {
		Revision int    `xml:"revision,attr"`
		URL      string `xml:"url"`
		Root     string `xml:"repository>root"`
		UUID     string `xml:"repository>uuid"`
	} `xml:"entry"`
}

func (s *svnRepository) info(ctx context.Context) (*svnInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	out, err := output(ctx, s.svn(ctx, "info", "--xml", "--", s.url.String()+"@"))
	if err != nil {
		return nil, err
	}
	info := new(svnInfo)
	if err := xml.Unmarshal([]byte(out), info); err != nil {
		return nil, fmt.Errorf("svn info: %w", err)
	}
	return info, nil
}

// Update implements Repository.
func (s *svnRepository) Update(ctx context.Context, _ func(string) bool) (map[string]string, error) {
	info, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	s.uuid = info.Entry.UUID
	return map[string]string{"": "r" + strconv.Itoa(info.Entry.Revision)}, nil
}

// Branches returns the branches below the URL, if it has the usual layout.
func (s *svnRepository) Branches(ctx context.Context) ([]string, error) {
	top, err := s.list(ctx, s.url.String())
	if err != nil {
		return nil, err
	}
	var branches []string
	for _, dir := range top {
		if commit.BranchOfPath(dir) == dir {
			branches = append(branches, dir)
			continue
		}
		if commit.BranchOfPath(dir+"/x") == "" {
			continue
		}
		below, err := s.list(ctx, s.url.String()+"/"+dir)
		if err != nil {
			return nil, err
		}
		for _, name := range below {
			branches = append(branches, dir+"/"+name)
		}
	}
	return branches, nil
}

// list returns the names of the directories at a URL.
func (s *svnRepository) list(ctx context.Context, url string) ([]string, error) {
	out, err := output(ctx, s.svn(ctx, "list", "--", url+"@"))
	if err != nil {
		return nil, err
	}
	var dirs []string
	for line := range strings.Lines(out) {
		if name, isDir := strings.CutSuffix(strings.TrimSpace(line), "/"); isDir {
			dirs = append(dirs, name)
		}
	}
	return dirs, nil
}

// A logEntry is one of svn log --xml.
type logEntry struct {
	Revision int    `xml:"revision,attr"`
	Author   string `xml:"author"`
	Date     string `xml:"date"`
	Message  string `xml:"msg"`
	Paths    []struct {
		Path       string `xml:",chardata"`
		Kind       string `xml:"kind,attr"`
		CopiedFrom string `xml:"copyfrom-path,attr"`
		CopiedAt   int    `xml:"copyfrom-rev,attr"`
		Properties string `xml:"prop-mods,attr"` // "true" if some have changed
	} `xml:"paths>path"`
}

// SvnNumber returns the number of a revision, or 0 if position is not one.
func SvnNumber(position string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(position, "r"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Walk implements Repository by one svn log. It calls fn for every revision, so that
// the caller notices missing ones. A revision that Match does not choose has no
// message.
func (s *svnRepository) Walk(ctx context.Context, log Log, fn func(*commit.Commit) error) (int, error) {
	r := &log.Ranges[0]
	first, last := 1, SvnNumber(r.New)
	for _, position := range r.Since {
		first = max(first, SvnNumber(position)+1)
	}
	if first > last {
		return 0, nil
	}
	info, err := s.info(ctx)
	if err != nil {
		return 0, err
	}
	below := strings.TrimPrefix(info.Entry.URL, info.Entry.Root) // the path of the URL in the repository
	read, old := 0, 0
	take := func(e *logEntry) error {
		if read++; log.Progress != nil {
			log.Progress(read)
		}
		c, branches := e.commit(below)
		if log.Files {
			for _, p := range e.Paths {
				c.Files.Add(strings.TrimPrefix(p.Path, "/"))
			}
		}
		isOld := r.isTooOld(c.Date)
		if isOld {
			old++
		}
		if len(branches) == 0 || isOld || !log.wants([]byte(e.Message)) {
			c.Message, branches = "", []string{""}
		}
		for _, branch := range branches {
			one := *c
			one.Refname = branch
			if err := fn(&one); err != nil {
				return err
			}
		}
		return nil
	}
	revisions := fmt.Sprintf("%d:%d", first, last)
	err = s.log(ctx, info.Entry.Root, revisions, take)
	if failure := new(Error); read == 0 && errors.As(err, &failure) && isUnreadable(failure.Stderr) {
		s.sparse = true
		err = s.log(ctx, s.url.String(), revisions, take)
	}
	return read - old, err
}

// isUnreadable reports whether svn may not read a path. The user may have access only
// to the URL, and not to the root of the repository.
func isUnreadable(stderr string) bool {
	return strings.Contains(stderr, "E220001") || strings.Contains(stderr, "E170001") || strings.Contains(stderr, "E175013")
}

// log calls fn with every entry of svn log at a URL.
func (s *svnRepository) log(ctx context.Context, url, revisions string, fn func(*logEntry) error) error {
	cmd := s.svn(ctx, "log", "--xml", "--verbose", "--revision", revisions, "--", url+"@")
	return stream(ctx, cmd, func(out io.Reader) error {
		decoder := xml.NewDecoder(out)
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				return nil
			}
			start, ok := token.(xml.StartElement)
			if err == nil && (!ok || start.Name.Local != "logentry") {
				continue
			}
			var e logEntry
			if err == nil {
				err = decoder.DecodeElement(&e, &start)
			}
			if err != nil {
				return fmt.Errorf("svn log: %w: %w", errCut, err)
			}
			if err := fn(&e); err != nil {
				return err
			}
		}
	})
}

// commit returns the entry as a commit, and the branches that it changed below a path:
// none if it changed nothing there, "" for a change outside of the branches.
func (e *logEntry) commit(below string) (c *commit.Commit, branches []string) {
	login := text.OneLine(e.Author)
	date := commit.ParseDate(e.Date)
	person := commit.Person{Name: login, Email: login}
	c = &commit.Commit{Revision: "r" + strconv.Itoa(e.Revision), Author: person, Committer: person, AuthorDate: date, Date: date, Message: e.Message}
	c.Clean()
	elsewhere := below == ""
	for _, p := range e.Paths {
		path, ok := strings.CutPrefix(p.Path, below)
		if !ok || (path != "" && path[0] != '/') {
			continue
		}
		branch := cmp.Or(commit.BranchOfPath(p.Path), commit.BranchOfPath(path))
		if branch == "" {
			elsewhere = true
		} else if !slices.Contains(branches, branch) {
			branches = append(branches, branch)
		}
	}
	if len(branches) == 0 && elsewhere {
		branches = []string{""}
	}
	return c, branches
}

// Has implements Repository. Revisions do not vanish.
func (s *svnRepository) Has(_ context.Context, positions []string) ([]string, error) {
	return positions, nil
}

// Includes implements Repository.
func (s *svnRepository) Includes(_ context.Context, position, earlier string) (bool, error) {
	return SvnNumber(earlier) <= SvnNumber(position), nil
}

// Related implements Repository.
func (s *svnRepository) Related(context.Context, string, []string) (bool, error) { return true, nil }

// ID implements SvnRepository.
func (s *svnRepository) ID() string { return s.uuid }

// Sparse implements SvnRepository.
func (s *svnRepository) Sparse() bool { return s.sparse }

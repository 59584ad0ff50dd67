package autosync

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"vext/internal/calendar"
	"vext/internal/text"
	"vext/source/autosync/repo"
)

// name returns what a person calls the tree.
func (t *Tree) name() string { return text.OneLine(filepath.Base(t.Root())) }

// notice shows a notice to the person, as soon as the last one is a minute ago.
func (t *Tree) notice(n Notice) {
	if t.o.Notify == nil {
		return
	}
	select {
	case t.notices <- n:
	default: // what it says is also in the log, and in the status
		t.o.Log.Warn("a notice is not shown: "+n.Title, "tree", t.Root(), "body", n.Body)
	}
}

// maxNotice bounds the lines of a notice.
const maxNotice = 6

// mergeNotices makes one notice of two.
func mergeNotices(a, b Notice) Notice {
	if a.Title == b.Title && a.Body == b.Body {
		return a
	}
	title := a.Title
	if b.Urgent && !a.Urgent {
		title = b.Title
	}
	lines := append(strings.Split(a.Body, "\n"), b.Body)
	if a.Title != b.Title {
		lines = append([]string{a.Title}, append(strings.Split(a.Body, "\n"), b.Title, b.Body)...)
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == title })
	}
	if len(lines) > maxNotice {
		lines = append(lines[:maxNotice-1], "...")
	}
	folder := a.Folder
	if folder == "" {
		folder = b.Folder
	}
	return Notice{title, strings.Join(lines, "\n"), a.Urgent || b.Urgent, folder}
}

// pulled says what a pull has brought. The caller has the lock.
func (t *Tree) pulled(p *repo.Pulled) {
	if len(p.Conflicts) > 0 {
		t.saidConflicts(p.Conflicts)
	}
	if len(p.Commits) == 0 {
		return
	}
	t.o.Log.Info("taken in", "tree", t.Root(), "commits", len(p.Commits), "upstream", p.Upstream, "direct", p.Direct)
	var authors, lines []string
	for _, c := range p.Commits {
		if author := text.OneLine(c.Author); !slices.Contains(authors, author) {
			authors = append(authors, author)
		}
		lines = append(lines, text.Shorten(text.OneLine(c.Subject), 200))
	}
	if len(authors) > 3 {
		authors = append(authors[:2], "others")
	}
	title := fmt.Sprintf("%s: %s taken in from %s", t.name(), calendar.Plural(len(p.Commits), "commit"), strings.Join(authors, ", "))
	t.notice(Notice{Title: title, Body: firstLines(lines)})
}

// noticeSkipped names files that are not committed.
func (t *Tree) noticeSkipped(lines []string) {
	if n := len(lines); n > 0 {
		t.notice(Notice{Title: t.name() + ": " + calendar.Verb(n, "file is", "files are") + " not committed", Body: firstLines(lines)})
	}
}

// firstLines returns as many lines as a notice has room for.
func firstLines(lines []string) string {
	if len(lines) > maxNotice {
		lines = append(slices.Clone(lines[:maxNotice-1]), fmt.Sprintf("and %d more", len(lines)-maxNotice+1))
	}
	return strings.Join(lines, "\n")
}

// saidConflicts says what became of files that both sides have changed.
func (t *Tree) saidConflicts(conflicts []repo.Conflict) {
	var lines []string
	for _, c := range conflicts {
		line := text.OneLine(c.Text)
		if !strings.Contains(line, c.Path) {
			line = text.OneLine(c.Path) + ": " + line
		}
		t.o.Log.Warn("conflict", "tree", t.Root(), "file", c.Path, "copy", c.Copy, "what", c.Text)
		lines = append(lines, line)
	}
	t.notice(Notice{
		Title: t.name() + ": " + calendar.Plural(len(conflicts), "conflict"), Body: firstLines(lines),
		Urgent: true, Folder: t.absolute(path.Dir(conflicts[0].Path)),
	})
}

// findConflicts looks which copies of conflicts there are.
func (t *Tree) findConflicts(ctx context.Context) {
	l, ok := t.repo.(repo.Lister)
	if !ok {
		return
	}
	found, err := l.Copies(ctx)
	if err != nil {
		t.o.Log.Debug("copies of conflicts cannot be listed", "tree", t.Root(), "error", err)
		return
	}
	t.mu.Lock()
	t.conflicts = found
	t.mu.Unlock()
}

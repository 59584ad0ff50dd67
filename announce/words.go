package announce

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/text"
	"vext/templates"
)

// Words makes the texts of announcements.
type Words struct {
	set *templates.Set
	own map[string]string // template names, by the Template of a Rule
}

// NewWords returns the Words of an installation, with its templates and those of its
// rules. It executes each of them, so that a mistake is found before a commit arrives.
func NewWords(set *templates.Set, rules []Rule) (*Words, error) {
	w := &Words{set: set, own: map[string]string{}}
	for i, r := range rules {
		if r.Template == "" || w.own[r.Template] != "" {
			continue
		}
		name := fmt.Sprintf("announce %d", i+1)
		var err error
		if w.set, err = w.set.With(name, r.Template); err != nil {
			return nil, err
		}
		w.own[r.Template] = name
	}
	return w, w.try()
}

func (w *Words) try() error {
	c := &commit.Arrival{Commit: commit.Commit{
		Repository: "acme/src", Refname: "refs/heads/main", Revision: strings.Repeat("0123456789", 4), URL: "https://example.org",
		Subject: "foo: fix bar", Author: commit.Person{Name: "Jane", Email: "jane@example.org"}, Files: commit.FilesOf([]string{"foo.c"}),
	}}
	for _, name := range append([]string{templates.Announcement}, slices.Sorted(maps.Values(w.own))...) {
		if _, err := w.set.Text(name, fieldsOf(c)); err != nil {
			return err
		}
	}
	_, err := w.set.Text(templates.AnnouncementPush, pushOf([]commit.Arrival{*c, *c}, 2))
	return err
}

// Line returns the announcement of a commit with these fields, which are cleaned;
// colors is a value of Rule.Colors.
func (w *Words) Line(f Fields, colors string) (string, error) {
	if f.Repository == "" {
		f.Repository = f.Repo
	}
	f.clean()
	f.Switches = switches(colors)
	return w.text(templates.Announcement, f)
}

// text executes a template and removes empty lines and blanks at the ends of lines.
func (w *Words) text(name string, data any) (string, error) {
	all, err := w.set.Text(name, data)
	if err != nil {
		return "", err
	}
	var lines []string
	for line := range strings.Lines(all) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n"), nil
}

// commit returns a rule's announcement of a commit. If the template fails, although
// it did not in NewWords, it returns a plain line.
func (w *Words) commit(r *Rule, c *commit.Arrival) string {
	f := fieldsOf(c)
	f.Switches = switches(r.Colors)
	line, err := w.text(cmp.Or(w.own[r.Template], templates.Announcement), f)
	if err != nil {
		line = fmt.Sprintf("%s: %s %s %s: %s %s", f.Project, f.Author, f.Branch, f.Rev, f.Logmsg, f.URL)
	}
	return line
}

// push returns a rule's announcement of a push of count commits, some of which have
// details.
func (w *Words) push(r *Rule, commits []commit.Arrival, count int) string {
	p := pushOf(commits, count)
	p.Switches = switches(r.Colors)
	line, err := w.text(templates.AnnouncementPush, p)
	if err != nil {
		line = fmt.Sprintf("%s pushed %d commits to %s %s: %s..%s", p.Authors, count, p.Repository, p.Branch, p.First, p.Last)
	}
	return line
}

func pushOf(commits []commit.Arrival, count int) Push {
	last := &commits[len(commits)-1]
	return Push{
		Fields: fieldsOf(last), Authors: authors(commits), Count: count,
		First: text.Shorten(commits[0].Short(), maxField), Last: text.Shorten(last.Short(), maxField), Page: shortURL(last.Page),
	}
}

// authors names the last committer of a push, and the number of others.
func authors(commits []commit.Arrival) string {
	var names []string
	for _, c := range slices.Backward(commits) {
		who := c.Committer
		if who.IsWebFlow() || who == (commit.Person{}) {
			who = c.Author
		}
		if name := text.Shorten(text.OneLine(login(who)), maxField); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return "somebody"
	case 1:
		return names[0]
	case 2:
		return names[0] + " and " + names[1]
	}
	return fmt.Sprintf("%s and %d others", names[0], len(names)-1)
}

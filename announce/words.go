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

// Words makes the lines that tell of commits.
type Words struct {
	set *templates.Set
	own map[string]string // names of the rules' own templates, by their text
}

// NewWords returns the words of one installation: its templates, and those that
// its rules have in them. It tries all of them, so that a mistake in one is
// known before a commit waits for it.
func NewWords(set *templates.Set, rules []Rule) (*Words, error) {
	w := &Words{set: set, own: map[string]string{}}
	for i, r := range rules {
		if r.Template == "" || w.own[r.Template] != "" {
			continue
		}
		name := fmt.Sprintf("notice %d", i+1)
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
	for _, name := range append([]string{templates.Notice}, slices.Sorted(maps.Values(w.own))...) {
		if _, err := w.set.Text(name, fieldsOf(c)); err != nil {
			return err
		}
	}
	_, err := w.set.Text(templates.NoticePush, pushOf([]commit.Arrival{*c, *c}, 2))
	return err
}

// Line returns the line that tells of a commit with these fields, which are made
// fit for it, in one of the Colors.
func (w *Words) Line(f Fields, colors string) (string, error) {
	if f.Repository == "" {
		f.Repository = f.Repo
	}
	f.clean()
	f.Switches = switches(colors)
	return w.text(templates.Notice, f)
}

// text executes a template, and leaves out the empty lines and the blanks at
// the ends of lines that it makes.
func (w *Words) text(name string, data any) (string, error) {
	said, err := w.set.Text(name, data)
	if err != nil {
		return "", err
	}
	var lines []string
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n"), nil
}

// commit returns the line of a rule for a commit. Where the template fails,
// which it did not when it was tried, the commit is told all the same.
func (w *Words) commit(r *Rule, c *commit.Arrival) string {
	f := fieldsOf(c)
	f.Switches = switches(r.Colors)
	line, err := w.text(cmp.Or(w.own[r.Template], templates.Notice), f)
	if err != nil {
		line = fmt.Sprintf("%s: %s %s %s: %s %s", f.Project, f.Author, f.Branch, f.Rev, f.Logmsg, f.URL)
	}
	return line
}

// push returns the line of a rule for count commits of one push, of which some
// are described.
func (w *Words) push(r *Rule, commits []commit.Arrival, count int) string {
	p := pushOf(commits, count)
	p.Switches = switches(r.Colors)
	line, err := w.text(templates.NoticePush, p)
	if err != nil {
		line = fmt.Sprintf("%s pushed %d commits to %s %s: %s..%s", p.Authors, count, p.Repository, p.Branch, p.First, p.Last)
	}
	return line
}

func pushOf(commits []commit.Arrival, count int) Push {
	last := &commits[len(commits)-1]
	return Push{
		Fields: fieldsOf(last), Authors: authors(commits), Count: count,
		First: text.Shorten(commits[0].Short(), longestField), Last: text.Shorten(last.Short(), longestField), Page: shortURL(last.Page),
	}
}

// authors names who pushed: whoever committed last, and how many others did.
func authors(commits []commit.Arrival) string {
	var names []string
	for _, c := range slices.Backward(commits) {
		who := c.Committer
		if who.IsWebFlow() || who == (commit.Person{}) {
			who = c.Author
		}
		if name := text.Shorten(text.OneLine(login(who)), longestField); name != "" && !slices.Contains(names, name) {
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

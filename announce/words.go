package announce

import (
	"cmp"
	"fmt"
	"maps"
	"path"
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

// Values of Rule.Colors.
const (
	NoColors   = "none"
	MIRCColors = "mirc"
	ANSIColors = "ansi"
)

// Switches turn colours in a message on and off. They are empty for NoColors.
type Switches struct {
	Bold, Green, Blue, Yellow, Brown, Magenta, Cyan, Red, Reset string
}

// switches returns the Switches of a value of Rule.Colors. MIRCColors is the format of
// IRC clients (https://modern.ircdocs.horse/formatting), ANSIColors that of ECMA-48,
// section 8.3.117.
func switches(colors string) Switches {
	switch colors {
	case MIRCColors:
		return Switches{"\x02", "\x0303", "\x0302", "\x0307", "\x0305", "\x0306", "\x0310", "\x0304", "\x0f"}
	case ANSIColors:
		return Switches{"\x1b[1m", "\x1b[32m", "\x1b[34m", "\x1b[1;33m", "\x1b[33m", "\x1b[35m", "\x1b[36m", "\x1b[31m", "\x1b[0m"}
	}
	return Switches{}
}

// Fields are the values of a commit in a template, under the names of irkerhook(1).
// A value that is not known is empty.
type Fields struct {
	Switches
	Project    string // the part before the repository's own name, or else that name
	Repo       string // the repository's own name: widget for acme/widget
	Repository string // the full name
	Branch     string // without refs/heads/
	Rev        string // twelve digits of a hash, or r and a number
	Author     string // the author's login, else name
	Name       string // the author's name, else login
	Committer  string // the committer's login, else name
	Files      string // see FilesText
	Logmsg     string // the first line of the message
	URL        string
}

// A Push holds the values of many commits of one push in a template. Its Fields are
// those of the newest.
type Push struct {
	Fields
	Authors     string // who pushed: "jane", "jane and tom", "jane and 2 others"
	Count       int
	First, Last string // revisions
	Page        string // the URL of a page that shows all of them, "" when there is none
}

// Bounds of fields, in bytes. A longer URL is left out.
const (
	maxField     = 120
	maxLogmsg    = 300
	maxURL       = 400
	maxFilesText = 80
)

// clean makes each field safe and short enough for one line.
func (f *Fields) clean() {
	for _, field := range []*string{&f.Project, &f.Repo, &f.Repository, &f.Branch, &f.Rev, &f.Author, &f.Name, &f.Committer} {
		*field = text.Shorten(text.OneLine(*field), maxField)
	}
	f.Files = text.Shorten(text.OneLine(f.Files), 2*maxFilesText)
	f.Logmsg, _, _ = strings.Cut(strings.TrimLeft(f.Logmsg, "\r\n"), "\n")
	f.Logmsg = cmp.Or(text.Shorten(text.OneLine(f.Logmsg), maxLogmsg), "(no message)")
	f.URL = shortURL(f.URL)
}

func shortURL(url string) string {
	if url = text.OneLine(url); len(url) > maxURL {
		return ""
	}
	return url
}

// fieldsOf returns the fields of a commit, whose repository has its final name.
func fieldsOf(c *commit.Arrival) Fields {
	f := Fields{
		Repository: c.Repository, Branch: c.Branch(), Rev: c.Short(),
		Author: login(c.Author), Name: cmp.Or(c.Author.Name, login(c.Author)), Committer: login(c.Committer),
		Files: filesOf(&c.Files), Logmsg: c.Subject, URL: c.URL,
	}
	f.Project, f.Repo = split(c.Repository)
	f.clean()
	return f
}

// split returns the part before a repository's own name, and that name.
func split(repository string) (project, repo string) {
	i := strings.LastIndexByte(repository, '/')
	if i < 0 {
		return repository, repository
	}
	return repository[:i], repository[i+1:]
}

// noReply is the domain of the addresses that GitHub makes for users who hide theirs:
// NUMBER+LOGIN.
const noReply = "@users.noreply.github.com"

// login returns a short name of a person, which is no address.
func login(p commit.Person) string {
	login := p.Login()
	if strings.HasSuffix(p.Email, noReply) {
		_, login, _ = strings.Cut("+"+login, "+")
		if i := strings.IndexByte(login, '+'); i >= 0 {
			login = login[i+1:]
		}
	}
	return cmp.Or(login, p.Name)
}

// FilesText returns the paths separated by blanks, or only their number when they are
// too long: "(12 files in 3 directories)".
func FilesText(paths ...string) string {
	f := commit.FilesOf(paths)
	return filesOf(&f)
}

func filesOf(f *commit.Files) string {
	all := strings.Join(f.Paths, " ")
	if f.Count == 0 || f.Count == 1 || f.Count == len(f.Paths) && len(all) <= maxFilesText {
		return all
	}
	directories := map[string]bool{}
	for _, p := range f.Paths {
		directories[path.Dir(p)] = true
	}
	switch {
	case f.Count > len(f.Paths):
		return fmt.Sprintf("(%d files)", f.Count)
	case len(directories) == 1:
		return fmt.Sprintf("(%d files in 1 directory)", f.Count)
	}
	return fmt.Sprintf("(%d files in %d directories)", f.Count, len(directories))
}

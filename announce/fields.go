package announce

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"vext/internal/commit"
	"vext/internal/text"
)

// Colors that a line can have.
const (
	NoColors   = "none"
	MIRCColors = "mirc"
	ANSIColors = "ansi"
)

// Switches turn colours on and off in a line, and are empty where it is to have
// none.
type Switches struct {
	Bold, Green, Blue, Yellow, Brown, Magenta, Cyan, Red, Reset string
}

// switches returns those of one of the Colors. mirc is what IRC clients know,
// https://modern.ircdocs.horse/formatting; ansi ECMA-48, section 8.3.117.
func switches(colors string) Switches {
	switch colors {
	case MIRCColors:
		return Switches{"\x02", "\x0303", "\x0302", "\x0307", "\x0305", "\x0306", "\x0310", "\x0304", "\x0f"}
	case ANSIColors:
		return Switches{"\x1b[1m", "\x1b[32m", "\x1b[34m", "\x1b[1;33m", "\x1b[33m", "\x1b[35m", "\x1b[36m", "\x1b[31m", "\x1b[0m"}
	}
	return Switches{}
}

// Fields are what a line tells of a commit, for its template, by the names that
// irkerhook(1) has for them. What is not known is empty.
type Fields struct {
	Switches
	Project    string // what stands before the repository's own name, else that
	Repo       string // its own name: widget of acme/widget
	Repository string // its whole name
	Branch     string // without refs/heads/
	Rev        string // twelve digits of a hash, r and a number
	Author     string // the author's login, else name
	Name       string // the author's name, else login
	Committer  string // the committer's login, else name
	Files      string // see FilesText
	Logmsg     string // the first line of the message
	URL        string
}

// A Push is what a line tells of many commits of one push, for its template:
// the fields are those of the newest.
type Push struct {
	Fields
	Authors     string // who pushed: "jane", "jane and tom", "jane and 2 others"
	Count       int
	First, Last string // revisions
	Page        string // the URL of a page that shows all of them; "" where there is none
}

// How long a field may be, in bytes. A URL that is longer is left out.
const (
	longestField  = 120
	longestLogmsg = 300
	longestURL    = 400
	longestFiles  = 80
)

// clean makes each field fit for a line, whoever wrote it.
func (f *Fields) clean() {
	for _, field := range []*string{&f.Project, &f.Repo, &f.Repository, &f.Branch, &f.Rev, &f.Author, &f.Name, &f.Committer} {
		*field = text.Shorten(text.OneLine(*field), longestField)
	}
	f.Files = text.Shorten(text.OneLine(f.Files), 2*longestFiles)
	f.Logmsg, _, _ = strings.Cut(strings.TrimLeft(f.Logmsg, "\r\n"), "\n")
	f.Logmsg = cmp.Or(text.Shorten(text.OneLine(f.Logmsg), longestLogmsg), "(no message)")
	f.URL = shortURL(f.URL)
}

func shortURL(url string) string {
	if url = text.OneLine(url); len(url) > longestURL {
		return ""
	}
	return url
}

// fieldsOf returns the fields of a commit. Its repository has its name already.
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

// split returns a repository's own name, and what stands before it.
func split(repository string) (project, repo string) {
	i := strings.LastIndexByte(repository, '/')
	if i < 0 {
		return repository, repository
	}
	return repository[:i], repository[i+1:]
}

// hidden ends the addresses that GitHub makes for those who hide theirs, of a
// number, + and the login.
const hidden = "@users.noreply.github.com"

// login returns what a person is called in a line: short, and no address.
func login(p commit.Person) string {
	login := p.Login()
	if strings.HasSuffix(p.Email, hidden) {
		_, login, _ = strings.Cut("+"+login, "+")
		if i := strings.IndexByte(login, '+'); i >= 0 {
			login = login[i+1:]
		}
	}
	return cmp.Or(login, p.Name)
}

// FilesText returns the paths, separated by blanks, and of more than a line has
// room for how many they are: "(12 files in 3 directories)".
func FilesText(paths ...string) string {
	f := commit.FilesOf(paths)
	return filesOf(&f)
}

func filesOf(f *commit.Files) string {
	all := strings.Join(f.Paths, " ")
	if f.Count == 0 || f.Count == 1 || f.Count == len(f.Paths) && len(all) <= longestFiles {
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

package announce

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"vext/internal/commit"
	"vext/internal/text"
)

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

// Package templates holds the words that vext sends. Each file can be replaced
// by one of the same name in the directory that the configuration names.
package templates

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed *.txt
var embedded embed.FS

// Names of the templates.
const (
	Reminder    = "reminder.txt"     // one commit; reminder.Words
	ReminderIRC = "reminder-irc.txt" // the same on IRC, on one line; reminder.Words
	Notice      = "notice.txt"       // a commit that arrived, on IRC; announce.Fields
	NoticePush  = "notice-push.txt"  // many of one push, before the first three; announce.Push
	Digest      = "digest.txt"       // several commits; a list of reminder.Words in .Reminders
	SetAside    = "setaside.txt"     // to the operator: what was set aside
	Month       = "month.txt"        // to the operator: the month's numbers
	Trouble     = "trouble.txt"      // to the operator: what fails
	Limit       = "limit.txt"        // to the operator: recipients with more reminders than the daily limit

	NotUnderstood = "not-understood.txt" // to a committer whose trailer is not understood; has reminder.Words and .Why
)

// A Set is the templates as one installation has them.
type Set struct{ t *template.Template }

// Load returns the templates, those in dir instead of the embedded ones. An
// empty dir means none of one's own; one that can't be read is an error, as is
// a template that can't be parsed.
func Load(dir string) (*Set, error) {
	root := template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		"join":   strings.Join,
		"indent": indent,
	})
	for _, name := range []string{Reminder, ReminderIRC, Notice, NoticePush, Digest, SetAside, Month, Trouble, Limit, NotUnderstood} {
		text, err := read(dir, name)
		if err != nil {
			return nil, err
		}
		if _, err := root.New(name).Parse(string(text)); err != nil {
			return nil, err
		}
	}
	return &Set{root}, nil
}

// With returns the set with one more template. One that can't be parsed is an
// error.
func (s *Set) With(name, text string) (*Set, error) {
	t, err := s.t.Clone()
	if err != nil {
		return nil, err
	}
	if _, err := t.New(name).Parse(text); err != nil {
		return nil, err
	}
	return &Set{t}, nil
}

func read(dir, name string) ([]byte, error) {
	if dir == "" {
		return embedded.ReadFile(name)
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return embedded.ReadFile(name)
	}
	return text, err
}

// Text executes a template. Data is only ever a value to it: braces in a
// commit message are braces.
func (s *Set) Text(name string, data any) (string, error) {
	var b strings.Builder
	if err := s.t.ExecuteTemplate(&b, name, data); err != nil {
		return "", err // it begins with "template:" and the file's name
	}
	if strings.TrimSpace(b.String()) == "" {
		return "", fmt.Errorf("template: %s: it gives an empty text", name)
	}
	return b.String(), nil
}

// indent puts n blanks before every line of s that is not empty.
func indent(n int, s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(strings.Repeat(" ", n))
		}
		b.WriteString(line)
	}
	return b.String()
}

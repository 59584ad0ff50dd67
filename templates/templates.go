// Package templates holds the text of mails and IRC messages. A file of the same name
// in the directory that the configuration names replaces an embedded one.
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
	Reminder         = "reminder.txt"          // one commit; reminder.Words
	ReminderIRC      = "reminder-irc.txt"      // the same on IRC, on one line; reminder.Words
	Digest           = "digest.txt"            // several commits; a list of reminder.Words in .Reminders
	NotUnderstood    = "not-understood.txt"    // to a committer whose trailer is not understood; reminder.Words and .Why
	Early            = "early.txt"             // before the reminder: the commit conflicts; reminder.Words, .Due and .About
	NotFound         = "not-found.txt"         // a commit that somebody has called merged is not on the branch; the same, and .MarkedBy
	Announcement     = "announcement.txt"      // a commit that arrived, on IRC; announce.Fields
	AnnouncementPush = "announcement-push.txt" // many of one push, before the first three; announce.Push
	Quarantined      = "quarantined.txt"       // to the operator: quarantined messages
	Month            = "month.txt"             // to the operator: the month's numbers
	Alerts           = "alerts.txt"            // to the operator: sources and targets that fail
	Limit            = "limit.txt"             // to the operator: recipients over the daily limit
)

// oldNames are names of earlier versions, which are still read.
var oldNames = map[string]string{
	Announcement: "notice.txt", AnnouncementPush: "notice-push.txt", Quarantined: "setaside.txt", Alerts: "trouble.txt",
}

// A Set is the templates as one installation has them.
type Set struct{ t *template.Template }

// Load returns the templates, those in dir instead of the embedded ones; an empty dir
// means only the embedded ones. The error is about a directory that can't be read, or
// a template that can't be parsed.
func Load(dir string) (*Set, error) {
	root := template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		"join":   strings.Join,
		"indent": indent,
	})
	for _, name := range []string{Reminder, ReminderIRC, Digest, NotUnderstood, Early, NotFound, Announcement, AnnouncementPush, Quarantined, Month, Alerts, Limit} {
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

// With returns the set with one more template. The error is that of parsing it.
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
	for _, own := range []string{name, oldNames[name]} {
		if text, err := os.ReadFile(filepath.Join(dir, own)); own != "" && !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return embedded.ReadFile(name)
}

// Text executes a template. Data is never parsed as one: braces in a commit message
// stay as they are.
func (s *Set) Text(name string, data any) (string, error) {
	var b strings.Builder
	if err := s.t.ExecuteTemplate(&b, name, data); err != nil {
		return "", err // it begins with "template:" and the file's name
	}
	if strings.TrimSpace(b.String()) == "" {
		return "", fmt.Errorf("template: %s: the text is empty", name)
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

package reminder

import (
	"cmp"
	"strconv"
	"strings"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
	"vext/queue"
	"vext/templates"
)

// Words is what the templates can use of one commit. All fields are plain text on one
// line, except Message.
type Words struct {
	Number     int    // in a digest, from 1
	Name       string // the recipient's, may be empty
	First      string // for the salutation: the first name, else the login; may be empty
	Login      string // the recipient's: the address up to the @, else the name
	You        string // what the recipient did: "you committed this"
	Subject    string // of the commit
	Asked      string // the trailer as it was written: MFC after: 2 weeks
	Others     string // the trailers that ask for something else and do not count, may be empty
	Word       string // MFC, Merge, Backport or empty
	IsMerge    bool   // the trailer is about merging: any but Remind after
	Period     string // 2 weeks
	Wish       string // after 2 weeks, on Thu 24 Dec 2026, at once; empty for a period that can't be read
	Asker      string // who asked after the commit was made: you, or Ida Miller; empty when the commit message asks
	AskedOn    string // the day on which Asker did: Fri 27 Nov
	Past       bool   // the day of the wish was past when the commit was made, or when Asker asked
	Made       string // the day of the commit: Fri 20 Nov 2026
	Age        string // how long that is ago: 2 weeks
	Short      string // the revision, a hash cut to twelve digits
	Revision   string
	URL        string
	Repository string
	Branches   []string
	To         []string      // values of `MFC to:`
	With       []string      // values of `MFC with:`
	Merge      string        // the command that merges it; empty where there is none, and for one that is gone
	Merged     []string      // in a mail of digests alone: what else of theirs was merged, a line each
	Next       string        // the day of the next reminder, if nothing is done until then: Fri 18 Dec; else empty
	Snoozed    string        // that it was snoozed, by whom and when: You put this off on Fri 4 Dec; else empty
	Gone       string        // that a forced update took it away, and when; else empty
	Reverted   string        // where it was reverted: in 0123456789ab by ida on Fri 4 Dec; else empty
	Targets    []TargetWords // its state on each branch that it is to be merged to; empty when nobody has looked; of a reverted one where it is merged
	Fixes      []FixWords    // later commits that are to be merged with it
	Commands   []CommandWords
	Left       []string // the branches of Targets on which there is something to do
	Width      int      // of the longest branch of Targets, in bytes
	ID         string   // for vext snooze and vext cancel
	Facts      []Fact   // the above that there is, as a table
	Vext       string   // how a command begins, for sh(1): vext, or vext --config FILE
	Host       string   // the machine on which vext runs
	OnHost     bool     // whether vext snooze and vext cancel work on Host for the recipient
	Operator   string   // the operator's address, may be empty
	Message    string   // the commit message
}

// A Fact is a line of the table in a reminder.
type Fact struct{ Label, Value string }

// words returns the words about a message on the day today; state is that of its
// commit.
func (s *Service) words(m *queue.Message, name string, state *history.State, today calendar.Day) Words {
	var links map[string]string
	if s.Links != nil {
		links = s.Links(m.Repository)
	}
	made := calendar.Of(m.Made(m.Received, s.Queue.Now), s.Queue.Zone)
	to := s.Queue.Policy.Recipient(&m.Commit)
	w := Words{
		Name: text.OneLine(to.Name), Login: text.OneLine(cmp.Or(commit.Login(to.Email), to.Name)), Subject: text.OneLine(m.Subject),
		You: "you committed this", IsMerge: m.Request.IsMerge(), Wish: m.Request.Period.Wish(),
		Asked: text.OneLine(m.Request.Line()), Others: text.Shorten(text.OneLine(m.Request.Others), maxText),
		Word: m.Request.Word(), Period: m.Request.Period.String(),
		Made: made.Long(), Age: calendar.Span(today.Sub(made)),
		Short: text.OneLine(m.Short()), Revision: text.OneLine(m.Revision), URL: commitURL(m, links["commit"]), Repository: text.OneLine(m.Repository),
		To: trailerValues(m, "to"), With: trailerValues(m, "with"),
		ID: name, Vext: cmp.Or(s.Vext, "vext"), Host: s.Host, OnHost: s.OnHost != nil && s.OnHost(to.Email), Operator: s.Operator,
		Message: text.Clean(m.Message),
	}
	asked := made
	if !m.Asked.IsZero() {
		asked = calendar.Of(m.Asked.Date, s.Queue.Zone)
		w.Asker, w.AskedOn = asker(&m.Commit, to), asked.Short(today)
	}
	if day := m.Request.Period.Date; !day.IsZero() {
		w.Past = day.Before(asked)
	}
	if m.Branch() != "" {
		w.Branches = append(w.Branches, text.OneLine(m.Branch()))
	}
	for _, branch := range state.Branches {
		w.Branches = append(w.Branches, text.OneLine(branch))
	}
	if gone := state.Vanished; gone != nil {
		w.Gone = "no longer on " + text.OneLine(gone.Branch) + ", since a forced update of " + calendar.Of(gone.Time, s.Queue.Zone).Long()
	}
	w.First = firstName(w.Name, w.Login)
	if s.Queue.Policy.HasLeft(&m.Commit) {
		person := s.Queue.Policy.Person(&m.Commit)
		w.You = text.Shorten(text.OneLine(cmp.Or(person.Name, person.Email)), maxText) + ", whose reminders you get, committed this"
	}
	if to != m.Committer && to == m.Author {
		w.You = "you wrote this, which was committed"
	}
	if w.Merge = mergeCommand(w.Revision, isMercurial(&m.Commit)); w.Merge != "" {
		w.ID = w.Short // one that is safe to type; a name always is
	}
	if !w.IsMerge || w.Gone != "" { // what is gone can't be merged any more
		w.Merge = ""
	}
	w.Facts = append(w.facts(made.Long()+", "+made.Distance(today)), reviewFacts(m, links)...)
	return w
}

// asker returns who asked for the reminder of a commit after it was made: "you" for its
// recipient. A login counts as the recipient's only on this machine.
func asker(c *commit.Commit, to commit.Person) string {
	by := c.Asked.By
	isLogin := c.Source == commit.FromRemind && by.Email == "" && by.Name != "" && strings.EqualFold(by.Name, commit.Login(to.Email))
	if by.Email != "" && strings.EqualFold(by.Email, to.Email) || isLogin {
		return "you"
	}
	return text.OneLine(cmp.Or(by.Name, by.Email, c.Asked.Who()))
}

// snoozed returns who snoozed a reminder, and when; "" when it was not snoozed.
func (s *Service) snoozed(state *history.State, login string) string {
	e := state.PutOff
	if e == nil {
		return ""
	}
	who := "This was put off"
	switch by := text.OneLine(e.By); {
	case by != "" && strings.EqualFold(by, login):
		who = "You put this off"
	case by != "":
		who = by + " put this off"
	}
	return who + " on " + calendar.Of(e.Time, s.Queue.Zone).Short(s.Queue.Today())
}

// firstName returns the name for a salutation: the first word of the name, or of the
// part after the comma in "Miller, Jane", else the login.
func firstName(name, login string) string {
	first, rest, _ := strings.Cut(name, " ")
	switch {
	case strings.HasSuffix(first, ",") && rest != "":
		return firstName(rest, login)
	case strings.HasSuffix(first, "."): // Dr. Miller, J. Miller
		return name
	}
	return cmp.Or(first, login)
}

// trailerValues returns the values of `MFC to` or `MFC with`.
func trailerValues(m *queue.Message, name string) []string {
	values := commit.Values(m.AllTrailers(), "MFC "+name)
	for i, v := range values {
		values[i] = text.OneLine(v)
	}
	return values
}

// facts returns the table; committed is the text for the commit's day.
func (w *Words) facts(committed string) []Fact {
	where := strings.Join(w.Branches, " and ")
	if w.Repository != "" {
		if where != "" {
			where += " of "
		}
		where += w.Repository
	}
	label := cmp.Or(w.Word, "MFC") // as the trailers are called that name these
	all := []Fact{
		{"Commit", w.Short},
		{"See", w.URL},
		{"Branch", where},
		{"Committed", committed},
		{"Gone", w.Gone},
		{label + " to", strings.Join(w.To, ", ")},
		{label + " with", strings.Join(w.With, ", ")},
	}
	if len(w.Branches) == 0 {
		all[2].Label = "In"
	}
	var facts []Fact
	for _, f := range all {
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	return facts
}

// mergeCommand returns the command that merges a revision into the current branch.
// It returns "" for a revision in any form but those of git, Subversion and
// Mercurial, which could be text that is unsafe in a shell.
func mergeCommand(revision string, mercurial bool) string {
	switch n, err := strconv.ParseUint(strings.TrimPrefix(revision, "r"), 10, 32); {
	case err == nil && strings.HasPrefix(revision, "r"):
		return "svn merge -c r" + strconv.FormatUint(n, 10)
	case commit.IsHash(revision) && !mercurial:
		return "git cherry-pick -x " + revision
	case commit.IsHash(revision), commit.IsHex(revision) && len(revision) == 12:
		return "hg graft " + revision
	}
	return ""
}

// isMercurial reports whether a commit was read from a repository of Mercurial,
// whose branches are no refs.
func isMercurial(c *commit.Commit) bool {
	return commit.ReadsRepository(c.Source) && !strings.HasPrefix(c.Refname, "refs/")
}

// TryTemplates executes every template with sample data, and returns the first
// error.
func TryTemplates(set *templates.Set) error {
	w := Words{
		Number: 1, Name: "Jane Miller", First: "Jane", Login: "jane", You: "you committed this", Subject: "foo: fix bar",
		Asked: "MFC after: 2 weeks", Others: "MFC after: 1 week", Word: "MFC", IsMerge: true, Period: "2 weeks", Wish: "after 2 weeks",
		Made: "Fri 20 Nov 2026", Age: "2 weeks", Short: "0123456789ab", Revision: "0123456789ab", URL: "https://example.org",
		Repository: "src", Branches: []string{"main"}, To: []string{"stable/15"}, With: []string{"r1"}, Merge: "git cherry-pick", Gone: "no longer on main",
		Reverted: "in r2", Targets: []TargetWords{{"stable/15", "applies", true}}, Width: 9, Merged: []string{"r4 foo: fix it: merged to stable/15"}, Left: []string{"stable/15"},
		Fixes:    []FixWords{{"r3", "foo: fix the fix", []TargetWords{{"stable/15", "applies", true}}}},
		Commands: []CommandWords{{[]string{"stable/15"}, "git cherry-pick"}},
		ID:       "0123456789ab", Vext: "vext", Host: "localhost", Operator: "postmaster@example.org", Message: "foo: fix bar\n",
	}
	w.Facts = w.facts("Fri 20 Nov 2026, 2 weeks ago")
	for name, data := range map[string]any{
		templates.Reminder:      w,
		templates.ReminderIRC:   w,
		templates.Digest:        digestData{[]Words{w, w}, w.Host, w.Operator, w.OnHost, true, w.Merged},
		templates.Quarantined:   quarantinedData{Host: w.Host, State: "/", Total: 1, Vext: w.Vext, Items: []quarantinedItem{{Event: history.Event{Name: "a", Address: "b", Reason: "c"}, ID: "a"}}},
		templates.Early:         noticeData{w, "Fri 4 Dec 2026", []string{"stable/15"}, ""},
		templates.NotFound:      noticeData{w, "", []string{"stable/15"}, "ida"},
		templates.NotUnderstood: notUnderstoodData{w, "not a period"},
		templates.Month:         &numbers{Host: w.Host},
		templates.Alerts:        alertData{w.Host, []alertItem{{"src", "https://example.org/src.git", w.Made, "it can't be reached"}}},
		templates.Limit:         limitData{w.Host, 20, []flood{{Address: "jane@example.org", Count: 1}}},
	} {
		if _, err := set.Text(name, data); err != nil {
			return err
		}
	}
	return nil
}

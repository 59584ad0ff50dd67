package reminder

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/text"
	"vext/queue"
)

// A TargetWords is the state of a commit on one branch that it is to be merged to, in plain
// text on one line.
type TargetWords struct {
	Branch string
	State  string // "merged as 0123456789ab by ida on Fri 4 Dec", "applies", "conflicts in a.c"
	IsOpen bool   // there is something to do
}

// A FixWords is a later commit that is to be merged with another, in plain text on one line.
type FixWords struct {
	Short, Subject string
	Targets        []TargetWords
}

// A CommandWords is the command that merges a commit, with its fixes, into branches.
type CommandWords struct {
	Branches []string
	Command  string
}

// Bounds of what a reminder lists; the rest is counted.
const (
	maxFiles = 3
	maxNeeds = 5
	maxFixes = 10
)

// wordsOf returns the words about a due item, with what has become of its commit.
func (r *run) wordsOf(item *dueItem, m *queue.Message) Words {
	w := r.words(m, item.entry.Name, &item.commit.All, r.Queue.Today())
	if item.found != nil {
		r.addFound(&w, item.found)
	}
	if w.IsMerge && w.Reverted == "" && w.Gone == "" {
		times := 1
		if before := r.tally.Open[item.entry.Name]; before != nil {
			times += before.Times
		}
		if next, ok := r.Repeat.next(r.Queue.Today(), times); ok {
			w.Next = next.Short(r.Queue.Today())
		}
	}
	return w
}

// addFound adds what has become of a commit. A template of an earlier version shows it by
// Facts and Merge.
func (s *Service) addFound(w *Words, b *Backport) {
	looked := b.Source
	if b.Why != "" {
		looked = "nothing, because " + b.Why
	}
	if looked != "" {
		w.Facts = append(w.Facts, Fact{"Looked at", text.Shorten(text.OneLine(looked), maxText)})
	}
	if b.Why != "" {
		return
	}
	for i := range b.Targets {
		t := s.targetWords(w, &b.Targets[i])
		if b.Reverted != nil && b.Targets[i].By == "" {
			continue
		}
		w.Targets, w.Width = append(w.Targets, t), max(w.Width, len(t.Branch))
		if t.IsOpen || b.Command[b.Targets[i].Branch] != "" { // or a fix is to be merged there
			w.Left = append(w.Left, t.Branch)
		}
	}
	for i := range b.Fixes[:min(len(b.Fixes), maxFixes)] {
		w.Fixes = append(w.Fixes, s.fixWords(w, &b.Fixes[i]))
	}
	if more := len(b.Fixes) - maxFixes; more > 0 {
		w.Fixes = append(w.Fixes, FixWords{Short: fmt.Sprintf("and %d more", more)})
	}
	w.Commands = commandWords(b)
	if b.Reverted != nil {
		w.Reverted = "in " + s.pickWords(b.Reverted.By, b.Reverted.Who, b.Reverted.Since)
		w.Facts = append(w.Facts, Fact{"Reverted", w.Reverted})
		w.Left, w.Fixes = nil, nil
	}
	if len(b.Targets) > 0 && len(w.Left) == 0 || b.Reverted != nil {
		w.Merge = ""
	}
	if len(w.Commands) > 0 {
		w.Merge = w.Commands[0].Command
	}
}

// commandWords returns the commands in the order of the targets, each once.
func commandWords(b *Backport) (all []CommandWords) {
	for i := range b.Targets {
		branch := b.Targets[i].Branch
		command := text.OneLine(b.Command[branch])
		if command == "" {
			continue
		}
		at := slices.IndexFunc(all, func(c CommandWords) bool { return c.Command == command })
		if at < 0 {
			at, all = len(all), append(all, CommandWords{Command: command})
		}
		all[at].Branches = append(all[at].Branches, text.OneLine(branch))
	}
	return all
}

func (s *Service) fixWords(w *Words, f *backport.Fix) FixWords {
	fix := FixWords{Short: text.OneLine(commit.ShortRevision(f.Revision)), Subject: text.Shorten(text.OneLine(f.Subject), maxText)}
	for i := range f.Targets {
		fix.Targets = append(fix.Targets, s.targetWords(w, &f.Targets[i]))
	}
	return fix
}

// targetWords returns the state on one branch in words.
func (s *Service) targetWords(w *Words, t *backport.Target) TargetWords {
	is := TargetWords{Branch: text.OneLine(t.Branch), IsOpen: true}
	switch t.State {
	case backport.Merged:
		is.IsOpen, is.State = false, "merged as "+s.pickWords(t.By, t.Who, t.Since)
		if t.By == "" {
			is.State = "merged, as " + said(t.Who)
		}
	case backport.ProbablyMerged:
		is.State = fmt.Sprintf("probably merged as %s; if so: %s mark %s done --on %s",
			s.pickWords(t.By, t.Who, t.Since), w.Vext, w.ID, is.Branch)
	case backport.Clean:
		is.State = "applies" + after(" after ", t.Needs)
	case backport.Conflict:
		is.State = "conflicts" + some(" in ", t.Files, maxFiles) + after("; needs first ", t.Needs)
	case backport.NothingToDo:
		is.IsOpen, is.State = false, "nothing to do: it would change nothing"
	case backport.NotWanted:
		is.IsOpen, is.State = false, "not wanted, as "+said(t.Who)
	default:
		is.State = "not merged"
		if t.Why != "" {
			is.State = "not known: " + text.OneLine(t.Why)
		}
	}
	return is
}

func said(who string) string {
	if who == "" {
		who = "a person"
	}
	return text.OneLine(who) + " said"
}

// pickWords names a commit, who made it and when: "0123456789ab by ida on Fri 4 Dec".
func (s *Service) pickWords(revision, who string, at time.Time) string {
	words := text.OneLine(commit.ShortRevision(revision))
	if who != "" {
		words += " by " + text.OneLine(who)
	}
	if !at.IsZero() {
		words += " on " + calendar.Of(at, s.Queue.Zone).Short(s.Queue.Today())
	}
	return words
}

// after returns before and the first revisions of a list; "" for none.
func after(before string, revisions []string) string {
	var short []string
	for _, revision := range revisions {
		short = append(short, commit.ShortRevision(revision))
	}
	return some(before, short, maxNeeds)
}

// some returns before and the first values of a list, with the number of the others; ""
// for none.
func some(before string, values []string, n int) string {
	if len(values) == 0 {
		return ""
	}
	words := before + text.OneLine(strings.Join(values[:min(len(values), n)], ", "))
	if more := len(values) - n; more > 0 {
		words += fmt.Sprintf(" and %d more", more)
	}
	return words
}

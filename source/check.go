// Package source is about all ways in at once: whether each of them is open,
// and when it was last heard from.
package source

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/config"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
	"vext/source/follow"
	"vext/source/hook"
)

// dialWait is how long a listener has to answer.
const dialWait = 2 * time.Second

// A checker looks at the ways in as they are at one time.
type checker struct {
	q        *queue.Queue
	c        *config.Config
	followed map[string]*follow.State
}

// Check looks at every way in that is configured, or was ever used.
// repositories are those that are to be followed; parts returns the files of
// the hook in a repository.
func Check(q *queue.Queue, c *config.Config, repositories []follow.Repository, parts func(*follow.State) ([]hook.Part, error)) []reminder.Finding {
	k := checker{q, c, map[string]*follow.State{}}
	findings := k.mail()
	findings = append(findings, k.listeners()...)
	findings = append(findings, k.control()...)
	findings = append(findings, k.webhooks()...)
	states, err := follow.Followed(q.State).All()
	findings = append(findings, unreadable("repositories", err)...)
	for _, s := range states {
		k.followed[s.Name] = s
	}
	for i := range repositories {
		findings = append(findings, k.repository(&repositories[i]))
	}
	states, err = follow.Hooked(q.State).All()
	findings = append(findings, unreadable("hooks", err)...)
	findings = append(findings, untrusted(follow.Hooked(q.State).Untrusted())...)
	for _, s := range states {
		findings = append(findings, k.hook(s, parts))
	}
	findings = append(findings, k.schedules()...)
	findings = append(findings, k.notices()...)
	return append(findings, k.incomplete(repositories)...)
}

func unreadable(what string, err error) []reminder.Finding {
	if err == nil {
		return nil
	}
	return []reminder.Finding{{Level: reminder.Broken, What: what, Text: err.Error()}}
}

// heard says when a way in last brought a commit, whether that asked for
// anything or not.
func (k *checker) heard(way string) string {
	t := k.q.Spool.LastSeenBy(way)
	if t.IsZero() {
		return "no commit yet"
	}
	return "last commit " + reminder.Ago(t, k.q.Now, k.q.Zone)
}

// mail is about vext-filter, which is not configured here.
func (k *checker) mail() []reminder.Finding {
	if k.q.Spool.LastSeenBy("").IsZero() {
		return nil
	}
	f := reminder.Finding{What: "vext-filter", Text: k.heard("")}
	if hold := k.c.MailIn.Hold.Duration; hold > 0 {
		f.Text += "; mails are held for " + hold.String()
	}
	k.addSilence(&f, k.seenBy(""), k.c.MailIn.MaxSilence, "[mail-in]")
	return []reminder.Finding{f}
}

// listeners looks whether vext serve answers where it is to listen.
func (k *checker) listeners() []reminder.Finding {
	var findings []reminder.Finding
	if network, address, err := k.c.LMTP.Address(); err == nil && address != "" {
		f := answers("lmtp", network, address, k.heard("lmtp"))
		k.addSilence(&f, k.seenBy("lmtp"), k.c.LMTP.MaxSilence, "[lmtp]")
		findings = append(findings, f)
	}
	address, err := k.c.HTTP.Address()
	switch {
	case err == nil && address != "":
		findings = append(findings, answers("http", "tcp", address, "answers"))
	case len(k.c.Hooks) > 0:
		findings = append(findings, reminder.Finding{
			Level: reminder.LookAt, What: "http", Text: "there are [[hook]]s, but nothing listens for them",
			Hint: `listen = "127.0.0.1:8645" under [http]`,
		})
	}
	if address, err := k.c.Irker.Address(); err == nil && address != "" {
		findings = append(findings, answers("irker", "tcp", address, "answers"))
		if lost := k.q.Spool.LastLost(Irker); k.q.Now.Sub(lost) < lostLooks {
			findings = append(findings, reminder.Finding{
				Level: reminder.LookAt, What: Irker, Text: "requests by UDP were lost " + reminder.Ago(lost, k.q.Now, k.q.Zone),
				Hint: "they arrived faster than they could be stored; vext serve logs how many; let the clients use TCP",
			})
		}
	}
	return findings
}

// Irker names the listener for irker's clients.
const Irker = "irker"

// lostLooks is for how long it is said that datagrams were lost.
const lostLooks = 24 * time.Hour

func answers(what, network, address, text string) reminder.Finding {
	question, answer := "LHLO localhost\r\nMAIL FROM:<>\r\nQUIT\r\n", "220 "
	switch what {
	case "http":
		question, answer = "GET / HTTP/1.0\r\n\r\n", "HTTP/1."
	case "control":
		question, answer = "{}\n", "{"
	case "irker":
		question, answer = `{"to": [], "privmsg": "", "ack": true}`+"\n", `{"ok":true`
	}
	said, err := ask(network, address, question, what == "irker")
	f := reminder.Finding{Level: reminder.LookAt, What: what, Hint: "is vext serve stuck, or is something else there?"}
	switch {
	case isDial(err):
		f.Text, f.Hint = err.Error(), "is vext serve running?"
	case !strings.HasPrefix(said, answer):
		f.Text = fmt.Sprintf("%s: it does not answer", address)
		if err != nil {
			f.Text += ": " + err.Error()
		}
		if what == "irker" {
			f.Hint = "does allow under [irker] leave out this machine? else vext serve is stuck, or something else is there"
		}
	case what == "http" && strings.Contains(said, " 503 "), what == "lmtp" && strings.Contains(said, "\n451 "):
		f.Level, f.Text = reminder.Broken, fmt.Sprintf("%s: nothing is taken in: the state directory is not the one with which vext serve began", address)
		f.Hint = "is its file system mounted? once the directory is back, vext continues by itself; to use another directory, restart vext serve"
	default:
		return reminder.Finding{What: what, Text: address + ": " + text}
	}
	return f
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// ask says something to a listener, and returns its answer. One that goes on
// for as long as its clients do is told that there is no more.
func ask(network, address, question string, goesOn bool) (string, error) {
	conn, err := net.DialTimeout(network, address, dialWait)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(dialWait))
	fmt.Fprint(conn, question)
	if c, ok := conn.(*net.TCPConn); ok && goesOn {
		c.CloseWrite()
	}
	said, err := io.ReadAll(conn)
	return string(said), err
}

// neverTried is after how long without a look at a repository something is
// wrong with whoever is to look.
const neverTried = 24 * time.Hour

// repository is about one that is followed.
func (k *checker) repository(r *follow.Repository) reminder.Finding {
	what := "follow " + r.Name
	s := k.followed[r.Name]
	if s == nil || s.LastTry.IsZero() {
		return reminder.Finding{Level: reminder.LookAt, What: what, Text: "not looked at yet", Hint: "vext follow --once, from cron, or vext serve"}
	}
	f := k.state(what, s)
	if f.Level == reminder.Well && k.q.Now.Sub(s.LastTry) > k.followPatience() {
		f.Level, f.Hint = reminder.LookAt, "is cron, or vext serve, still running?"
	}
	k.addSilence(&f, k.arrivals(s), k.silenceOf(s), "[[repository]]")
	return f
}

// hook is about a repository with a hook of vext. One that was taken out, or
// can't be run, is a way that is closed, although every run still catches up.
func (k *checker) hook(s *follow.State, parts func(*follow.State) ([]hook.Part, error)) reminder.Finding {
	f := k.state("hook "+s.Name, s)
	if s.Failures > 0 {
		f.Hint = "every run tries it again"
		return f
	}
	found, err := parts(s)
	if err != nil {
		f.Level, f.Text = reminder.LookAt, err.Error()
	}
	for _, part := range found {
		if part.State != hook.Installed {
			f.Level, f.Text = reminder.LookAt, part.Path+": "+part.State
			f.Hint = "put it back: vext hook install " + s.Where + "; or give it up: vext hook remove " + s.Where
		}
	}
	if f.Level == reminder.Well && s.IsUnreliable(k.q.Now) {
		f.Level, f.Hint = reminder.LookAt, follow.UnreliableHint
	}
	k.addSilence(&f, k.arrivals(s), k.silenceOf(s), "[[repository]]")
	return f
}

// brokenAfter is after how long a failure is no passing one.
const brokenAfter = 24 * time.Hour

func (k *checker) state(what string, s *follow.State) reminder.Finding {
	ago := func(t time.Time) string { return reminder.Ago(t, k.q.Now, k.q.Zone) }
	f := reminder.Finding{What: what, Text: "last looked at " + ago(s.LastOK)}
	switch {
	case s.Failures > 0:
		f.Level = reminder.LookAt
		if k.q.Now.Sub(s.Failing) >= brokenAfter {
			f.Level = reminder.Broken
		}
		f.Text = fmt.Sprintf("%s (failing since %s)", s.Error, ago(s.Failing))
		f.Hint = "tried again with growing pauses; at once by vext follow --once " + s.Name
	case len(s.Warnings) > 0:
		f.Level, f.Text = reminder.LookAt, strings.Join(s.Warnings, "; ")
	case s.Gap != nil:
		f.Text += fmt.Sprintf("; r%d is missing since %s, and waited for", s.Gap.Revision, ago(s.Gap.Since))
	}
	if n := len(s.Notes); n > 0 && f.Level == reminder.Well {
		f.Text += "; " + s.Notes[n-1].Text + " (" + ago(s.Notes[n-1].Time) + ")"
	}
	return f
}

// recent is for how long a push that was told of incompletely is worth a look.
const recent = 30 * 24 * time.Hour

// mostNotes bounds how many repositories are named.
const mostNotes = 10

// incomplete is about pushes of which a forge did not tell everything, and
// which nobody could look up.
func (k *checker) incomplete(repositories []follow.Repository) []reminder.Finding {
	var findings []reminder.Finding
	told := map[string]bool{}
	for _, push := range k.q.Spool.IncompletePushes() {
		name := k.q.Policy.Repository(push.Repository)
		if k.q.Now.Sub(push.Time) > recent || told[name] || len(told) == mostNotes || !policy.MatchBranch(k.q.Policy.BranchesOf(name), push.Refname) {
			continue
		}
		told[name] = true
		followed := slices.ContainsFunc(repositories, func(r follow.Repository) bool { return r.Name == name })
		f := reminder.Finding{
			Level: reminder.LookAt, What: "push to " + name,
			Text: fmt.Sprintf("%s: not all of its commits were listed, and no repository of that name was followed", reminder.Ago(push.Time, k.q.Now, k.q.Zone)),
			Hint: "take in what was missed: vext import --repository " + name + " --since " + calendar.Of(push.Time, k.q.Zone).ISO(),
		}
		if !followed {
			f.Hint = "add a [[repository]] of that name with its url; then " + f.Hint
		}
		findings = append(findings, f)
	}
	return findings
}

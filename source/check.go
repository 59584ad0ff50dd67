// Package source checks all sources of commits: whether each is reachable, and
// when it last brought a commit.
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

// A checker checks the sources at one time.
type checker struct {
	q        *queue.Queue
	c        *config.Config
	followed map[string]*follow.State
}

// Check checks every source that is configured or was ever used. repositories are
// the followed ones; parts returns the files of the hook in a repository.
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
	findings = append(findings, k.announcements()...)
	return append(findings, k.incomplete(repositories)...)
}

func unreadable(what string, err error) []reminder.Finding {
	if err == nil {
		return nil
	}
	return []reminder.Finding{{Level: reminder.Critical, What: what, Text: err.Error()}}
}

// lastCommit says when a source last brought a commit, whether or not the commit
// asked for a reminder.
func (k *checker) lastCommit(source string) string {
	t := k.q.Spool.LastSeenBy(source)
	if t.IsZero() {
		return "no commit yet"
	}
	return "last commit " + reminder.Ago(t, k.q.Now, k.q.Zone)
}

// mail checks vext-filter, which has no configuration.
func (k *checker) mail() []reminder.Finding {
	if k.q.Spool.LastSeenBy("").IsZero() {
		return nil
	}
	f := reminder.Finding{What: "vext-filter", Text: k.lastCommit("")}
	if hold := k.c.MailIn.Hold.Duration; hold > 0 {
		f.Text += "; mails are held for " + hold.String()
	}
	k.addSilence(&f, k.seenBy(""), k.c.MailIn.MaxSilence, "[mail-in]")
	return []reminder.Finding{f}
}

// listeners checks that vext serve answers at each configured address.
func (k *checker) listeners() []reminder.Finding {
	var findings []reminder.Finding
	if network, address, err := k.c.LMTP.Address(); err == nil && address != "" {
		f := answers("lmtp", network, address, k.lastCommit("lmtp"))
		k.addSilence(&f, k.seenBy("lmtp"), k.c.LMTP.MaxSilence, "[lmtp]")
		findings = append(findings, f)
	}
	address, err := k.c.HTTP.Address()
	switch {
	case err == nil && address != "":
		findings = append(findings, answers("http", "tcp", address, "answers"))
	case len(k.c.Hooks) > 0:
		findings = append(findings, reminder.Finding{
			Level: reminder.Warning, What: "http", Text: "[[hook]] is configured, but [http] has no listen address",
			Hint: `listen = "127.0.0.1:8645" under [http]`,
		})
	}
	if address, err := k.c.Irker.Address(); err == nil && address != "" {
		findings = append(findings, answers("irker", "tcp", address, "answers"))
		if lost := k.q.Spool.LastLost(Irker); k.q.Now.Sub(lost) < lostLooks {
			findings = append(findings, reminder.Finding{
				Level: reminder.Warning, What: Irker, Text: "requests by UDP were lost " + reminder.Ago(lost, k.q.Now, k.q.Zone),
				Hint: "they arrived faster than they could be stored; vext serve logs how many; let the clients use TCP",
			})
		}
	}
	return findings
}

// Irker names the listener for irker's clients.
const Irker = "irker"

// lostLooks is for how long lost datagrams are reported.
const lostLooks = 24 * time.Hour

func answers(what, network, address, text string) reminder.Finding {
	send, want := "LHLO localhost\r\nMAIL FROM:<>\r\nQUIT\r\n", "220 "
	switch what {
	case "http":
		send, want = "GET / HTTP/1.0\r\n\r\n", "HTTP/1."
	case "control":
		send, want = "{}\n", "{"
	case "irker":
		send, want = `{"to": [], "privmsg": "", "ack": true}`+"\n", `{"ok":true`
	}
	answer, err := request(network, address, send, what == "irker")
	f := reminder.Finding{Level: reminder.Warning, What: what, Hint: "is vext serve stuck, or does another program have the address?"}
	switch {
	case isDial(err):
		f.Text, f.Hint = err.Error(), "is vext serve running?"
	case !strings.HasPrefix(answer, want):
		f.Text = fmt.Sprintf("%s: it does not answer", address)
		if err != nil {
			f.Text += ": " + err.Error()
		}
		if what == "irker" {
			f.Hint = "does allow under [irker] exclude this machine? otherwise vext serve is stuck, or another program has the address"
		}
	case what == "http" && strings.Contains(answer, " 503 "), what == "lmtp" && strings.Contains(answer, "\n451 "):
		f.Level, f.Text = reminder.Critical, fmt.Sprintf("%s: everything is rejected: the state directory is not the one with which vext serve started", address)
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

// request sends a question to a listener and returns its answer. closeWrite ends
// the question, for a listener that answers until its client closes.
func request(network, address, question string, closeWrite bool) (string, error) {
	conn, err := net.DialTimeout(network, address, dialWait)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(dialWait))
	fmt.Fprint(conn, question)
	if c, ok := conn.(*net.TCPConn); ok && closeWrite {
		c.CloseWrite()
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// maxFetchAge is how old the last fetch of a followed repository may be.
const maxFetchAge = 24 * time.Hour

// repository checks a followed repository.
func (k *checker) repository(r *follow.Repository) reminder.Finding {
	what := "follow " + r.Name
	s := k.followed[r.Name]
	if s == nil || s.LastTry.IsZero() {
		return reminder.Finding{Level: reminder.Warning, What: what, Text: "not looked at yet", Hint: "let cron run vext follow --once, or start vext serve"}
	}
	f := k.state(what, s)
	if f.Level == reminder.OK && k.q.Now.Sub(s.LastTry) > k.followPatience() {
		f.Level, f.Hint = reminder.Warning, "is cron, or vext serve, still running?"
	}
	k.addSilence(&f, k.arrivals(s), k.silenceOf(s), "[[repository]]")
	return f
}

// hook checks a repository with a hook of vext. Commits that a removed or broken
// hook misses arrive only with the next run.
func (k *checker) hook(s *follow.State, parts func(*follow.State) ([]hook.Part, error)) reminder.Finding {
	f := k.state("hook "+s.Name, s)
	if s.Failures > 0 {
		f.Hint = "every run retries it"
		return f
	}
	found, err := parts(s)
	if err != nil {
		f.Level, f.Text = reminder.Warning, err.Error()
	}
	for _, part := range found {
		if part.State != hook.Installed {
			f.Level, f.Text = reminder.Warning, part.Path+": "+part.State
			f.Hint = "install it again: vext hook install " + s.Where + "; or remove it: vext hook remove " + s.Where
		}
	}
	if f.Level == reminder.OK && s.IsUnreliable(k.q.Now) {
		f.Level, f.Hint = reminder.Warning, follow.UnreliableHint
	}
	k.addSilence(&f, k.arrivals(s), k.silenceOf(s), "[[repository]]")
	return f
}

// brokenAfter is how long a repository may fail before that is critical.
const brokenAfter = 24 * time.Hour

func (k *checker) state(what string, s *follow.State) reminder.Finding {
	ago := func(t time.Time) string { return reminder.Ago(t, k.q.Now, k.q.Zone) }
	f := reminder.Finding{What: what, Text: "last looked at " + ago(s.LastOK)}
	switch {
	case s.Failures > 0:
		f.Level = reminder.Warning
		if k.q.Now.Sub(s.Failing) >= brokenAfter {
			f.Level = reminder.Critical
		}
		f.Text = fmt.Sprintf("%s (failing since %s)", s.Error, ago(s.Failing))
		f.Hint = "retried with backoff; to retry now: vext follow --once " + s.Name
	case len(s.Warnings) > 0:
		f.Level, f.Text = reminder.Warning, strings.Join(s.Warnings, "; ")
	case s.Gap != nil:
		f.Text += fmt.Sprintf("; waiting for r%d, missing since %s", s.Gap.Revision, ago(s.Gap.Since))
	}
	if n := len(s.Notes); n > 0 && f.Level == reminder.OK {
		f.Text += "; " + s.Notes[n-1].Text + " (" + ago(s.Notes[n-1].Time) + ")"
	}
	return f
}

// recent is for how long incomplete pushes are reported.
const recent = 30 * 24 * time.Hour

// maxNotes bounds the repositories named.
const maxNotes = 10

// incomplete reports pushes whose commits the forge did not list completely, and
// which could not be looked up in a repository.
func (k *checker) incomplete(repositories []follow.Repository) []reminder.Finding {
	var findings []reminder.Finding
	seen := map[string]bool{}
	for _, push := range k.q.Spool.IncompletePushes() {
		name := k.q.Policy.Repository(push.Repository)
		if k.q.Now.Sub(push.Time) > recent || seen[name] || len(seen) == maxNotes || !policy.MatchBranch(k.q.Policy.BranchesOf(name), push.Refname) {
			continue
		}
		seen[name] = true
		followed := slices.ContainsFunc(repositories, func(r follow.Repository) bool { return r.Name == name })
		f := reminder.Finding{
			Level: reminder.Warning, What: "push to " + name,
			Text: fmt.Sprintf("%s: not all of its commits were listed, and no repository of that name was followed", reminder.Ago(push.Time, k.q.Now, k.q.Zone)),
			Hint: "import the missing commits: vext import --repository " + name + " --since " + calendar.Of(push.Time, k.q.Zone).ISO(),
		}
		if !followed {
			f.Hint = "add a [[repository]] of that name with its url; then " + f.Hint
		}
		findings = append(findings, f)
	}
	return findings
}

package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/disk"
	"vext/policy"
)

// Irker is the source name of the listener for irker's clients.
const Irker = "irker"

const (
	dialTimeout = 2 * time.Second
	lostReport  = 24 * time.Hour // for how long lost datagrams are reported
)

// lastSeen returns when a source last brought a commit, in words.
func (c *Checker) lastSeen(source string) string {
	t := c.Queue.Spool.LastSeenBy(source)
	if t.IsZero() {
		return "no commit yet"
	}
	return "last commit " + c.Ago(t)
}

// filter reports on vext-filter, if it has run.
func (c *Checker) filter() []Finding {
	if c.Queue.Spool.LastSeenBy("").IsZero() {
		return nil
	}
	f := Finding{What: "vext-filter", Text: c.lastSeen("")}
	if hold := c.Config.MailIn.Hold.Duration; hold > 0 {
		f.Text += "; mails are held for " + hold.String()
	}
	c.AddSilence(&f, c.seenBy(""), c.Config.MailIn.MaxSilence, "[mail-in]")
	return []Finding{f}
}

// listeners checks that vext serve answers where it is configured to listen.
func (c *Checker) listeners(ctx context.Context) []Finding {
	var findings []Finding
	if network, address := c.Config.LMTP.Address(); address != "" {
		f := listeners["lmtp"].check(ctx, "lmtp", network, address, c.lastSeen("lmtp"))
		c.AddSilence(&f, c.seenBy("lmtp"), c.Config.LMTP.MaxSilence, "[lmtp]")
		findings = append(findings, f)
	}
	switch address := c.Config.HTTP.Listen; {
	case address != "":
		findings = append(findings, listeners["http"].check(ctx, "http", "tcp", address, "answers"))
	case len(c.Config.Hooks) > 0:
		findings = append(findings, Finding{Warning, "http", "[[hook]] is configured, but [http] has no listen address", `listen = "127.0.0.1:8645" under [http]`})
	}
	if address := c.Config.Irker.Listen; address != "" {
		findings = append(findings, listeners[Irker].check(ctx, Irker, "tcp", address, "answers"))
		if lost := c.Queue.Spool.LastLost(Irker); c.since(lost) < lostReport {
			findings = append(findings, Finding{
				Warning, Irker, "requests by UDP were lost " + c.Ago(lost),
				"they arrived faster than they could be stored; vext serve logs how many; let the clients use TCP",
			})
		}
	}
	if path := c.Config.Control.Socket; path != "" {
		f := listeners["control"].check(ctx, "control", "unix", path, "answers")
		if dir := disk.ClosedDir(filepath.Dir(path)); f.Level == OK && dir != "" {
			f.Level, f.Text = Warning, path+" answers, but users can't reach it: "+dir+" is closed to them"
			f.Hint = "chmod o+x " + dir + ", or set another socket under [control]"
		}
		findings = append(findings, f)
	}
	return findings
}

// A listener is how to probe one protocol.
type listener struct {
	request string
	reply   string // how the reply begins
	refusal string // in the reply while the state directory is replaced
	half    bool   // close the connection for writing after the request
	hint    string // for a wrong reply
}

const stuckHint = "is vext serve stuck, or does another program have the address?"

var listeners = map[string]listener{
	"lmtp":    {"LHLO localhost\r\nMAIL FROM:<>\r\nQUIT\r\n", "220 ", "\n451 ", false, stuckHint},
	"http":    {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.", " 503 ", false, stuckHint},
	"control": {"{}\n", "{", "", false, stuckHint},
	Irker: {`{"to": [], "privmsg": "", "ack": true}` + "\n", `{"ok":true`, "", true,
		"does allow under [irker] exclude this machine? otherwise vext serve is stuck, or another program has the address"},
}

// check sends the request to an address. text is that of the finding for a good reply.
func (l listener) check(ctx context.Context, what, network, address, text string) Finding {
	reply, err := exchange(ctx, network, address, l.request, l.half)
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return Finding{Warning, what, err.Error(), "is vext serve running?"}
	case !strings.HasPrefix(reply, l.reply):
		text = address + ": it does not answer"
		if err != nil {
			text += ": " + err.Error()
		}
		return Finding{Warning, what, text, l.hint}
	case l.refusal != "" && strings.Contains(reply, l.refusal):
		return Finding{
			Critical, what, address + ": everything is rejected: the state directory is not the one with which vext serve started",
			"is its file system mounted? once the directory is back, vext continues by itself; to use another directory, restart vext serve",
		}
	}
	return Finding{OK, what, address + ": " + text, ""}
}

// exchange sends a request to an address and returns the reply.
func exchange(ctx context.Context, network, address, request string, half bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	fmt.Fprint(conn, request)
	if tcp, ok := conn.(*net.TCPConn); ok && half {
		tcp.CloseWrite()
	}
	reply, err := io.ReadAll(conn)
	if ctx.Err() != nil {
		err = fmt.Errorf("no reply within %s", dialTimeout)
	}
	return string(reply), err
}

const (
	// rejectedReport is for how long rejected requests are reported when none with the
	// right signature has come since. burstReport is for how long a burst of them is
	// reported even when one has.
	rejectedReport = 7 * 24 * time.Hour
	burstReport    = 24 * time.Hour
	// fewRejected is how many requests of a repository must have been rejected after
	// its last accepted one before they are reported. A single one means nothing.
	fewRejected = 3
)

// webhooks checks each [[hook]], and the repositories whose forge has the wrong
// secret.
func (c *Checker) webhooks(ctx context.Context) []Finding {
	var findings []Finding
	for i := range c.Config.Hooks {
		h := &c.Config.Hooks[i]
		findings = append(findings, c.webhook(ctx, h))
		findings = append(findings, c.rejectedRepositories(h)...)
	}
	return findings
}

func (c *Checker) webhook(ctx context.Context, h *config.Hook) Finding {
	source := "webhook-" + h.Name
	f := Finding{What: "webhook " + h.Name, Text: c.lastSeen(source)}
	key, err := h.Key()
	rejected := c.rejected(source)
	switch {
	case err != nil:
		f.Level, f.Text, f.Hint = Critical, err.Error(), "the hook is disabled without its secret"
	case key == "":
		f.Level, f.Text, f.Hint = Warning, "disabled: no secret configured, or an empty one", "set secret_file under [[hook]]"
	case c.isUnknown(ctx, h):
		f.Level, f.Text, f.Hint = Warning, "not served: it was added after the start of vext serve", "restart vext serve; it reads the configuration when it starts"
	case rejected != "":
		f.Level, f.Text = Warning, f.Text+"; "+rejected
		f.Hint = "does the forge have the same secret? vext serve logs the clients"
	default:
		c.AddSilence(&f, c.seenBy(source), h.MaxSilence, "[[hook]]")
	}
	return f
}

// rejected returns what to report about the requests that a hook rejected, "" for
// nothing.
func (c *Checker) rejected(source string) string {
	g := c.Queue.Spool.Signatures(source)
	last, good := g.LastRejected(), later(g.Good, c.Queue.Spool.LastSeenBy(source))
	switch {
	case last.IsZero() || c.since(last) >= rejectedReport:
	case good.IsZero():
		return "a request with a wrong signature or none was rejected " + c.Ago(last) + ", and no request with the right signature has come yet"
	case c.since(g.Burst) < burstReport, g.Burst.After(good) && c.since(g.Burst) < rejectedReport:
		return "many requests with a wrong signature or none were rejected, the last of them " + c.Ago(last)
	}
	return ""
}

// rejectedRepositories returns a finding for each repository that only requests with
// a wrong signature name. Anybody can have sent these.
func (c *Checker) rejectedRepositories(h *config.Hook) []Finding {
	var findings []Finding
	g := c.Queue.Spool.Signatures("webhook-" + h.Name)
	if g.Good.IsZero() { // no forge has this hook's secret
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(g.Repositories)) {
		r := g.Repositories[name]
		isStray := !r.Good.IsZero() && r.Count < fewRejected
		if r.Count == 0 || isStray || c.since(r.Rejected) >= rejectedReport || len(findings) == maxRepositories {
			continue
		}
		text := "no request with the right signature has come yet"
		if !r.Good.IsZero() {
			text = "the last one with the right signature came " + c.Ago(r.Good)
		}
		findings = append(findings, Finding{
			Warning, "webhook " + h.Name,
			fmt.Sprintf("%s that named the repository %q had a wrong signature or none, the last %s; %s",
				calendar.Plural(r.Count, "request"), name, c.Ago(r.Rejected), text),
			"does the forge use the secret of this hook for that repository? if the repository is not yours, a stranger invented the name",
		})
	}
	return findings
}

// isUnknown reports whether vext serve answers but does not know this hook, because
// the hook was added to the configuration after the start.
func (c *Checker) isUnknown(ctx context.Context, h *config.Hook) bool {
	if c.Config.HTTP.Listen == "" {
		return false
	}
	reply, _ := exchange(ctx, "tcp", c.Config.HTTP.Listen, "GET /hook/"+h.Name+" HTTP/1.0\r\n\r\n", false)
	return strings.HasPrefix(reply, "HTTP/1.") && strings.Contains(reply, " 404 ")
}

const (
	incompleteReport = 30 * 24 * time.Hour // for how long incomplete pushes are reported
	maxRepositories  = 10                  // that are reported for one reason
)

// incompletePushes reports pushes of which a forge did not list every commit, and whose
// repository could not be read.
func (c *Checker) incompletePushes() []Finding {
	var findings []Finding
	reported := map[string]bool{}
	for _, push := range c.Queue.Spool.IncompletePushes() {
		name := c.Queue.Policy.Repository(push.Repository)
		if c.since(push.Time) > incompleteReport || reported[name] || len(reported) == maxRepositories || !policy.MatchBranch(c.Queue.Policy.BranchesOf(name), push.Refname) {
			continue
		}
		reported[name] = true
		f := Finding{
			Warning, "push to " + name, c.Ago(push.Time) + ": not all of its commits were listed, and no repository of that name was followed",
			"import the missing commits: vext import --repository " + name + " --since " + calendar.Of(push.Time, c.Queue.Zone).ISO(),
		}
		if !slices.Contains(c.Followed(), name) {
			f.Hint = "add a [[repository]] of that name with its url; then " + f.Hint
		}
		findings = append(findings, f)
	}
	return findings
}

// Followed returns the names of the repositories that are to be followed.
func (c *Checker) Followed() []string {
	var names []string
	for i := range c.Config.Repositories {
		if r := &c.Config.Repositories[i]; !r.URL.IsZero() {
			names = append(names, commit.RepositoryName(r.Name))
		}
	}
	return names
}

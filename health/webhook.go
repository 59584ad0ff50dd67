package health

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/config"
)

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
	last, good := g.LastRejected(), g.Good
	if seen := c.Queue.Spool.LastSeenBy(source); seen.After(good) {
		good = seen
	}
	switch {
	case last.IsZero() || c.since(last) >= rejectedReport:
	case good.IsZero():
		return "a request with a wrong signature or none was rejected " + c.Ago(last) + ", and none with the right one has come yet"
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
		text := "none with the right one has come yet"
		if !r.Good.IsZero() {
			text = "the last with the right one came " + c.Ago(r.Good)
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
	address, err := c.Config.HTTP.Address()
	if err != nil || address == "" {
		return false
	}
	reply, _ := exchange(ctx, "tcp", address, "GET /hook/"+h.Name+" HTTP/1.0\r\n\r\n", false)
	return strings.HasPrefix(reply, "HTTP/1.") && strings.Contains(reply, " 404 ")
}

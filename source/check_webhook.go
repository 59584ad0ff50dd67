package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
	"vext/internal/config"
	"vext/reminder"
)

const (
	// recently is for how long rejected requests are reported when no request with
	// the right signature has come since. burstRecently is for how long a burst of
	// them is reported even when one has.
	recently      = 7 * 24 * time.Hour
	burstRecently = 24 * time.Hour
	// fewRejected is how many requests of a repository must have been rejected after
	// its last accepted one before they are reported. A single one means nothing.
	fewRejected = 3
)

// webhooks checks each [[hook]], and the repositories whose forge has the wrong
// secret.
func (k *checker) webhooks() []reminder.Finding {
	var findings []reminder.Finding
	for i := range k.c.Hooks {
		h := &k.c.Hooks[i]
		findings = append(findings, k.webhook(h))
		findings = append(findings, k.rejectedRepositories(h)...)
	}
	return findings
}

func (k *checker) webhook(h *config.Hook) reminder.Finding {
	source := "webhook-" + h.Name
	f := reminder.Finding{What: "webhook " + h.Name, Text: k.lastCommit(source)}
	key, err := h.Key()
	rejected := k.rejected(source)
	switch {
	case err != nil:
		f.Level, f.Text, f.Hint = reminder.Critical, err.Error(), "the hook is disabled without its secret"
	case key == "":
		f.Level, f.Text, f.Hint = reminder.Warning, "disabled: no secret configured, or an empty one", "set secret_file under [[hook]]"
	case k.isUnknown(h):
		f.Level, f.Text, f.Hint = reminder.Warning, "not served: it was added after the start of vext serve", "restart vext serve; it reads the configuration when it starts"
	case rejected != "":
		f.Level, f.Text = reminder.Warning, f.Text+"; "+rejected
		f.Hint = "does the forge have the same secret? vext serve logs the clients"
	default:
		k.addSilence(&f, k.seenBy(source), h.MaxSilence, "[[hook]]")
	}
	return f
}

// rejected says what to report about the requests that a hook rejected, "" for
// nothing.
func (k *checker) rejected(source string) string {
	g := k.q.Spool.Signatures(source)
	last, good := g.LastRejected(), g.Good
	if seen := k.q.Spool.LastSeenBy(source); seen.After(good) {
		good = seen
	}
	since := func(t time.Time) time.Duration { return k.q.Now.Sub(t) }
	ago := func(t time.Time) string { return reminder.Ago(t, k.q.Now, k.q.Zone) }
	switch {
	case last.IsZero() || since(last) >= recently:
	case good.IsZero():
		return "a request with a wrong signature or none was rejected " + ago(last) + ", and none with the right one has come yet"
	case since(g.Burst) < burstRecently, g.Burst.After(good) && since(g.Burst) < recently:
		return "many requests with a wrong signature or none were rejected, the last of them " + ago(last)
	}
	return ""
}

// rejectedRepositories returns a finding for each repository that only requests with
// a wrong signature name. Anybody can have sent these.
func (k *checker) rejectedRepositories(h *config.Hook) []reminder.Finding {
	var findings []reminder.Finding
	g := k.q.Spool.Signatures("webhook-" + h.Name)
	if g.Good.IsZero() { // no forge has this hook's secret
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(g.Repositories)) {
		r := g.Repositories[name]
		isStray := !r.Good.IsZero() && r.Count < fewRejected
		if r.Count == 0 || isStray || k.q.Now.Sub(r.Rejected) >= recently || len(findings) == maxNotes {
			continue
		}
		text := "none with the right one has come yet"
		if !r.Good.IsZero() {
			text = "the last with the right one came " + reminder.Ago(r.Good, k.q.Now, k.q.Zone)
		}
		findings = append(findings, reminder.Finding{
			Level: reminder.Warning, What: "webhook " + h.Name,
			Text: fmt.Sprintf("%s that named the repository %q had a wrong signature or none, the last %s; %s",
				calendar.Plural(r.Count, "request"), name, reminder.Ago(r.Rejected, k.q.Now, k.q.Zone), text),
			Hint: "does the forge use the secret of this hook for that repository? if the repository is not yours, a stranger invented the name",
		})
	}
	return findings
}

// isUnknown reports whether vext serve answers but does not know this hook, because
// the hook was added to the configuration after the start.
func (k *checker) isUnknown(h *config.Hook) bool {
	address, err := k.c.HTTP.Address()
	if err != nil || address == "" {
		return false
	}
	answer, _ := request("tcp", address, "GET /hook/"+h.Name+" HTTP/1.0\r\n\r\n", false)
	return strings.HasPrefix(answer, "HTTP/1.") && strings.Contains(answer, " 404 ")
}

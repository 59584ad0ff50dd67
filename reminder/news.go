package reminder

import (
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/history"
	"vext/internal/text"
)

// A mergeNews is a merge that vext found by itself, for the next digest of the person who
// had asked for it.
type mergeNews struct {
	Name string // of the message
	Line string // "0123456789ab foo: fix bar: merged to stable/15 by ida"
}

// maxNews bounds the lines in a digest.
const maxNews = 20

// takeNews keeps what was merged until the person gets a mail.
func (t *tally) takeNews(e *history.Event) {
	address := strings.ToLower(e.Address)
	switch e.Kind {
	case history.Merged:
		isKnown := func(n mergeNews) bool { return n.Name == e.Name }
		if address == "" || strings.Trim(e.Picked, "-, ") == "" || // it is a person who said so
			len(t.News[address]) >= maxNews || slices.ContainsFunc(t.News[address], isKnown) ||
			t.now.Sub(e.Time).Hours() > 24*maxFollowed {
			return
		}
		line := commit.ShortRevision(e.Revision) + " " + text.Shorten(e.Subject, maxText) + ": merged to " + e.Target
		if e.By != "" {
			line += " by " + e.By
		}
		t.News[address] = append(t.News[address], mergeNews{e.Name, text.OneLine(line)})
	case history.Sent, history.Fallback:
		if !isTarget(e.Via) {
			delete(t.News, address)
		}
	}
}

// news returns the lines for the digest of a person.
func (r *run) news(address string) (lines []string) {
	if !r.Digest {
		return nil
	}
	for _, n := range r.tally.News[strings.ToLower(address)] {
		lines = append(lines, n.Line)
	}
	return lines
}

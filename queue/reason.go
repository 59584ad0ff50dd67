package queue

import (
	"cmp"
	"strconv"
	"strings"

	"vext/internal/commit"
	"vext/internal/history"
)

// A reason for which a message is quarantined is one line, and may have more
// lines that say what to do. In these ID stands for the ID of the message.

// WithID returns a reason for which a message is quarantined with the message's
// ID in the commands that it names, which begin with command.
func WithID(reason, command, id string) string {
	for _, verb := range []string{" snooze ", " cancel ", " retry "} {
		reason = strings.ReplaceAll(reason, "vext"+verb+"ID", command+verb+id)
	}
	return reason
}

// SplitReason returns why a message is quarantined, and what to do, which may be
// empty.
func SplitReason(reason string) (why, advice string) {
	why, advice, _ = strings.Cut(reason, "\n")
	return why, advice
}

// ByAdvice groups what is quarantined by what to do, so that it is said once, in
// the order in which the groups begin.
func ByAdvice[T any](all []T, reason func(*T) string) [][]*T {
	var groups [][]*T
	place := map[string]int{}
	for i := range all {
		why, advice := SplitReason(reason(&all[i]))
		key := cmp.Or(advice, why)
		at, known := place[key]
		if !known {
			at = len(groups)
			place[key], groups = at, append(groups, nil)
		}
		groups[at] = append(groups[at], &all[i])
	}
	return groups
}

// ID returns what names a message in a command: the short revision where that is
// one, and else the name.
func ID(e *history.Event) string {
	number := strings.TrimPrefix(e.Revision, "r")
	_, err := strconv.ParseUint(number, 10, 32)
	if e.Key != "" && (commit.IsHex(e.Revision) && len(e.Revision) >= 12 || err == nil && number != e.Revision) {
		return commit.ShortRevision(e.Revision)
	}
	return e.Name
}

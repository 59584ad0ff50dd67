package queue

import (
	"cmp"
	"strconv"
	"strings"

	"vext/internal/commit"
	"vext/internal/history"
)

// The reason for which a message is quarantined is one line. Lines with advice can
// follow, in which ID stands for the ID of the message.

// WithID returns a reason with the message's ID in its commands, which begin with
// command instead of vext.
func WithID(reason, command, id string) string {
	for _, verb := range []string{" snooze ", " cancel ", " retry "} {
		reason = strings.ReplaceAll(reason, "vext"+verb+"ID", command+verb+id)
	}
	return reason
}

// SplitReason returns the two parts of a reason. The advice can be empty.
func SplitReason(reason string) (why, advice string) {
	why, advice, _ = strings.Cut(reason, "\n")
	return why, advice
}

// ByAdvice groups quarantined messages by advice, so that it is printed once, in the
// order of their first members.
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

// ID returns the ID of a message for commands: the short revision if it has one, or
// else the name.
func ID(e *history.Event) string {
	number := strings.TrimPrefix(e.Revision, "r")
	_, err := strconv.ParseUint(number, 10, 32)
	if e.Key != "" && (commit.IsHex(e.Revision) && len(e.Revision) >= 12 || err == nil && number != e.Revision) {
		return commit.ShortRevision(e.Revision)
	}
	return e.Name
}

// QuarantineAdvice returns what to do about quarantined messages, unclear of which have
// a period that is not understood; a retry would not change these.
func QuarantineAdvice(unclear, all int) string {
	const give, fix = "give what is not understood a day (vext snooze ID 2 weeks), or drop it (vext cancel ID)", "vext retry --all"
	switch unclear {
	case 0:
		return "once the cause is fixed, " + fix
	case all:
		return give
	}
	return give + "; the rest, once its cause is fixed: " + fix
}

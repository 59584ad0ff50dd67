package reminder

import (
	"slices"

	"vext/internal/history"
	"vext/internal/target"
	"vext/policy"
	"vext/queue"
)

// noTarget is why a line is not told whose target the rules name no more. It
// stands for nothing then: another target is told, or the same one anew when
// the rules name it again.
const noTarget = "no longer a target"

// wayNow returns which way the rules let a reminder go that has lines, nil when
// its message can't be read. Of one that does not wait any more the history
// says what the rules ask for.
func (s *Service) wayNow(entry queue.Entry, waits bool, handed *history.Event) *policy.Route {
	if !waits {
		way := s.Queue.Policy.RouteOfEvent(handed)
		return &way
	}
	m, err := s.Queue.Read(entry)
	if err != nil {
		return nil // said in its turn
	}
	way := s.Queue.Policy.RouteOf(&m.Commit)
	return &way
}

// wanted returns the lines without those that were not told and whose target
// was, or is, no target any more. way may be nil.
func wanted(lines []*history.Line, way *policy.Route) []*history.Line {
	return slices.DeleteFunc(slices.Clone(lines), func(l *history.Line) bool {
		return l.State == history.LineUndelivered && (l.Why == noTarget || way != nil && !way.Has(l.Enqueued.Via))
	})
}

// isLacking reports whether a target of the way has no line.
func isLacking(lines []*history.Line, way *policy.Route) bool {
	if way == nil {
		return false
	}
	has := map[string]bool{}
	for _, l := range lines {
		has[l.Enqueued.Via] = true
	}
	return slices.ContainsFunc(way.Targets, func(t target.Target) bool { return !has[t.String()] })
}

// leaves reports whether the rules name the target of an open line no more. One
// that was told is as good as any.
func (st *settlement) leaves(h *handed, l *history.Line) bool {
	return st.blind == nil && h.unwanted == "" && h.way != nil && l.IsOpen() && !st.isTold(l) && !h.way.Has(l.Enqueued.Via)
}

// drop closes a line that leaves, and reports whether it did: one that is on
// the wire is waited for.
func (st *settlement) drop(h *handed, l *history.Line) bool {
	if !st.leaves(h, l) || st.isUntold(l) {
		return false
	}
	st.note(history.Undelivered, &l.Enqueued, l.Enqueued.Via, noTarget)
	return true
}

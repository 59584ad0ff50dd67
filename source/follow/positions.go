package follow

import (
	"maps"

	"vext/internal/vcs"
)

// Each branch has one position, State.Positions: the commits up to it are stored.
// While commits are announced, branches that do not count for reminders have a
// position, too. State.Uncounted names them, because the requests of their commits are
// not stored: another branch with these commits may count, or they may later. It is nil
// until the positions before the first announcement are recorded.

// takeOver reads the positions of an earlier version, which kept those of uncounted
// branches in Told. A branch that counts has its position in Positions; what Told has of
// it is from the time before it counted.
func (s *State) takeOver(counts func(refname string) bool) {
	for refname, position := range s.Told {
		if _, known := s.Positions[refname]; !known || !counts(refname) {
			s.setUncounted(refname, position)
		}
	}
	s.Told = nil
}

// setUncounted sets the position of a branch that does not count.
func (s *State) setUncounted(refname, position string) {
	if s.Uncounted == nil {
		s.Uncounted = map[string]bool{}
	}
	if old, known := s.Positions[refname]; known && !s.Uncounted[refname] {
		s.Base = append(s.Base, old) // up to there its requests are stored
	}
	s.Positions[refname], s.Uncounted[refname] = position, true
}

// forget removes the position of a branch.
func (s *State) forget(refname string) {
	delete(s.Positions, refname)
	delete(s.Uncounted, refname)
}

// known returns the positions up to which all requests are stored, except that of one
// branch.
func (s *State) known(except string) []string {
	var known []string
	for refname, position := range s.Positions {
		if !s.Uncounted[refname] && (refname != except || except == "") {
			known = append(known, position)
		}
	}
	return append(known, s.Base...)
}

// isCounted reports whether the requests of a branch are stored up to its position.
func (s *State) isCounted(refname string) bool {
	_, known := s.Positions[refname]
	return known && !s.Uncounted[refname]
}

// maxPast bounds the earlier positions of a branch that are kept.
const maxPast = 20

// move sets the position of a branch. For Mercurial, from which commits can be
// stripped, it keeps the earlier positions, too.
func (p *pass) move(refname, position string) {
	s := p.state
	if !p.repository.wants(refname) {
		if s.Uncounted != nil && (s.Uncounted[refname] || len(s.Uncounted) < maxBase || p.isAnnounced(refname)) {
			s.setUncounted(refname, position)
		}
		return
	}
	if old := s.Positions[refname]; s.Kind == vcs.Hg && s.isCounted(refname) && old != position {
		if s.Past == nil {
			s.Past = map[string][]string{}
		}
		past := append(s.Past[refname], old)
		s.Past[refname] = past[max(0, len(past)-maxPast):]
	}
	delete(s.Uncounted, refname)
	s.Positions[refname] = position
}

// recordUncounted records, before the first announcement, the positions of the branches
// that do not count, and removes them when commits are no longer announced.
func (p *pass) recordUncounted(tips map[string]string) {
	s := p.state
	switch {
	case !p.announcing:
		maps.DeleteFunc(s.Positions, func(refname, _ string) bool { return s.Uncounted[refname] })
		s.Uncounted = nil
	case s.Uncounted == nil:
		s.Uncounted = map[string]bool{}
		for _, u := range updatesTo(tips) {
			if !p.repository.wants(u.Refname) {
				p.move(u.Refname, u.New)
			}
		}
	}
}

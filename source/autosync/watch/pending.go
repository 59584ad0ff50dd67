package watch

// maxPending bounds the paths that wait for the reader.
const maxPending = 20_000

// A pending is the events that the reader has not taken yet, one for each path.
type pending struct {
	list []Event
	at   map[string]int // by path; those of the version control are absolute
}

// add adds an event. Everything may have changed when there are too many.
func (p *pending) add(e Event) {
	if len(p.list) == 1 && p.list[0].All {
		return
	}
	if e.All || len(p.list) >= maxPending {
		*p = pending{list: []Event{{All: true}}}
		return
	}
	if i, ok := p.at[e.Path]; ok {
		e.Dir = e.Dir || p.list[i].Dir && !e.Gone
		p.list[i] = e
		return
	}
	if p.at == nil {
		p.at = map[string]int{}
	}
	p.at[e.Path] = len(p.list)
	p.list = append(p.list, e)
}

// take returns the events, and forgets them.
func (p *pending) take() []Event {
	list := p.list
	*p = pending{}
	return list
}

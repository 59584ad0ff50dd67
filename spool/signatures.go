package spool

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"vext/internal/disk"
)

// Signatures is the record of the requests to one webhook: which had the right signature,
// and which were rejected. Anybody can send a request that is rejected, so the repository
// that it names is no more than a label.
type Signatures struct {
	Good     time.Time   `json:"good,omitzero"`     // when the last had the right one
	Rejected []time.Time `json:"refused,omitempty"` // the last few, oldest first
	Burst    time.Time   `json:"burst,omitzero"`    // when burstSize had been rejected within burstTime
	// Repositories has the repositories that requests named.
	Repositories map[string]*RepositorySignatures `json:"repositories,omitempty"`
}

// RepositorySignatures is the record of the requests that name one repository.
type RepositorySignatures struct {
	Good     time.Time `json:"good,omitzero"`
	Since    time.Time `json:"since,omitzero"`   // when the first was rejected after Good
	Rejected time.Time `json:"refused,omitzero"` // when the last was
	Count    int       `json:"count,omitempty"`  // of those rejected after Good
}

const (
	// burstSize rejections within burstTime are more than a stray request.
	burstSize = 5
	burstTime = time.Hour
	// maxProven bounds the repositories that had the right signature once,
	// maxClaimed those that never had.
	maxProven  = 500
	maxClaimed = 20
)

// Accept records a request with the right signature; repository is "" when it names none.
func (g *Signatures) Accept(repository string, now time.Time) {
	g.Good = now
	if r := g.repository(repository, true); r != nil {
		*r = RepositorySignatures{Good: now}
	}
}

// Reject records a request without the right signature.
func (g *Signatures) Reject(repository string, now time.Time) {
	g.Rejected = append(g.Rejected, now)
	g.Rejected = g.Rejected[max(0, len(g.Rejected)-burstSize):]
	if since := now.Sub(g.Rejected[0]); len(g.Rejected) == burstSize && since >= 0 && since <= burstTime {
		g.Burst = now
	}
	if r := g.repository(repository, false); r != nil {
		if r.Count++; r.Count == 1 {
			r.Since = now
		}
		r.Rejected = now
	}
}

// LastRejected returns when the last request was rejected, the zero time if none
// was.
func (g *Signatures) LastRejected() time.Time {
	if len(g.Rejected) == 0 {
		return time.Time{}
	}
	return g.Rejected[len(g.Rejected)-1]
}

// repository returns the record of a repository, which it creates if needed, and nil for
// "".
func (g *Signatures) repository(name string, proven bool) *RepositorySignatures {
	if name == "" {
		return nil
	}
	if r := g.Repositories[name]; r != nil {
		return r
	}
	limit := maxClaimed
	if proven {
		limit = maxProven
	}
	g.evict(limit, func(r *RepositorySignatures) bool { return r.Good.IsZero() != proven })
	if g.Repositories == nil {
		g.Repositories = map[string]*RepositorySignatures{}
	}
	r := new(RepositorySignatures)
	g.Repositories[name] = r
	return r
}

// evict removes one of the repositories that counts selects, when there are as many as
// the limit: the one that was rejected least often or, among several, longest ago.
// Invented names usually occur only once.
func (g *Signatures) evict(limit int, counts func(*RepositorySignatures) bool) {
	n, least := 0, ""
	for name, r := range g.Repositories {
		if !counts(r) {
			continue
		}
		n++
		if l := g.Repositories[least]; l == nil || cmp.Or(cmp.Compare(r.Count, l.Count), r.last().Compare(l.last()), cmp.Compare(name, least)) < 0 {
			least = name
		}
	}
	if n >= limit {
		delete(g.Repositories, least)
	}
}

func (r *RepositorySignatures) last() time.Time { return cmp.Or(r.Rejected, r.Good) }

func (s Spool) signatures(source string) string {
	return filepath.Join(s.history(), "signatures-"+Name(source))
}

// Signatures returns the record of a webhook, an empty one when it can't be read.
func (s Spool) Signatures(source string) *Signatures {
	g := new(Signatures)
	if data, err := os.ReadFile(s.signatures(source)); err == nil && json.Unmarshal(data, g) != nil {
		*g = Signatures{}
	}
	for name, r := range g.Repositories {
		if r == nil {
			delete(g.Repositories, name)
		}
	}
	return g
}

// NoteSignatures stores the record of a webhook. It does not sync, because any
// stranger can cause it, and returns no error, because a push must not fail when the
// record can't be stored.
func (s Spool) NoteSignatures(source string, g *Signatures) {
	data, err := json.Marshal(g)
	if err != nil || s.Check() != nil {
		return
	}
	data = append(data, '\n')
	err = disk.ReplaceUnsynced(s.tmp(), s.signatures(source), data)
	if errors.Is(err, fs.ErrNotExist) && s.make() == nil {
		disk.ReplaceUnsynced(s.tmp(), s.signatures(source), data)
	}
}

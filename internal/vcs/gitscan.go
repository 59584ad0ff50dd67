package vcs

import (
	"bytes"
	"context"
	"iter"
	"time"

	"vext/internal/commit"
)

// Heads returns the commits of the branches by their refnames, without contacting a server.
// It implements History.
func (g *gitRepository) Heads(ctx context.Context) (map[string]string, error) { return g.refs(ctx) }

// A Record is a commit as git log prints it. Its bytes are valid until the next is read.
type Record struct{ r *record }

// Hash returns the hash of the commit.
func (r Record) Hash() []byte { return r.r[fieldHash] }

// Parents iterates over the hashes of the parents.
func (r Record) Parents() iter.Seq[[]byte] { return bytes.FieldsSeq(r.r[fieldParents]) }

// Author returns the address of the author.
func (r Record) Author() []byte { return r.r[fieldAuthorEmail] }

// AuthorDate returns the date of the author in strict ISO 8601, as git prints it.
func (r Record) AuthorDate() []byte { return r.r[fieldAuthorDate] }

// Date returns when the commit was made, zero when that is unreadable.
func (r Record) Date() time.Time { return r.r.date() }

// Message returns the commit message.
func (r Record) Message() []byte { return r.r[fieldMessage] }

// Commit returns the whole commit.
func (r Record) Commit(refname string) *commit.Commit { return r.r.commit(refname) }

// Scan implements History by one git log.
func (g *gitRepository) Scan(ctx context.Context, tips, known []string, fn func(Record) error) error {
	if len(tips) == 0 {
		return nil
	}
	var one Record
	return g.log(ctx, revisions(tips, known), "--topo-order", func(r *record) error {
		one.r = r
		return fn(one)
	}, "--ignore-missing")
}

// Commits implements History by one git log.
func (g *gitRepository) Commits(ctx context.Context, hashes []string) (map[string]*commit.Commit, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	all := make(map[string]*commit.Commit, len(hashes))
	err := g.log(ctx, hashes, "--no-walk=unsorted", func(r *record) error {
		c := r.commit("")
		all[c.Revision] = c
		return nil
	}, "--ignore-missing")
	return all, err
}

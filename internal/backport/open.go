package backport

import (
	"context"
	"slices"

	"vext/internal/commit"
)

// Open returns the Looker of a repository, after an Update.
func Open(ctx context.Context, o Options) (Looker, error) {
	g, err := newLooker(o)
	if err != nil {
		return nil, err
	}
	return g, g.Update(ctx)
}

// NoRepository returns a Looker that has no repository to look at: every state is Unknown, but
// for what persons have said.
func NoRepository() Looker { return none{} }

type none struct{}

func (none) Update(context.Context) error { return nil }

func (none) Branches() []string { return nil }

func (none) Find(context.Context, string) (*commit.Commit, error) { return nil, nil }

func (none) Look(_ context.Context, questions []Question, _ bool) ([]Report, error) {
	reports := make([]Report, len(questions))
	for i, q := range questions {
		reports[i] = Report{Revision: q.Revision, Targets: []Target{}, Fixes: []Fix{}}
		for _, name := range q.Targets {
			t := newTarget(name, Unknown)
			t.Why = "no repository to look at"
			t.mark(slices.DeleteFunc(slices.Clone(q.Marks), func(m Mark) bool { return m.Revision != "" && m.Revision != q.Revision }))
			reports[i].Targets = append(reports[i].Targets, t)
		}
	}
	return reports, nil
}

func (none) Asking(context.Context, []string) ([]*commit.Commit, error) { return nil, nil }

func (none) Dangling(context.Context, string) ([]Fix, error) { return nil, nil }

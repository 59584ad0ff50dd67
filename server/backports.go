package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"vext/internal/backport"
	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/convention"
	"vext/internal/disk"
	"vext/internal/hint"
	"vext/internal/history"
	"vext/internal/vcs"
	"vext/internal/weburl"
	"vext/policy"
	"vext/queue"
	"vext/reminder"
	"vext/source/follow"
)

// Backports finds out what has become of commits on the branches that they are to be merged
// to. It implements reminder.Backports, belongs to one goroutine, and opens each repository
// once.
type Backports struct {
	s      *Server
	q      *queue.Queue
	opened map[string]opened
	marks  []history.Event
	read   bool // the marks
}

type opened struct {
	one *Lookable
	err error
}

// Backports returns the repositories of a queue.
func (s *Server) Backports(q *queue.Queue) *Backports {
	return &Backports{s: s, q: q, opened: map[string]opened{}}
}

// A Lookable is a repository that can be looked at.
type Lookable struct {
	backport.Looker
	*convention.Convention
	trailers *commit.Trailers // what asks: the convention, and the keys of the configuration
	Name     string           // of the repository; "" for a clone that has none
	Source   string           // what is looked at, and how new it is
}

// Ask returns what a message asks for, see convention.Convention.
func (l *Lookable) Ask(message string) (convention.Request, bool) {
	r, _ := l.Convention.Ask(message)
	var ok bool
	r.Request, ok = l.trailers.Request(message)
	return r, ok
}

// TargetsOf returns the branches that a commit is to be merged to: those that its message
// names, and those of a request that was made later.
func (l *Lookable) TargetsOf(c *commit.Commit) []string {
	request, _ := l.Ask(c.Message)
	request.Targets = append(request.Targets, c.Asked.To...)
	return l.Targets(request, l.Branches())
}

var errNothingToLookAt = errors.New("vext has no copy of the repository")

// Open returns the repository of a name.
func (b *Backports) Open(ctx context.Context, name string) (*Lookable, error) {
	name = b.q.Policy.Repository(name)
	o, has := b.opened[name]
	if !has {
		o.one, o.err = b.open(ctx, name)
		b.opened[name] = o
	}
	return o.one, o.err
}

func (b *Backports) open(ctx context.Context, name string) (*Lookable, error) {
	own, err := convention.Of(b.s.Config, name)
	if err != nil {
		return nil, err
	}
	o, source, err := b.place(ctx, name)
	if err != nil {
		return nil, err
	}
	trailers, err := b.q.Policy.TrailersOf(name)
	if err != nil {
		return nil, err
	}
	o.AsksID = fmt.Sprintf("%s %q", own.AsksID(), b.s.Config.Reminders.Trailers)
	one, err := open(ctx, own, trailers, o, b.q.Policy.BranchesOf(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	one.Name, one.Source = name, source
	return one, nil
}

// open opens a repository; branches are the patterns of its development branches.
func open(ctx context.Context, own *convention.Convention, trailers *commit.Trailers, o backport.Options, branches []string) (*Lookable, error) {
	o.IsDevelopment = func(refname string) bool { return policy.MatchBranch(branches, refname) }
	o.Rules, o.Asks = own.Rules(), trailers.Ask
	looker, err := backport.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Lookable{Looker: looker, Convention: own, trailers: trailers}, nil
}

// OpenLookable opens a clone at a path, which needs no configuration.
func OpenLookable(ctx context.Context, path, conventionName string) (*Lookable, error) {
	own, err := convention.Load(conventionName)
	if err != nil {
		return nil, err
	}
	o, err := cloneAt(ctx, path)
	if err != nil {
		return nil, err
	}
	branches := policy.DefaultBranches
	if len(own.Development) > 0 {
		branches = own.Development
	}
	trailers, err := commit.NewTrailers()
	if err == nil {
		trailers, err = own.With(trailers)
	}
	if err != nil {
		return nil, err
	}
	o.AsksID = own.AsksID()
	one, err := open(ctx, own, trailers, o, branches)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	one.Source = path
	return one, nil
}

// Names returns the names of the repositories that can be looked at.
func (b *Backports) Names() []string {
	var names []string
	add := func(name string) {
		if name = b.q.Policy.Repository(name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range b.s.Config.Repositories {
		if r := &b.s.Config.Repositories[i]; r.Git != "" || !r.URL.IsZero() {
			add(r.Name)
		}
	}
	for _, store := range []follow.Store{follow.Followed(b.q.State), follow.Hooked(b.q.State)} {
		states, _ := store.All() // vext check reports those that can't be read
		for _, state := range states {
			add(cmp.Or(state.As, state.Name))
		}
	}
	return names
}

// Choose opens the repository of a name, or, for "", the only one.
func (b *Backports) Choose(ctx context.Context, name string) (*Lookable, error) {
	if name != "" {
		one, err := b.Open(ctx, name)
		if errors.Is(err, errNothingToLookAt) {
			err = hint.Wrap(fmt.Errorf("%s: %w", name, err), lookHint)
		}
		return one, err
	}
	switch names := b.Names(); len(names) {
	case 0:
		return nil, hint.Wrap(errors.New("there is no repository to look at"), lookHint)
	case 1:
		return b.Open(ctx, names[0])
	default:
		return nil, hint.Wrap(errors.New("there are several repositories"), "name one with --repository: "+strings.Join(names, ", "))
	}
}

const lookHint = `follow it (vext follow add URL), or set git = "/path/of/a/clone" in its [[repository]]`

// place returns where a repository is: the clone of the configuration, a user's clone that
// vext remote has, the copy of a followed repository, or one with a hook. Git reads a
// repository while another process fetches to it, so that no lock is needed.
func (b *Backports) place(ctx context.Context, name string) (o backport.Options, source string, err error) {
	for i := range b.s.Config.Repositories {
		if r := &b.s.Config.Repositories[i]; b.q.Policy.Repository(r.Name) == name && r.Git != "" {
			o, err = cloneAt(ctx, r.Git)
			o.Cache = b.cache(name)
			return o, r.Git, err
		}
	}
	followed := follow.Followed(b.q.State)
	state, err := followed.Load(name)
	if err != nil {
		return o, "", err
	}
	fetched := ", fetched " + calendar.Of(state.LastOK, b.q.Zone).Short(b.q.Today()) + state.LastOK.In(b.q.Zone).Format(" 15:04")
	switch {
	case state.LastOK.IsZero():
	case state.Clone != "":
		o, err = cloneAt(ctx, state.Clone)
		o.Cache = b.cache(name)
		return o, state.Clone + fetched, err
	case state.Where != "" && state.Kind != "":
		o = backport.Options{Kind: state.Kind, Dir: followed.Copy(name, state.Kind), URL: b.urlOf(name), Cache: b.cache(name)}
		if o.Dir, err = filepath.Abs(o.Dir); state.Kind == vcs.Svn {
			o.Dir = state.Where
		}
		return o, state.Where + fetched, err
	}
	states, err := follow.Hooked(b.q.State).All()
	for _, state := range states {
		if b.q.Policy.Repository(cmp.Or(HookedRepository(b.s.Config, state).As, state.Name)) == name {
			return backport.Options{Kind: state.Kind, Dir: state.Where, Cache: b.cache(name)}, state.Where, nil
		}
	}
	return o, "", cmp.Or(err, errNothingToLookAt)
}

// urlOf returns the URL of a followed repository, with its password.
func (b *Backports) urlOf(name string) weburl.URL {
	for _, r := range Repositories(b.s.Config) {
		if b.q.Policy.Repository(r.Name) == name {
			return r.URL
		}
	}
	return weburl.URL{}
}

// cache returns the path for what is kept of a repository. A user who may not write there
// does without.
func (b *Backports) cache(name string) string {
	path := follow.Followed(b.q.State).Cache(name)
	if err := disk.MakeDir(filepath.Dir(path)); err != nil {
		return ""
	}
	return path
}

// originPrefix begins the refs for what the branches of a clone's origin are.
const originPrefix = "refs/remotes/origin/"

// cloneAt returns the options for a clone of a person. What its origin has comes before its
// own branches, which may have commits that nobody else has.
func cloneAt(ctx context.Context, path string) (backport.Options, error) {
	place, err := vcs.Locate(ctx, path, "")
	if err != nil {
		return backport.Options{}, err
	}
	o := backport.Options{Kind: place.Kind, Dir: place.Dir}
	if o.Kind == vcs.Git && !place.Bare {
		o.Tracks = func(ref string) (string, bool) { // refs/heads/ is sorted before refs/remotes/
			if name, ok := strings.CutPrefix(ref, originPrefix); ok && name != "HEAD" {
				return "refs/heads/" + name, true
			}
			return ref, strings.HasPrefix(ref, "refs/heads/")
		}
	}
	return o, nil
}

// waits returns the tag that a commit waits for, which does not contain it yet; "" when it
// waits for none, or nobody knows: then only its day counts.
func (l *Lookable) waits(ctx context.Context, c *commit.Commit) string {
	tagged, ok := l.Looker.(backport.Tagged)
	request, _ := l.Ask(c.Message)
	if !ok || request.AfterTag == "" {
		return ""
	}
	tags, hasTags, err := tagged.Tags(ctx, c.Revision)
	if err != nil || !hasTags || convention.Reached(request.AfterTag, tags) {
		return ""
	}
	return "a tag " + request.AfterTag
}

// Look implements reminder.Backports.
func (b *Backports) Look(ctx context.Context, commits []*commit.Commit, apply bool) ([]reminder.Backport, error) {
	all := make([]reminder.Backport, len(commits))
	byRepository := map[*Lookable][]int{}
	var order []*Lookable
	for i, c := range commits {
		one, err := b.Open(ctx, c.Repository)
		if err != nil {
			all[i].Why = err.Error()
			continue
		}
		if len(byRepository[one]) == 0 {
			order = append(order, one)
		}
		byRepository[one] = append(byRepository[one], i)
	}
	for _, one := range order {
		places := byRepository[one]
		questions := make([]backport.Question, len(places))
		for n, i := range places {
			questions[n] = b.Question(one, commits[i].Revision, one.TargetsOf(commits[i]))
		}
		reports, err := one.Look(ctx, questions, apply)
		for n, i := range places {
			if err != nil {
				all[i].Why = err.Error()
				continue
			}
			all[i] = reminder.Backport{Report: reports[n], Source: one.Source, Waits: one.waits(ctx, commits[i])}
		}
	}
	return all, nil
}

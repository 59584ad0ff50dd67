package remote

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"

	"vext/internal/weburl"
)

// A RefChange is a ref of the clone that a fetch has changed. Old or New is "" for none.
type RefChange struct{ Name, Old, New string }

const headsPrefix = "refs/heads/"

// Branch returns the full name of the remote's branch that a ref of the clone follows.
// Where several refspecs make that ref, the one that says most of its name counts.
func (r *Remote) Branch(ref string) (name string, ok bool) {
	said := -1
	for _, s := range r.refspecs() {
		src, isMade := s.src, s.dst == ref
		if s.pattern {
			src, isMade = expand(s.dst, s.src, ref)
		}
		if s.dst == "" || s.negative || !isMade || len(s.dst) <= said {
			continue
		}
		said, name = len(s.dst), src
		if !s.pattern && !strings.HasPrefix(src, "refs/") && src != "HEAD" {
			name = headsPrefix + src // a tag of that name would come first, but is rare
		}
	}
	return name, strings.HasPrefix(name, headsPrefix)
}

// Is reports whether a URL is that of the remote, however it is spelled.
func (r *Remote) Is(u weburl.URL) bool {
	place := u.Place()
	return place == weburl.Parse(r.URL).Place() || place == weburl.Parse(r.written).Place() ||
		u.IsLocal() && place == weburl.Parse("file://"+r.URI).Place()
}

// report calls Options.Fetched. After an error the next look calls it again.
func (s *session) report(ctx context.Context, r *Remote, changes []RefChange) error {
	if s.d.opts.Fetched == nil || ctx.Err() != nil {
		return nil
	}
	err := s.guard(func() error { return s.d.opts.Fetched(ctx, *r, changes) })
	if err != nil {
		s.reported = [sha256.Size]byte{}
	}
	return err
}

// reportStart calls Options.Fetched with what the clone has, unless nothing was fetched yet.
func (s *session) reportStart(ctx context.Context) {
	r := s.remote.Load()
	if s.d.opts.Fetched == nil {
		return
	}
	local, err := s.d.clone.local(ctx, r)
	for name := range local.refs {
		if _, is := r.Branch(name); is && err == nil && !local.symbolic[name] {
			s.report(ctx, r, nil)
			return
		}
	}
}

// reportState calls Options.Fetched where the clone has what is wanted, by another's fetch.
func (s *session) reportState(ctx context.Context, r *Remote, want wanted) error {
	now := want.refs.sum()
	if s.d.opts.Fetched == nil || now == s.reported {
		return nil
	}
	s.reported = now
	return s.report(ctx, r, nil)
}

// watchRefs returns a function that reports which refs have changed since.
func (s *session) watchRefs(ctx context.Context, r *Remote) (report func() error) {
	if s.d.opts.Fetched == nil {
		return func() error { return nil }
	}
	before, err := s.d.clone.local(ctx, r)
	return func() error {
		after, afterErr := s.d.clone.local(ctx, r)
		if err != nil || afterErr != nil {
			return s.report(ctx, r, nil)
		}
		changes := compare(before.refs, after.refs, after.symbolic)
		if len(changes) == 0 {
			return nil
		}
		return s.report(ctx, r, changes)
	}
}

// compare returns how refs differ, sorted by their names, without symbolic ones.
func compare(before, after refs, symbolic map[string]bool) []RefChange {
	var changes []RefChange
	for name, value := range after {
		if before[name] != value && !symbolic[name] {
			changes = append(changes, RefChange{name, before[name], value})
		}
	}
	for name, value := range before {
		if _, is := after[name]; !is {
			changes = append(changes, RefChange{name, value, ""})
		}
	}
	slices.SortFunc(changes, func(a, b RefChange) int { return cmp.Compare(a.Name, b.Name) })
	return changes
}

// A Summary describes the new commits of a branch to a person.
type Summary struct {
	Branch      string // without refs/heads/
	New         bool   // the branch
	Commits     int    // that the branch did not have before; of a new one, that no ref has
	First, Last string // their subjects, the oldest and the newest
}

// Bounds of what is counted.
const (
	maxSummaries = 20
	maxCounted   = 10000 // commits of one branch
)

// Summarize describes changes of branches, but not that they were deleted. A commit on
// several of them counts with the first.
func (d *Daemon) Summarize(ctx context.Context, r Remote, changes []RefChange) ([]Summary, error) {
	var all []Summary
	var counted []string
	for _, c := range changes {
		branch, ok := r.Branch(c.Name)
		if !ok || c.New == "" || len(all) >= maxSummaries {
			continue
		}
		args := append([]string{"log", "-z", "--no-color", "--no-show-signature", "--no-patch", "--format=%s", "--max-count=" + strconv.Itoa(maxCounted), c.New}, counted...)
		if c.Old != "" {
			args = append(args, "^"+c.Old)
		} else {
			args = append(args, "--not", "--exclude="+c.Name, "--all")
		}
		out, err := d.clone.git(ctx, nil, append(args, "--")...)
		if err != nil {
			return all, err
		}
		counted = append(counted, "^"+c.New)
		one := Summary{Branch: strings.TrimPrefix(branch, headsPrefix), New: c.Old == ""}
		if subjects := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"); out != "" {
			one.Commits, one.Last, one.First = len(subjects), subjects[0], subjects[len(subjects)-1]
		}
		all = append(all, one)
	}
	return all, nil
}

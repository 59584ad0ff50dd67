package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"vext/internal/backoff"
	"vext/internal/commit"
	"vext/internal/program"
)

// maxFetches bounds the fetches for one SYNCING, should the remote change all the time.
const maxFetches = 3

// sync compares the refs of the remote with those of the clone, and fetches what is new.
func (s *session) sync(ctx context.Context, t transport) error {
	r := s.remote.Load()
	want, missing, err := s.compare(ctx, t, r)
	if err != nil {
		return err
	}
	if len(missing) == 0 || !r.Pull || s.isStuck(want) {
		return s.reportState(ctx, r, want)
	}
	release, err := s.d.turn(ctx)
	if err != nil {
		return err
	}
	defer release()
	report := s.watchRefs(ctx, r)
	err = s.fetch(ctx, t, r, want)
	release()
	return errors.Join(err, report())
}

// compare lists the refs of the remote, and those of the clone at the same time. It returns
// what is wanted, and what of that is missing.
func (s *session) compare(ctx context.Context, t transport, r *Remote) (want wanted, missing []string, err error) {
	var ours localRefs
	read := make(chan error, 1)
	go func() {
		read <- s.guard(func() (err error) {
			ours, err = s.d.clone.local(ctx, r)
			return err
		})
	}()
	theirs, err := s.list(ctx, t, r)
	if err := errors.Join(err, <-read); err != nil {
		return wanted{}, nil, err
	}
	want = r.want(theirs)
	missing, err = s.d.clone.missingFrom(ctx, r, want, ours)
	if err == nil && len(theirs) == 0 && len(missing) > 0 && isHTTP(r.URL) {
		err = errEmptied
	}
	return want, missing, err
}

// errEmptied keeps git from pruning everything. An empty page is a repository without refs
// for git, and whoever stands between, such as the login page of a network, may serve one.
var errEmptied = errors.New("it lists no refs at all any more, so nothing is pruned; git fetch --prune does it if that is right")

func isHTTP(url string) bool {
	return strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://")
}

// turn waits until nothing else fetches into the clone, or pushes: two would find locks of
// each other. What takes long, or stalls, is not waited for.
func (d *Daemon) turn(ctx context.Context) (release func(), err error) {
	select {
	case d.fetching <- struct{}{}:
		return sync.OnceFunc(func() { <-d.fetching }), nil
	case <-time.After(d.pace.turn):
		return func() {}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fetch fetches until the clone has what is wanted. The caller has the clone's turn.
func (s *session) fetch(ctx context.Context, t transport, r *Remote, want wanted) (err error) {
	isDone, now := false, s.d.opts.Now()
	s.set(func(st *RemoteStatus) { st.Changed = now })
	defer s.syncing(&isDone)()
	for range maxFetches {
		err := s.gitFetch(ctx, t, r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		missing, missErr := s.d.clone.missing(ctx, r, want)
		switch {
		case missErr != nil:
			return missErr
		case len(missing) == 0:
			isDone = true
			return nil
		case err != nil && !isRefused(err):
			return err
		}
		theirs, listErr := s.list(ctx, t, r)
		if listErr != nil {
			return listErr
		}
		before := want
		want = r.want(theirs)
		if missing, missErr = s.d.clone.missing(ctx, r, want); missErr != nil {
			return missErr
		}
		switch {
		case len(missing) == 0:
			isDone = true
			return nil
		case maps.Equal(before.state(), want.state()):
			s.setStuck(want)
			s.reportStuck(missing, err)
			return nil
		}
	}
	return errors.New("the remote changes faster than it can be fetched")
}

// syncing emits SYNCING, and returns a function that emits DONESYNCING.
func (s *session) syncing(ok *bool) (done func()) {
	s.set(func(st *RemoteStatus) { st.State = stateSyncing })
	s.emit(Event{Kind: Syncing})
	return func() {
		now := s.d.opts.Now()
		s.set(func(st *RemoteStatus) {
			st.State = stateConnected
			if *ok {
				st.Fetched, st.Error = now, ""
			}
		})
		s.emit(Event{Kind: Done, OK: *ok})
	}
}

// list returns the refs of the remote.
func (s *session) list(ctx context.Context, t transport, r *Remote) (refs, error) {
	if l, ok := t.(lister); ok {
		return l.list(ctx, r.remotePrefixes())
	}
	return s.lsRemote(ctx, t, r)
}

// lsRemote lists the refs of a remote with git.
func (s *session) lsRemote(ctx context.Context, t transport, r *Remote) (refs, error) {
	env, done := environ(ctx, t)
	defer done()
	return s.d.lsRemote(ctx, r, env)
}

// environ returns the variables that a transport adds to those of a git command.
func environ(ctx context.Context, t transport) (env []string, done func()) {
	if e, ok := t.(environer); ok {
		return e.environ(ctx)
	}
	return nil, func() {}
}

// lsRemote lists the refs of a remote with git ls-remote, only branches and tags where
// these are enough.
func (d *Daemon) lsRemote(ctx context.Context, r *Remote, env []string) (refs, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.pace.list, fmt.Errorf("git ls-remote: no answer within %s", d.pace.list))
	defer cancel()
	args := append([]string{"ls-remote"}, lsRemoteFlags(r.remotePrefixes())...)
	out, err := d.clone.run(ctx, gitRun{args: append(args, "--", r.Name), env: env})
	if err != nil {
		return nil, err
	}
	return parseRefs(out, "\t"), nil
}

// lsRemoteFlags returns the flags that have git ask for fewer refs. A pattern would not:
// git filters with it what the server has sent.
func lsRemoteFlags(prefixes []string) []string {
	heads, tags := false, false
	for _, p := range prefixes {
		switch {
		case strings.HasPrefix(p, "refs/heads/"):
			heads = true
		case strings.HasPrefix(p, "refs/tags/"):
			tags = true
		default:
			return nil
		}
	}
	var flags []string
	if heads {
		flags = append(flags, "--heads")
	}
	if tags {
		flags = append(flags, "--tags")
	}
	return flags
}

// parseRefs parses lines with a value and a name.
func parseRefs(out, separator string) refs {
	all := make(refs, strings.Count(out, "\n"))
	for line := range strings.Lines(out) {
		value, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), separator)
		if ok && commit.IsHash(value) {
			all[name] = value
		}
	}
	return all
}

// localRefs are the refs of the clone that the refspecs of a remote make, and which of them
// are symbolic.
type localRefs struct {
	refs
	symbolic map[string]bool
}

func (c *clone) local(ctx context.Context, r *Remote) (localRefs, error) {
	all := localRefs{refs{}, map[string]bool{}}
	prefixes := r.localPrefixes()
	if len(prefixes) == 0 {
		return all, nil
	}
	args := []string{"for-each-ref", "--format=%(objectname) %(refname) %(symref)"}
	if prefixes[0] != "" {
		args = append(args, prefixes...)
	}
	out, err := c.git(ctx, nil, args...)
	if err != nil {
		return all, err
	}
	for entry, value := range parseRefs(out, " ") {
		name, target, _ := strings.Cut(entry, " ")
		all.refs[name] = value
		if target != "" {
			all.symbolic[name] = true
		}
	}
	return all, nil
}

// missing returns the names of the clone's refs that a fetch would change.
func (c *clone) missing(ctx context.Context, r *Remote, w wanted) ([]string, error) {
	ours, err := c.local(ctx, r)
	if err != nil {
		return nil, err
	}
	return c.missingFrom(ctx, r, w, ours)
}

// missingFrom is missing, with refs that were read before.
func (c *clone) missingFrom(ctx context.Context, r *Remote, w wanted, ours localRefs) ([]string, error) {
	names := r.differing(w, ours.refs, ours.symbolic)
	tags := w.newTags(ours.refs)
	if len(tags) == 0 {
		return names, nil
	}
	var objects strings.Builder
	for _, name := range tags {
		objects.WriteString(w.peels[name] + "\n")
	}
	present, err := c.present(ctx, objects.String())
	for _, name := range tags {
		if present[w.peels[name]] || present[w.tags[name]] {
			names = append(names, name)
		}
	}
	return names, err
}

// present returns which objects are in the clone. A partial clone must not fetch them
// for that: its git ends with an error then, and they count as absent.
func (c *clone) present(ctx context.Context, objects string) (map[string]bool, error) {
	out, err := c.run(ctx, gitRun{args: []string{"cat-file", "--batch-check"}, env: []string{"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none"}, stdin: strings.NewReader(objects)})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	all := map[string]bool{}
	if err != nil {
		return all, nil
	}
	for line := range strings.Lines(out) {
		if object, rest, _ := strings.Cut(line, " "); !strings.HasPrefix(rest, "missing") {
			all[object] = true
		}
	}
	return all, nil
}

// gitFetch runs git fetch, and again when another git process had a lock.
func (s *session) gitFetch(ctx context.Context, t transport, r *Remote) error {
	err := s.gitFetchOnce(ctx, t, r)
	if !isLocked(err) {
		return err
	}
	if err := backoff.Sleep(ctx, s.d.pace.lock); err != nil {
		return err
	}
	return s.gitFetchOnce(ctx, t, r)
}

// gitFetchOnce runs git fetch with the refspecs, tags and pruning of the configuration.
// It leaves FETCH_HEAD, which is the user's, and starts no maintenance.
func (s *session) gitFetchOnce(ctx context.Context, t transport, r *Remote) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(s.d.pace.idle, func() {
		cancel(fmt.Errorf("git fetch: no progress for %s", s.d.pace.idle))
	})
	defer idle.Stop()
	env, done := environ(ctx, t)
	defer done()
	_, err := s.d.clone.run(ctx, gitRun{
		args: []string{"-c", "maintenance.auto=0", "-c", "gc.auto=0", "fetch", "--no-auto-gc", "--no-write-fetch-head",
			"--no-recurse-submodules", "--progress", "--", r.Name},
		env:    env,
		stderr: &progress{out: s.d.clone.chatter, hide: r.hide, seen: func() { idle.Reset(s.d.pace.idle) }},
	})
	return err
}

// isLocked reports whether another git process had a lock, or has changed a ref at the
// same time.
func isLocked(err error) bool {
	var failure *program.Error
	return errors.As(err, &failure) && failure.Says(".lock': File exists", "but expected", "reference already exists")
}

// isRefused reports whether git can't update a ref, however often it tries.
func isRefused(err error) bool {
	var failure *program.Error
	return errors.As(err, &failure) && !isLocked(err) && failure.Says(
		"[rejected]", "would clobber existing tag", "refusing to fetch into", "; cannot create", "at the same time",
		"couldn't find remote ref", "Cannot fetch both", "tracks both", "gnoring funny ref")
}

// isBusy reports whether a server asks for fewer requests, or has failed inside.
func isBusy(err error) bool {
	var failure *program.Error
	return errors.As(err, &failure) && failure.Says("returned error: 429", "returned error: 5")
}

// isStuck reports whether a fetch of the same refs has not updated all of them.
func (s *session) isStuck(w wanted) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stuck != nil && maps.Equal(s.stuck, w.state())
}

func (s *session) setStuck(w wanted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck = w.state()
}

// reportStuck says which refs a fetch has not updated.
func (s *session) reportStuck(missing []string, err error) {
	const shown = 3
	names := strings.Join(missing[:min(shown, len(missing))], ", ")
	if more := len(missing) - shown; more > 0 {
		names = fmt.Sprintf("%s and %d more", names, more)
	}
	words := "git fetch has left " + names + " as it was"
	if err != nil {
		words += ": " + err.Error()
	}
	s.failed(errors.New(words), true)
}

package remote

import (
	"context"
	"errors"
	"slices"
	"strings"
	"vext/internal/program"
)

// push pushes the refs that were offered and that the remote wants. Nothing is forced,
// and nothing is deleted.
func (s *session) push(ctx context.Context, t transport) (err error) {
	r := s.remote.Load()
	names := s.takeOffered()
	specs := r.pushes(names)
	if len(specs) == 0 {
		return nil
	}
	if specs, err = s.notPushed(ctx, t, r, specs); err == nil && len(specs) > 0 {
		err = s.gitPush(ctx, t, r, specs)
	}
	if err != nil && !isRejected(err) {
		s.keepOffered(names) // for the retry
	}
	if isRejected(err) {
		s.failed(err, true)
		return nil
	}
	return err
}

func (s *session) takeOffered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.offered
	s.offered = nil
	return names
}

// A pushSpec is one ref to push.
type pushSpec struct{ src, dst string }

// pushes returns what the refspecs for CHANGED make of the names of refs.
func (r *Remote) pushes(names []string) []pushSpec {
	var all []pushSpec
	for _, name := range names {
		if !strings.HasPrefix(name, "refs/") {
			name = "refs/heads/" + name
		}
		for _, spec := range r.Push {
			src, dst, hasDst := strings.Cut(strings.TrimPrefix(spec, "+"), ":")
			if !hasDst {
				dst = src
			}
			if src == "" || dst == "" || strings.HasPrefix(src, "^") {
				continue
			}
			src, dst = fullName(src), fullName(dst)
			to, ok := dst, src == name
			if strings.Contains(src, "*") {
				to, ok = expand(src, dst, name)
			}
			if p := (pushSpec{name, to}); ok && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// notPushed returns those that the clone has, and the remote has not, or with another
// value.
func (s *session) notPushed(ctx context.Context, t transport, r *Remote, specs []pushSpec) ([]pushSpec, error) {
	args := []string{"for-each-ref", "--format=%(objectname) %(refname)"}
	for _, p := range specs {
		args = append(args, p.src)
	}
	out, err := s.d.clone.git(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	ours := parseRefs(out, " ")
	if r.away { // what the remote has is unknown
		return slices.DeleteFunc(specs, func(p pushSpec) bool { return ours[p.src] == "" }), nil
	}
	all := Remote{Name: r.Name, Fetch: []string{"refs/*:refs/*"}, tags: noTags}
	theirs, err := s.lsRemote(ctx, t, &all)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(specs, func(p pushSpec) bool {
		return ours[p.src] == "" || ours[p.src] == theirs[p.dst]
	}), nil
}

func (s *session) gitPush(ctx context.Context, t transport, r *Remote, specs []pushSpec) error {
	release, err := s.d.turn(ctx) // a push changes the remote-tracking refs, too
	if err != nil {
		return err
	}
	defer release()
	isDone := false
	defer s.syncing(&isDone)()
	args := []string{"push", "--no-force", "--no-progress", "--", r.Name}
	if !strings.Contains(r.Name, "=") { // git pushes to a mirror everything or nothing, and by force
		args = append([]string{"-c", "remote." + r.Name + ".mirror=false"}, args...)
	}
	for _, p := range specs {
		args = append(args, p.src+":"+p.dst)
	}
	env, done := environ(ctx, t)
	defer done()
	stderr := &progress{out: s.d.clone.chatter, hide: r.hide, seen: func() {}}
	_, err = s.d.clone.run(ctx, gitRun{args: args, env: env, stderr: stderr})
	isDone = err == nil
	return err
}

// isRejected reports whether the remote does not take what was pushed, however often it
// is tried.
func isRejected(err error) bool {
	var failure *program.Error
	return errors.As(err, &failure) && failure.Command == "push" && failure.Says("[rejected]", "[remote rejected]", "pre-push", "failed to push some refs")
}

package remote

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"vext/internal/backoff"
)

const (
	maxNames   = 100                   // in a line CHANGED
	servePause = 20 * time.Millisecond // between two looks at the refs
	serveRetry = time.Second
	serveGrace = time.Second // for a line that nobody reads
)

// ServeChanges is the far side of the transport over ssh. It prints READY, then lines of
// CHANGED with the names of the refs that were created, changed or deleted in the
// repository at dir. After READY it returns nil when ctx ends or in does. warn gets the
// reason why changes are reported late.
func ServeChanges(ctx context.Context, dir string, in io.Reader, out io.Writer, warn func(string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	at, err := findGitDir(ctx, dir)
	if err != nil {
		return err
	}
	s := &changeServer{at: at, out: out, warn: warn,
		watched: make(chan struct{}), looks: make(chan struct{}, 1), ready: make(chan struct{})}
	go func() { // ends with in, which is the process's
		select {
		case <-s.ready:
			io.Copy(io.Discard, in)
			cancel()
		case <-ctx.Done():
		}
	}()
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(serveGrace):
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// A changeServer compares the refs before and after each event.
type changeServer struct {
	at      gitDir
	out     io.Writer
	warn    func(string)
	watched chan struct{} // is closed when events arrive
	looks   chan struct{} // has one when the refs may have changed
	ready   chan struct{} // is closed when READY is printed
}

func (s *changeServer) serve(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	watch := &refWatch{dir: s.at, warn: s.warn}
	group.Go(func() error {
		return watch.run(ctx, func() { close(s.watched) }, func() { signal(s.looks) })
	})
	group.Go(func() error { return s.report(ctx) })
	return group.Wait()
}

// report prints what has changed at each look. The watch begins before the first snapshot,
// and that is taken before READY, so that nothing changes unseen.
func (s *changeServer) report(ctx context.Context) error {
	select {
	case <-s.watched:
	case <-ctx.Done():
		return ctx.Err()
	}
	before, err := s.at.snapshot(ctx)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(s.out, "READY\n"); err != nil {
		return err
	}
	close(s.ready)
	for {
		select {
		case <-s.looks:
		case <-ctx.Done():
			return ctx.Err()
		}
		after, err := s.snapshot(ctx)
		if err != nil {
			return err
		}
		for names := range slices.Chunk(changedRefs(before, after), maxNames) {
			if _, err := io.WriteString(s.out, "CHANGED "+strings.Join(names, " ")+"\n"); err != nil {
				return err
			}
		}
		before = after
		if err := backoff.Sleep(ctx, servePause); err != nil {
			return err
		}
	}
}

// snapshot tries twice, because somebody may be at work in the repository.
func (s *changeServer) snapshot(ctx context.Context) ([]byte, error) {
	refs, err := s.at.snapshot(ctx)
	if err == nil {
		return refs, nil
	}
	if err := backoff.Sleep(ctx, serveRetry); err != nil {
		return nil, err
	}
	return s.at.snapshot(ctx)
}

// changedRefs returns the names of the refs that are not the same in two snapshots.
func changedRefs(before, after []byte) (names []string) {
	for len(before) > 0 || len(after) > 0 {
		oldLine, oldRest := cutLine(before)
		newLine, newRest := cutLine(after)
		oldName, newName := nameOfRef(oldLine), nameOfRef(newLine)
		order := bytes.Compare(oldName, newName)
		switch {
		case len(after) == 0 || len(before) > 0 && order < 0: // deleted
			names = append(names, string(oldName))
			before = oldRest
		case len(before) == 0 || order > 0: // created
			names = append(names, string(newName))
			after = newRest
		default:
			if !bytes.Equal(oldLine, newLine) {
				names = append(names, string(newName))
			}
			before, after = oldRest, newRest
		}
	}
	return names
}

func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return line, rest
}

func nameOfRef(line []byte) []byte {
	name, _, _ := bytes.Cut(line, []byte(" "))
	return name
}

package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vext/internal/backoff"
	"vext/internal/text"
)

// An sshTransport has the far side report changes: by git-annex-shell notifychanges where
// git-annex has set up the repository, else by vext remote serve-changes. The protocol is
// the same: READY, then a line CHANGED after each change.
//
// Both are tried over one master, so it costs no connection that git-annex comes first.
// git-annex reports no deletion, nothing of reftable, and only some of many refs, so with it
// there are more looks than reports.
type sshTransport struct {
	masters *sshMasters
	remote  *Remote
	git     func(ctx context.Context, args ...string) (string, error)
	warn    func(text string)
	far     atomic.Pointer[reporter] // which reports; nil before READY

	mu   sync.Mutex
	link *sshLink // nil before it is needed
}

// newSSH returns the transport for changes that a remote reports over ssh.
func (d *Daemon) newSSH(r *Remote) *sshTransport {
	return &sshTransport{
		masters: d.ssh, remote: r,
		git:  func(ctx context.Context, args ...string) (string, error) { return d.clone.git(ctx, nil, args...) },
		warn: func(text string) { d.warn("%s: %s", r.Name, r.hide(text)) },
	}
}

// reach finds out, once, how git reaches the remote.
func (t *sshTransport) reach(ctx context.Context) (*sshLink, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	if t.link == nil {
		t.link, err = t.masters.openSSH(ctx, t.git, t.remote)
	}
	return t.link, err
}

// list lists the refs with our own ls-refs.
func (t *sshTransport) list(ctx context.Context, prefixes []string) (refs, error) {
	link, err := t.reach(ctx)
	if err != nil {
		return nil, err
	}
	return link.list(ctx, prefixes)
}

// environ has git use the connection that there is.
func (t *sshTransport) environ(ctx context.Context) (env []string, done func()) {
	link, err := t.reach(ctx)
	if err != nil { // git says it
		return nil, func() {}
	}
	return link.environ(ctx)
}

// A reporter is a program of the far side that reports changes.
type reporter struct {
	name      string
	command   func(path string) string
	isPartial bool // it does not report every change
}

var reporters = []*reporter{
	{"git-annex", func(path string) string { return "git-annex-shell notifychanges " + quote(path) }, true},
	{"vext", func(path string) string { return "vext remote serve-changes " + quote(path) }, false},
}

func (t *sshTransport) String() string {
	if far := t.far.Load(); far != nil {
		return "ssh, " + far.name
	}
	return "ssh"
}

// watch tries the programs in turn. When none can be used it reads the refs: a repository that
// is not there is an error, and not unsupported.
func (t *sshTransport) watch(ctx context.Context, ready, changed func()) error {
	link, err := t.reach(ctx)
	if err != nil {
		return err
	}
	var reasons []string
	for _, far := range reporters {
		err := t.session(ctx, link, far, ready, changed)
		if !isUnsupported(err) {
			return err
		}
		reasons = append(reasons, err.Error())
	}
	if _, err := link.list(ctx, []string{"HEAD"}); err != nil {
		return err
	}
	return &unsupportedError{link.host + " cannot report changes (" + strings.Join(reasons, "; ") + ")"}
}

// session runs one program of the far side until it ends.
func (t *sshTransport) session(ctx context.Context, link *sshLink, far *reporter, ready, changed func()) (err error) {
	master, err := t.masters.acquire(ctx, link)
	if err != nil {
		return err
	}
	defer func() { t.masters.release(master, err != nil && !isUnsupported(err) && ctx.Err() == nil) }()
	p, err := link.start(master, far.command(link.path))
	if err != nil {
		return err
	}
	defer p.end()
	defer context.AfterFunc(ctx, p.kill)()
	defer p.drained()()
	tooLate := time.AfterFunc(t.masters.times.ready, p.kill)
	defer tooLate.Stop()
	lines := bufio.NewReaderSize(&slowReader{ctx: ctx, r: p.stdout}, maxWord)
	isReady := t.awaitReady(lines, link.host, far)
	isTooLate := !tooLate.Stop()
	if isReady && !isTooLate {
		t.report(lines, far, ready, changed)
	}
	isMute := !p.exits(inheritDelay)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case isMute && !isReady && !isTooLate:
		return &unsupportedError{far.name + ": it has closed its output"}
	case isTooLate:
		return &unsupportedError{fmt.Sprintf("%s: no READY within %s", far.name, t.masters.times.ready)}
	case !isReady && p.status() != sshFailed && p.status() >= 0:
		return &unsupportedError{far.name + ": " + excuse(p)}
	}
	return link.explain(p, master)
}

// excuse returns why a program of the far side has not begun.
func excuse(p *process) string {
	const notFound = 127 // of a shell
	if p.status() == notFound {
		return "not installed"
	}
	return lastLine(p.stderr.String(), "it has ended at once")
}

// awaitReady reads up to READY. What comes before is what the far side's shell prints.
func (t *sshTransport) awaitReady(lines *bufio.Reader, host string, far *reporter) bool {
	for skipped := false; ; skipped = true {
		word, line, err := readWord(lines)
		switch {
		case err != nil:
			return false
		case word == "READY":
			return true
		case !skipped:
			if _, isKnown := t.masters.printing.LoadOrStore(host, true); !isKnown {
				t.warn(fmt.Sprintf("the shell of %s prints %q before %s answers; such lines are skipped", host, text.Shorten(text.OneLine(line), 80), far.name))
			}
		}
	}
}

// report calls ready, and then changed for each line CHANGED. What such a line contains is
// ignored: the caller compares all refs.
func (t *sshTransport) report(lines *bufio.Reader, far *reporter, ready, changed func()) {
	t.far.Store(far)
	defer t.far.Store(nil)
	ready()
	seen, look := changed, t.masters.times.lookFull
	if far.isPartial {
		look = t.masters.times.look
	}
	later := startLater(look, t.masters.times.recheck, changed)
	defer later.stop()
	if far.isPartial {
		seen = func() { changed(); signal(later.changes) }
	}
	for {
		switch word, _, err := readWord(lines); {
		case err != nil:
			return
		case word == "CHANGED":
			seen()
		}
	}
}

// A slowReader takes no more than a far side says that reports changes, should it say
// something without end.
type slowReader struct {
	ctx  context.Context
	r    io.Reader
	read int // since the last pause
}

const (
	slowBytes = 16 << 10
	slowPause = 50 * time.Millisecond
)

func (s *slowReader) Read(p []byte) (int, error) {
	if s.read >= slowBytes {
		s.read = 0
		if err := backoff.Sleep(s.ctx, slowPause); err != nil {
			return 0, err
		}
	}
	n, err := s.r.Read(p)
	s.read += n
	return n, err
}

// maxWord bounds what is kept of a line.
const maxWord = 512

// readWord reads a line, and returns its first word and its beginning.
func readWord(lines *bufio.Reader) (word, line string, err error) {
	b, err := lines.ReadSlice('\n')
	line = strings.TrimSpace(string(b))
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = lines.ReadSlice('\n')
	}
	word, _, _ = strings.Cut(line, " ")
	return word, line, err
}

// A later looks once more a while after each change, when a push that was reported in part is
// complete, and from time to time.
type later struct {
	changes     chan struct{}
	done, ended chan struct{}
}

func startLater(every, recheck time.Duration, look func()) *later {
	l := &later{make(chan struct{}, 1), make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(l.ended)
		timer := time.NewTimer(every)
		defer timer.Stop()
		for {
			select {
			case <-l.changes:
				timer.Reset(recheck)
			case <-timer.C:
				look()
				timer.Reset(every)
			case <-l.done:
				return
			}
		}
	}()
	return l
}

func (l *later) stop() { close(l.done); <-l.ended }

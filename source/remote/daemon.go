package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vext/internal/wake"
)

// Options are what a Daemon needs.
type Options struct {
	Dir     string      // in the clone
	Emit    func(Event) // called for one event at a time
	Log     *slog.Logger
	Chatter io.Writer // gets what git and ssh print
	Now     func() time.Time
	// Fetched is called for each remote of which the clone has branches, before it is
	// connected, without changes; and when its refs in the clone have changed: with the
	// changes of a fetch, without any where another process has fetched. After an error it
	// is called again. It may be nil.
	Fetched func(context.Context, Remote, []RefChange) error
	Ready   func() // if not nil, called once when the remotes are known
}

// A Daemon watches the remotes of one clone. One goroutine, that of Run, starts and ends
// the sessions and handles the commands.
type Daemon struct {
	opts     Options
	clone    *clone
	pace     pace
	ssh      *sshMasters
	random   func() float64
	choose   func(*Remote) []transport
	commands chan controlLine
	ended    chan struct{}
	fetching chan struct{} // has room for one: one fetch at a time in a clone
	emitting sync.Mutex
	readers  *readers    // get the events, too; guarded by emitting, nil for none
	broken   atomic.Bool // the configuration: every git command fails

	mu       sync.Mutex
	sessions map[string]*session // by the name of the remote
	paused   bool
	warnings []string // about the configuration; never changed, only replaced
}

// Causes for which the context of a session ends.
var (
	errStopped = errors.New("stopped")
	errPaused  = errors.New("paused")
	errRemoved = errors.New("the remote is not watched any more")
)

// Open finds the clone.
func Open(ctx context.Context, opts Options) (*Daemon, error) {
	c, err := openClone(ctx, opts.Dir, opts.Chatter)
	if err != nil {
		return nil, err
	}
	d := &Daemon{
		opts: opts, clone: c, pace: defaultPace, ssh: newSSHMasters(defaultSSHTimes), random: rand.Float64,
		commands: make(chan controlLine), ended: make(chan struct{}), fetching: make(chan struct{}, 1),
		sessions: map[string]*session{},
	}
	d.choose = d.transportsFor
	return d, nil
}

// CommonDir returns the git directory that the worktrees of the clone share.
func (d *Daemon) CommonDir() string { return d.clone.commonDir }

// A controlLine is a line of the control protocol on its way to the goroutine of Run.
type controlLine struct {
	text    string
	handled chan struct{} // is closed then
}

// Command handles a line of the control protocol, without its end. It returns when that is
// done, so that after PAUSE nothing is connected, or when the daemon has ended.
func (d *Daemon) Command(line string) {
	c := controlLine{line, make(chan struct{})}
	select {
	case d.commands <- c:
		<-c.handled
	case <-d.ended:
	}
}

// Look has the sessions of the remotes for which match is true look for new commits.
func (d *Daemon) Look(match func(*Remote) bool) {
	for _, s := range d.all() {
		if match(s.remote.Load()) {
			s.kick()
		}
	}
}

// Status returns the state of each remote, sorted by their names.
func (d *Daemon) Status() []RemoteStatus {
	var all []RemoteStatus
	for _, s := range d.all() {
		all = append(all, s.snapshot())
	}
	return all
}

// configWarnings returns what is wrong with the configuration that is in force.
func (d *Daemon) configWarnings() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.warnings
}

func (d *Daemon) all() []*session {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []*session
	for _, name := range slices.Sorted(maps.Keys(d.sessions)) {
		all = append(all, d.sessions[name])
	}
	return all
}

// Run watches the remotes until STOP, or until ctx ends. All processes that it has
// started have ended when it returns.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer close(d.ended)
	defer d.ssh.close()
	defer d.stopAll(errStopped)
	defer cancel(errStopped)
	if err := d.reload(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	if d.opts.Ready != nil {
		d.opts.Ready()
	}
	check := d.newCheck(ctx)
	timer := time.NewTicker(d.pace.check)
	defer timer.Stop()
	for {
		select {
		case line := <-d.commands:
			stop := d.handle(ctx, line.text)
			close(line.handled)
			if stop {
				return nil
			}
		case <-timer.C:
			check(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// newCheck returns a function that looks whether the machine was suspended, has come to a
// new network, or its configuration has changed.
func (d *Daemon) newCheck(ctx context.Context) func(context.Context) {
	config, clock, network := newConfigWatch(d.clone), wake.NewClock(d.opts.Now), wake.Addresses()
	config.changed(ctx)
	clock.Jumped()
	return func(ctx context.Context) {
		if clock.Jumped() {
			d.opts.Log.Info("the machine was suspended; connecting again")
			d.reconnect(ctx)
		}
		if now := wake.Addresses(); now != network {
			network = now
			for _, s := range d.all() {
				signal(s.wakes)
			}
		}
		if config.changed(ctx) {
			d.reloadOrWarn(ctx)
		}
	}
}

// handle handles a line of the protocol, and reports whether it was STOP.
func (d *Daemon) handle(ctx context.Context, line string) (stop bool) {
	word, refs, err := parseCommand(line)
	if err != nil {
		d.warn("%v", err)
		return false
	}
	d.opts.Log.Debug("command", "line", word)
	switch word {
	case stopCommand:
		return true
	case pauseCommand, lostNetCommand:
		d.setPaused(true)
		d.pauseAll(word == lostNetCommand)
	case resumeCommand:
		d.setPaused(false)
		for _, s := range d.all() {
			s.forget()
			s.start(ctx)
			s.wake()
		}
	case reloadCommand:
		d.reloadOrWarn(ctx)
		for _, s := range d.all() {
			s.upgrade()
			s.forget()
			s.wake()
		}
	case changedCommand:
		for _, s := range d.all() {
			s.offer(refs)
		}
	}
	return false
}

// setPaused is only called by the goroutine of Run.
func (d *Daemon) setPaused(paused bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paused = paused
}

// stopAll ends the sessions and waits for them.
func (d *Daemon) stopAll(cause error) {
	all := d.all()
	for _, s := range all {
		s.cancel(cause)
	}
	for _, s := range all {
		s.wait()
	}
}

// pauseAll ends the sessions. When the network is lost, nothing that it has is waited for.
func (d *Daemon) pauseAll(isLost bool) {
	if isLost {
		d.ssh.lostNet()
	}
	d.stopAll(errPaused)
	d.ssh.rest()
}

// reconnect has every session connect again at once.
func (d *Daemon) reconnect(ctx context.Context) {
	if d.paused {
		return
	}
	d.pauseAll(true)
	for _, s := range d.all() {
		s.start(ctx)
	}
}

func (d *Daemon) reloadOrWarn(ctx context.Context) {
	err := d.reload(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.broken.Store(true)
		text := oneLine(fmt.Sprintf("the configuration stays as it was: %v", err))
		d.mu.Lock()
		if !slices.Contains(d.warnings, text) {
			d.warnings = append(slices.Clone(d.warnings), text)
		}
		d.mu.Unlock()
		d.warn("%s", text)
	case d.broken.Swap(false):
		for _, s := range d.all() {
			s.wake()
		}
	}
}

// reload reads the remotes from the configuration, and starts, changes or ends their
// sessions. After an error everything stays as it was.
func (d *Daemon) reload(ctx context.Context) error {
	remotes, skipped, err := d.clone.remotes(ctx)
	if err != nil {
		return err
	}
	byName := map[string]*Remote{}
	for _, r := range remotes {
		byName[r.Name] = r
	}
	for _, s := range d.all() {
		name := s.remote.Load().Name
		if skipped[name].broken {
			continue
		}
		if r := byName[name]; r == nil || r.URL != s.remote.Load().URL || r.URI != s.remote.Load().URI {
			s.cancel(errRemoved)
			s.wait()
			d.mu.Lock()
			delete(d.sessions, name)
			d.mu.Unlock()
		}
	}
	d.reportSkipped(skipped)
	for _, r := range remotes {
		d.mu.Lock()
		s := d.sessions[r.Name]
		if s == nil {
			s = newSession(d, r)
			d.sessions[r.Name] = s
		}
		d.mu.Unlock()
		s.update(r)
		if !d.paused {
			s.start(ctx)
		}
	}
	return nil
}

// reportSkipped warns of each remote that can't be watched as it is configured, once.
func (d *Daemon) reportSkipped(skipped map[string]skip) {
	var warnings []string
	d.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(skipped)) {
		outcome := "is left out"
		if d.sessions[name] != nil {
			outcome = "stays as it was"
		}
		warnings = append(warnings, oneLine(fmt.Sprintf("the remote %s %s: %s", name, outcome, skipped[name].reason)))
	}
	before := d.warnings
	d.warnings = warnings
	d.mu.Unlock()
	for _, w := range warnings {
		if !slices.Contains(before, w) {
			d.warn("%s", w)
		}
	}
}

// warn emits a WARNING that is about no remote.
func (d *Daemon) warn(format string, args ...any) {
	d.emit(Event{Kind: Warning, URI: escapeBlanks(d.clone.top), Text: oneLine(fmt.Sprintf(format, args...))})
}

// emit emits an event, and nothing else does.
func (d *Daemon) emit(e Event) {
	d.emitting.Lock()
	defer d.emitting.Unlock()
	d.opts.Emit(e)
	if d.readers != nil {
		d.readers.emit(e)
	}
}

// emitTo has readers get the events, too.
func (d *Daemon) emitTo(readers *readers) {
	d.emitting.Lock()
	defer d.emitting.Unlock()
	d.readers = readers
}

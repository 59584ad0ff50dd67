package irc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/lrstanley/girc"

	"vext/internal/backoff"
	"vext/internal/target"
)

// A link is one connection to a network, made anew for ever when it is lost.
// All of it belongs to the goroutine that runs it, but for what mu guards.
//
// girc reads, parses, answers PING and registers. It writes nothing of ours:
// its Send returns nothing, drops in silence what it can't send, and takes the
// labels away that confirm a message. Its tracking is off: it would ask WHO
// about everybody who joins, and remember all of them.
type link struct {
	*network
	number int // in its network, from 0
	rooms  []*room
	slower int // how often the server has called it a flood

	session // of the connection that there is

	mu     sync.Mutex
	poked  map[string]bool // URLs of targets with something new
	status LinkStatus

	poke chan struct{} // room for one: look at poked, and for rooms
}

// A session is the state of one connection.
type session struct {
	conn    net.Conn
	pace    *pace
	since   time.Time // of the connection
	heard   time.Time // the last that the server said
	pinged  time.Time // when the PING went out to which there is no answer yet
	careful time.Time // until then only one message at a time is in flight
	control []string  // lines that go before messages
	turn    int       // of the rooms
	limit   int       // channels that the server has let us have; 0 for not known

	registration
	flights
}

// Times that a link goes by.
const (
	registerTime = time.Minute      // to be welcomed
	answerTime   = 30 * time.Second // to confirm a message, or answer a PING or JOIN
	idleTime     = 2 * time.Minute  // of silence before a PING asks whether anybody is there
	writeTime    = 10 * time.Second // to take a line
	leaveTime    = 15 * time.Second // to end the lines that were begun when told to end
	regainTime   = time.Minute      // between attempts to get the wanted nick
	stableTime   = time.Minute      // after which a connection counts as a good one
)

// linkBackoff is the backoff of a connection. After soonReconnect, a pause is at most a
// quarter of the time without a connection, so that vext reconnects soon after a
// server has started again.
var linkBackoff = backoff.Backoff{Min: time.Second, Max: 5 * time.Minute}

const soonReconnect = 5 * time.Second

// run keeps the link until ctx ends.
func (l *link) run(ctx context.Context) {
	failures, since := 0, l.client.Now()
	for ctx.Err() == nil {
		began := l.client.Now()
		err := l.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if l.isReady && l.client.Now().Sub(began) > stableTime {
			failures, since = 0, l.client.Now()
		}
		what := "can't connect"
		if l.isReady {
			what = "connection lost"
		}
		l.lost(err)
		failures++
		pause := min(linkBackoff.After(failures), max(soonReconnect, l.client.Now().Sub(since)/4))
		pause = backoff.Jitter(pause, rand.Float64)
		l.log.Warn(what, "err", err, "again", pause.Round(time.Second).String())
		backoff.Sleep(ctx, pause)
	}
}

// lost gives back what was on the wire, and takes every room for left.
func (l *link) lost(err error) {
	for _, f := range l.begun() {
		l.giveBack(f)
	}
	var told *errTold
	if errors.As(err, &told) && strings.Contains(strings.ToLower(told.said), "flood") {
		l.slower++
	}
	now := l.client.Now()
	for _, r := range l.rooms {
		r.leave(now)
	}
	l.network.away()
	l.pinged = time.Time{}
	l.publish(func(s *LinkStatus) {
		if s.State != "away" { // else it has been for longer
			s.State, s.Since, s.Nick = "away", now, ""
		}
		if s.Error = err.Error(); l.isReady {
			s.Lost, s.LostTime = s.Error, now
		}
	})
}

// once connects, and returns the error that ended the connection.
func (l *link) once(ctx context.Context) error {
	now := l.client.Now()
	l.session = session{pace: newPace(l.settings.Burst, l.settings.Rate), since: now, heard: now}
	for range l.slower {
		l.pace.slow()
	}
	l.publish(func(s *LinkStatus) {
		if s.State == "" {
			s.State, s.Since = "connecting", now
		}
	})
	conn, err := l.settings.connect(ctx, l.client.Dial, &l.server)
	if err != nil {
		return err
	}
	l.conn = conn
	received, gone := make(chan received, maxReceived), make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() { readEvents(conn, received, gone) })
	if err = l.register(); err == nil {
		err = l.converse(ctx, received)
	}
	conn.Close()
	close(gone)
	reader.Wait()
	return err
}

// maxReceived bounds the events that wait until those before them are handled. There is
// room for some, so that the server can go on while it is written to.
const maxReceived = 32

// A received is what a connection has brought: an event, or the error that ended it.
type received struct {
	event *girc.Event
	err   error
}

// readEvents hands over what the server sends, until that ends or gone is closed. It leaves out
// what is no message of IRC.
func readEvents(conn net.Conn, to chan<- received, gone <-chan struct{}) {
	in := bufio.NewReaderSize(conn, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			err = fmt.Errorf("the server sent a line of more than %d bytes", maxLine)
		case errors.Is(err, io.EOF):
			err = errors.New("the server closed the connection")
		}
		r := received{err: err}
		if err == nil {
			if r.event = girc.ParseEvent(string(line)); r.event == nil {
				continue
			}
		}
		select {
		case to <- r:
		case <-gone:
			return
		}
		if err != nil {
			return
		}
	}
}

// converse is the loop that owns the connection: it handles what the server sends, sends
// what is pending, and watches the clock. It returns why the connection has ended.
func (l *link) converse(ctx context.Context, from <-chan received) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	done := ctx.Done()
	var leave time.Time
	for {
		wait, err := l.step(!leave.IsZero())
		if err != nil {
			return err
		}
		if !leave.IsZero() {
			left := leave.Sub(l.client.Now())
			if len(l.begun()) == 0 || left <= 0 {
				l.write("QUIT :vext leaves")
				return ctx.Err()
			}
			wait = min(wait, left)
		}
		timer.Reset(wait)
		select {
		case r := <-from:
			if r.err != nil {
				return r.err
			}
			l.heard = l.client.Now()
			if err := l.handle(r.event); err != nil {
				return err
			}
		case <-l.poke:
		case <-timer.C:
		case <-done:
			done = nil
			leave = l.client.Now().Add(leaveTime)
		}
	}
}

// step does all that can be done now, and returns how long until there is more
// to do. Who is leaving begins nothing.
func (l *link) step(leaving bool) (time.Duration, error) {
	now := l.client.Now()
	if wait, err := l.alive(now); err != nil || !l.isReady {
		return wait, err
	}
	if !leaving {
		l.network.claim(l)
		l.hearPokes()
		l.join(now)
	}
	wait, err := l.send(now, leaving)
	if err != nil {
		return 0, err
	}
	silence, err := l.alive(now)
	return min(wait, silence, l.nextRetry(now)), err
}

// alive looks at what the server owes us, and returns how long until the next
// look. It asks whether a silent server is there.
func (l *link) alive(now time.Time) (time.Duration, error) {
	if !l.isReady {
		left := l.since.Add(registerTime).Sub(now)
		if left <= 0 {
			return 0, errors.New("timed out waiting for RPL_WELCOME")
		}
		if l.maySettle(now) {
			l.ready(now)
			return 0, nil
		}
		return min(left, settleTime), nil
	}
	if err := l.overdue(now); err != nil {
		return 0, err
	}
	if !l.pinged.IsZero() {
		if now.Sub(l.pinged) >= answerTime {
			return 0, errors.New("the server does not answer")
		}
		return l.pinged.Add(answerTime).Sub(now), nil
	}
	if left := l.heard.Add(idleTime).Sub(now); left > 0 {
		return min(left, l.nextOverdue(now)), nil
	}
	return answerTime, l.keepAlive(now)
}

// keepAlive sends a PING to find out whether the server is still there.
func (l *link) keepAlive(now time.Time) error {
	l.numbered++
	l.pinged, l.pingedNumber = now, l.numbered
	return l.write("PING :" + keepalive)
}

const keepalive = "vext-alive"

// write writes a line. An error means that the connection is lost.
func (l *link) write(line string) error {
	if strings.ContainsAny(line, "\r\n\x00") {
		return errors.New("a line end in a command")
	}
	if err := l.conn.SetWriteDeadline(l.client.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := l.conn.Write([]byte(line + "\r\n"))
	return err
}

// wake tells the link that there is something new for a target, "" for the
// rooms that wait for a link.
func (l *link) wake(url string) {
	l.mu.Lock()
	if l.poked == nil {
		l.poked = map[string]bool{}
	}
	l.poked[url] = true
	l.mu.Unlock()
	select {
	case l.poke <- struct{}{}:
	default: // it will be
	}
}

// hearPokes looks again at the rooms for which there is something new.
func (l *link) hearPokes() {
	l.mu.Lock()
	poked := l.poked
	l.poked = nil
	l.mu.Unlock()
	if len(poked) == 0 {
		return
	}
	for _, r := range l.rooms {
		if !poked[r.url] {
			continue
		}
		if r.isIdle = false; r.hasNewKey() {
			r.retry = time.Time{}
		}
	}
}

func (l *link) publish(change func(*LinkStatus)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.status)
}

func newLink(n *network, number int) *link {
	l := &link{network: n, number: number, poke: make(chan struct{}, 1)}
	if number > 0 {
		l.status.Number = number + 1
	}
	return l
}

// logFor returns the log of a network, which names it.
func logFor(log *slog.Logger, server *target.Target) *slog.Logger {
	return log.With("network", server.Network())
}

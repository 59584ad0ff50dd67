package irc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/lrstanley/girc"

	"vext/internal/backoff"
	"vext/notify"
)

// A link is one connection to a network, which is made again whenever it is lost. All of it
// belongs to the goroutine that runs it, except what mu guards.
type link struct {
	*network
	number     int // in its network, from 0
	recipients []*recipient
	slower     int // how often the server has reported a flood

	session // of the connection that there is

	mu     sync.Mutex
	status LinkStatus

	wakeups chan struct{} // room for one: a recipient has something new, or no link
}

// A session is the state of one connection.
type session struct {
	conn     net.Conn
	pace     *notify.Pace
	since    time.Time // of the connection
	received time.Time // when the server last sent something
	pinged   time.Time // when a keepalive was sent that has no answer yet
	careful  time.Time // until then only one message at a time is in flight
	control  []string  // commands that are sent before messages
	turn     int       // of the recipients

	full      int       // channels, when the server has allowed no more
	fullUntil time.Time // when another is tried

	registration
	inflight
}

// Timeouts and intervals of a link.
const (
	registerTime = time.Minute      // for the registration
	answerTime   = 30 * time.Second // for the confirmation of a message, or an answer to PING or JOIN
	idleTime     = 2 * time.Minute  // of silence before a keepalive
	writeTime    = 10 * time.Second // for a write
	leaveTime    = 15 * time.Second // for the lines in flight when vext ends
	regainTime   = time.Minute      // between attempts to get the wanted nick
	stableTime   = time.Minute      // after which a connection counts as stable
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

// lost releases what was in flight, and resets all recipients.
func (l *link) lost(err error) {
	for _, f := range l.begun() {
		l.release(f)
	}
	var failure *serverError
	if errors.As(err, &failure) && strings.Contains(strings.ToLower(failure.text), "flood") {
		l.slower++
	}
	now := l.client.Now()
	for _, r := range l.recipients {
		r.leave(now)
	}
	l.network.noteAway()
	l.pinged = time.Time{}
	l.publish(func(s *LinkStatus) {
		if s.State != "away" { // else since an earlier time
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
	l.session = session{pace: notify.NewPace(l.settings.Burst, l.settings.Rate), since: now, received: now}
	for range l.slower {
		l.pace.Slow()
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

// maxLine bounds what a server can make us keep: 8191 bytes of tags (IRCv3, message-tags)
// and 512 of the message, and some more, for servers that exceed that.
const maxLine = 32 << 10

// maxReceived bounds the events that wait until those before them are handled. While the
// link writes, the server can send as many.
const maxReceived = 32

// A received is what a connection has brought: an event, or the error that ended it.
type received struct {
	event *girc.Event
	err   error
}

// readEvents passes on the messages that the server sends, until the connection ends or
// gone is closed. It skips invalid lines.
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
			l.received = l.client.Now()
			if err := l.handle(r.event); err != nil {
				return err
			}
		case <-l.wakeups:
		case <-timer.C:
		case <-done:
			done = nil
			leave = l.client.Now().Add(leaveTime)
		}
	}
}

// step does all that can be done now, and returns how long until there is more to do. A
// link that is leaving begins nothing.
func (l *link) step(leaving bool) (time.Duration, error) {
	now := l.client.Now()
	if wait, err := l.alive(now); err != nil || !l.isReady {
		return wait, err
	}
	if !leaving {
		l.network.claim(l)
		l.takeWakeups()
		l.join(now)
	}
	wait, err := l.send(now, leaving)
	if err != nil {
		return 0, err
	}
	silence, err := l.alive(now)
	return min(wait, silence, l.nextRetry(now)), err
}

// alive checks the answers that the server owes, and returns how long until the next check.
// It sends a keepalive to a silent server.
func (l *link) alive(now time.Time) (time.Duration, error) {
	if !l.isReady {
		left := l.since.Add(registerTime).Sub(now)
		if left <= 0 {
			return 0, errors.New("timed out waiting for RPL_WELCOME")
		}
		isOver := l.motd && l.nickServ || now.Sub(l.welcomed) >= registrationWait
		if !l.welcomed.IsZero() && isOver {
			l.ready(now)
			return 0, nil
		}
		return min(left, registrationWait), nil
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
	if left := l.received.Add(idleTime).Sub(now); left > 0 {
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

// takeWakeups looks again at the recipients for which there is something new.
func (l *link) takeWakeups() {
	for _, r := range l.recipients {
		isWoken, hasNewKey := r.takeWakeup()
		if isWoken {
			r.isIdle = false
		}
		if hasNewKey {
			r.retry = time.Time{}
		}
	}
}

func (l *link) publish(change func(*LinkStatus)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.status)
}

// A serverError is an error with the text of the server.
type serverError struct{ what, text string }

func (e *serverError) Error() string {
	if e.text == "" {
		return e.what
	}
	return e.what + ": " + e.text
}

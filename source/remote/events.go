package remote

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// readers are those who read the events. Each gets every event from when it has connected,
// and first those that tell what is connected and what is being fetched: for each reader
// CONNECTED and DISCONNECTED alternate, and SYNCING comes before DONESYNCING.
type readers struct {
	flagFirst bool
	mu        sync.Mutex
	all       []*reader
	open      []Event // Connected and Syncing, without those that have ended
	// How long a reader may read nothing; 0 for stallTime.
	stall time.Duration
}

// A reader has the events that it has not read yet.
type reader struct {
	lines []string // guarded by the mutex of readers
	more  chan struct{}
	lost  bool // it reads too slowly
	of    *readers
}

const (
	// maxUnread bounds the events for a reader that has stopped, beside what the kernel
	// keeps for it.
	maxUnread = 10_000
	stallTime = 5 * time.Second
	flushTime = 300 * time.Millisecond // for the last events
	goneTime  = 10 * time.Second       // between two looks whether a reader has gone
)

func (rs *readers) add() *reader {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := &reader{more: make(chan struct{}, 1), of: rs}
	for _, e := range rs.open {
		r.lines = append(r.lines, e.Line(rs.flagFirst))
	}
	signal(r.more)
	rs.all = append(rs.all, r)
	return r
}

func (rs *readers) remove(r *reader) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all = slices.DeleteFunc(rs.all, func(other *reader) bool { return other == r })
}

// emit never blocks.
func (rs *readers) emit(e Event) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	switch e.Kind {
	case Connected, Syncing:
		rs.open = append(rs.open, e)
	case Disconnected:
		rs.end(Connected, e.URI)
	case Done:
		rs.end(Syncing, e.URI)
	}
	line := e.Line(rs.flagFirst)
	for _, r := range rs.all {
		if r.lost = r.lost || len(r.lines) >= maxUnread; !r.lost {
			r.lines = append(r.lines, line)
		}
		signal(r.more)
	}
}

// end removes one event from the open ones. Two remotes may have one URI.
func (rs *readers) end(kind EventKind, uri string) {
	if i := slices.IndexFunc(rs.open, func(e Event) bool { return e.Kind == kind && e.URI == uri }); i >= 0 {
		rs.open = slices.Delete(rs.open, i, i+1)
	}
}

// take returns what a reader has not read yet. It is not ok when events were lost.
func (r *reader) take() (text string, ok bool) {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	lines := r.lines
	r.lines = nil
	if len(lines) == 0 {
		return "", !r.lost
	}
	return strings.Join(lines, "\n") + "\n", !r.lost
}

// write writes the events to a reader until ctx ends, the reader has gone, or it has read
// nothing for a while.
func (r *reader) write(ctx context.Context, conn *net.UnixConn) {
	ended := context.AfterFunc(ctx, func() {
		time.AfterFunc(flushTime, func() { conn.Close() })
	})
	defer ended()
	look := time.NewTicker(goneTime)
	defer look.Stop()
	for isLast := false; !isLast; {
		select {
		case <-r.more:
		case <-ctx.Done():
			isLast = true
		case <-look.C:
			if hasGone(conn) {
				return
			}
		}
		text, ok := r.take()
		if !ok {
			return
		}
		if text == "" {
			continue
		}
		conn.SetWriteDeadline(time.Now().Add(cmp.Or(r.of.stall, stallTime)))
		if _, err := conn.Write([]byte(text)); err != nil {
			return
		}
	}
}

// hasGone reports whether the other end of a connection is closed. One that only has no
// more to write, which is the end of a file here, still reads.
func hasGone(conn *net.UnixConn) (gone bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	raw.Control(func(fd uintptr) {
		polled := []unix.PollFd{{Fd: int32(fd)}}
		n, _ := unix.Poll(polled, 0)
		gone = n > 0 && polled[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone
}

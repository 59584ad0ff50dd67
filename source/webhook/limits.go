package webhook

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// maxBody bounds a body, in bytes. GitHub sends no more.
	maxBody = 25 << 20
	// maxHeld bounds the bodies in memory at once, in bytes. Only bytes that were
	// received count, so that a large Content-Length alone takes no room.
	maxHeld = 128 << 20
	// firstBuffer is the first buffer for a body of unknown length.
	firstBuffer = 16 << 10
)

var errNoRoom = errors.New("too much at once")

const (
	// maxUnproven and unprovenTime bound the size of the body of a request with neither
	// a signature nor a token, and the time to read it. Such a body is read only for the
	// name of its repository.
	maxUnproven  = 256 << 10
	unprovenTime = 2 * time.Second
	// bodyTime bounds the time to read a body, and bodyPause the time until its first
	// byte; from then on the client must send bodyRate bytes a second.
	bodyTime  = 30 * time.Second
	bodyPause = 5 * time.Second
	bodyRate  = 4 << 10
	// headerTime bounds the time to read a header.
	headerTime = 5 * time.Second
	// When there is no room for the bytes of a client, another client that holds at
	// least cutHeld bytes is disconnected. The first client waits for the room, up to
	// roomTries times roomWait.
	cutHeld   = 64 << 10
	roomWait  = 5 * time.Millisecond
	roomTries = 100
)

// hold counts n more bytes as held for a request, until they are released. When there is
// no room for them, it disconnects clients that have stopped sending.
func (h *Handler) hold(r *http.Request, n int) error {
	conn := connOf(r)
	for range roomTries {
		if h.held.Add(int64(n)) <= maxHeld {
			if conn != nil {
				conn.Hold(int64(n))
			}
			return nil
		}
		h.held.Add(int64(-n))
		if conn == nil || !h.limit().Evict(cutHeld, conn) {
			break
		}
		time.Sleep(roomWait)
	}
	return errNoRoom
}

func (h *Handler) release(r *http.Request, n int) {
	h.held.Add(int64(-n))
	if conn := connOf(r); conn != nil {
		conn.Hold(int64(-n))
	}
}

// body reads the body of a request, of at most maxSize bytes and within a time. The
// caller releases the capacity of the result, also after an error.
func (h *Handler) body(w http.ResponseWriter, r *http.Request, maxSize int, within time.Duration) ([]byte, error) {
	if r.ContentLength > int64(maxSize) {
		return nil, &http.MaxBytesError{Limit: int64(maxSize)}
	}
	var body []byte
	from := http.MaxBytesReader(w, r.Body, int64(maxSize))
	deadlines, start := http.NewResponseController(w), time.Now()
	for room := firstBuffer; ; room = len(body) {
		if room = min(room, maxSize+1-len(body)); r.ContentLength >= 0 {
			room = min(room, max(int(r.ContentLength)+1-len(body), 1)) // one more, to see the end
		}
		if err := h.hold(r, room); err != nil {
			return body, err
		}
		body = append(make([]byte, 0, len(body)+room), body...)
		for len(body) < cap(body) {
			patience := cmp.Or(h.bodyPause, bodyPause) + time.Duration(len(body))*time.Second/bodyRate
			deadlines.SetReadDeadline(start.Add(min(patience, within))) // not supported in some tests
			n, err := from.Read(body[len(body):cap(body)])
			body = body[:len(body)+n]
			if err == io.EOF {
				deadlines.SetReadDeadline(time.Time{})
				return body, nil
			}
			if err != nil {
				return body, err
			}
		}
	}
}

// unread returns the answer to a request whose body could not be read.
func unread(err error) answer {
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return answer{http.StatusRequestEntityTooLarge, "at most 25 MiB"}
	case errors.Is(err, errNoRoom):
		return answer{http.StatusServiceUnavailable, "too much at once"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return answer{http.StatusRequestTimeout, "too slow"}
	}
	return answer{http.StatusBadRequest, "the request ended early"}
}

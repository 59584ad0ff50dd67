package webhook

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// largestBody is as much as GitHub sends.
	largestBody = 25 << 20
	// mostHeld bounds the bodies that are in memory at once. A body counts with
	// what has come of it, so that nobody can take room by announcing much.
	mostHeld = 128 << 20
	// firstRoom is what is made for a body of unknown length.
	firstRoom = 16 << 10
)

var errNoRoom = errors.New("too much at once")

// hold counts n more bytes as held, until they are let go again.
func (h *Handler) hold(n int) error {
	if h.held.Add(int64(n)) > mostHeld {
		h.held.Add(int64(-n))
		return errNoRoom
	}
	return nil
}

// body reads the body of a request. The caller lets its bytes go: as many as
// it has room for, also when there is an error.
func (h *Handler) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > largestBody {
		return nil, &http.MaxBytesError{Limit: largestBody}
	}
	var body []byte
	from := http.MaxBytesReader(w, r.Body, largestBody)
	for room := firstRoom; ; room = len(body) {
		if room = min(room, largestBody+1-len(body)); r.ContentLength >= 0 {
			room = min(room, max(int(r.ContentLength)+1-len(body), 1)) // one more, to see the end
		}
		if err := h.hold(room); err != nil {
			return body, err
		}
		body = append(make([]byte, 0, len(body)+room), body...)
		for len(body) < cap(body) {
			n, err := from.Read(body[len(body):cap(body)])
			body = body[:len(body)+n]
			if err == io.EOF {
				return body, nil
			}
			if err != nil {
				return body, err
			}
		}
	}
}

// unread says how a request is answered whose body could not be read.
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

// A throttle lets one event through in a second.
type throttle struct {
	mu   sync.Mutex
	last time.Time
	left int
}

// next reports whether the event at now goes through, and if so how many did
// not since the last that did.
func (t *throttle) next(now time.Time) (left int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if since := now.Sub(t.last); since >= 0 && since < time.Second {
		t.left++
		return 0, false
	}
	left, t.left, t.last = t.left, 0, now
	return left, true
}

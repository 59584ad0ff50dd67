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
	// maxBody is as much as GitHub sends.
	maxBody = 25 << 20
	// maxHeld bounds the bodies that are in memory at once. A body counts with
	// what has come of it, so that nobody can take room by announcing much.
	maxHeld = 128 << 20
	// firstRoom is what is made for a body of unknown length.
	firstRoom = 16 << 10
)

var errNoRoom = errors.New("too much at once")

const (
	// maxUnproven bounds the body of a request with neither a signature nor a token,
	// and unprovenTime the time to read it. Such a body is read only to learn which
	// repository it names.
	maxUnproven  = 256 << 10
	unprovenTime = 2 * time.Second
	// bodyTime bounds how long a body takes, and bodyPause how long the client
	// may be silent at first; after that it must send bodyRate bytes a second.
	bodyTime  = 30 * time.Second
	bodyPause = 5 * time.Second
	bodyRate  = 4 << 10
	// headerTime bounds how long a header takes.
	headerTime = 5 * time.Second
	// When there is no room for the bytes of a client, another client for which at
	// least cutHeld bytes are held is cut off. roomWait is how long the first then
	// waits for the room, and roomTries how often.
	cutHeld   = 64 << 10
	roomWait  = 5 * time.Millisecond
	roomTries = 100
)

// hold counts n more bytes as held for a request, until they are released. When there
// is no room for them, clients that have stopped sending are cut off.
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

// body reads the body of a request, within a limit of size and time. The caller
// releases the capacity of the result, also when there is an error.
func (h *Handler) body(w http.ResponseWriter, r *http.Request, largest int, within time.Duration) ([]byte, error) {
	if r.ContentLength > int64(largest) {
		return nil, &http.MaxBytesError{Limit: int64(largest)}
	}
	var body []byte
	from := http.MaxBytesReader(w, r.Body, int64(largest))
	deadlines, start := http.NewResponseController(w), time.Now()
	for room := firstRoom; ; room = len(body) {
		if room = min(room, largest+1-len(body)); r.ContentLength >= 0 {
			room = min(room, max(int(r.ContentLength)+1-len(body), 1)) // one more, to see the end
		}
		if err := h.hold(r, room); err != nil {
			return body, err
		}
		body = append(make([]byte, 0, len(body)+room), body...)
		for len(body) < cap(body) {
			patience := cmp.Or(h.bodyPause, bodyPause) + time.Duration(len(body))*time.Second/bodyRate
			deadlines.SetReadDeadline(start.Add(min(patience, within))) // a recorder of a test has none
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

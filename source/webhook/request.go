package webhook

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"time"

	"vext/internal/forge"
	"vext/spool"
)

// read checks the signature of a request and reads the push from its body. If there is
// none, the answer says why.
func (h *Handler) read(hook *Hook, r *http.Request, body []byte) (*forge.Push, answer) {
	payload, isForm := body, isForm(r.Header, body)
	if isForm {
		if err := h.hold(r, 2*len(body)); err != nil {
			return nil, unread(err)
		}
		defer h.release(r, 2*len(body))
		payload = inForm(body)
	}
	// GitHub signs the body; Gitea and Gogs sign the JSON, also if it is in a form.
	if !hook.hasSecret(r) && !hook.isSignatureOf(body, r.Header, h.Now()) && !(isForm && hook.isSignatureOf(payload, r.Header, h.Now())) {
		return nil, h.reject(hook, r, body, "wrong or old signature")
	}
	p, err := parse(r.Header, payload)
	if p != nil {
		h.pushed(hook, p)
	}
	name := ""
	if err == nil {
		name = h.repository(p)
	}
	h.note(hook, func(g *spool.Signatures) { g.Accept(shown(name), h.Now()) })
	switch {
	case errors.Is(err, forge.ErrOther):
		h.Log.Info("webhook: ignored", "hook", hook.Name, "why", err)
		return nil, answer{http.StatusAccepted, "not a push of commits"}
	case err != nil:
		h.Log.Warn("webhook: not understood", "hook", hook.Name, "err", err)
		return nil, answer{http.StatusBadRequest, "the payload can't be read"}
	}
	return p, answer{}
}

// inForm returns the JSON from the form in a body.
func inForm(body []byte) []byte {
	form, _ := url.ParseQuery(string(body)) // as much as can be parsed
	return []byte(form.Get("payload"))
}

// isForm reports whether the body is a form with the JSON in its field payload. Programs
// such as curl give everything that they post the type of a form.
func isForm(header http.Header, body []byte) bool {
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	return mediaType == "application/x-www-form-urlencoded" && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
}

// eventHeaders are the headers that show which forge sends a request, and its event. Gitea
// and Forgejo also send the headers of their ancestors, so the youngest comes first.
var eventHeaders = []struct {
	name string
	kind forge.Kind
}{
	{"X-Forgejo-Event", forge.Forgejo},
	{"X-Gitea-Event", forge.Gitea},
	{"X-Gogs-Event", forge.Gogs},
	{"X-Github-Event", forge.GitHub},
	{"X-Gitlab-Event", forge.GitLab},
	{"X-Event-Key", forge.BitbucketServer},
}

// parse reads a payload, see forge.Read.
func parse(header http.Header, payload []byte) (*forge.Push, error) {
	for _, h := range eventHeaders {
		switch event := header.Get(h.name); {
		case event == "":
		case event == "repo:push" && h.kind == forge.BitbucketServer:
			return forge.Read(forge.BitbucketCloud, event, payload)
		default:
			return forge.Read(h.kind, event, payload)
		}
	}
	return forge.Read("", "", payload)
}

const (
	// maxBody bounds a body, in bytes. GitHub sends no more.
	maxBody = 25 << 20
	// maxHeld bounds the bodies in memory at once, in bytes. Only bytes that were
	// received count, so that a large Content-Length alone takes no room.
	maxHeld = 128 << 20
	// firstBuffer is the first buffer for a body of unknown length.
	firstBuffer = 16 << 10
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

var errNoRoom = errors.New("too much data at once")

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
		if conn == nil || !h.conns.Evict(cutHeld, conn) {
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
		return answer{http.StatusServiceUnavailable, "too much data at once"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return answer{http.StatusRequestTimeout, "too slow"}
	}
	return answer{http.StatusBadRequest, "the request ended early"}
}

package remote

import (
	"strings"
	"time"

	"vext/internal/program"
	"vext/internal/text"
	"vext/internal/weburl"
)

// A RemoteStatus is the state of a remote.
type RemoteStatus struct {
	Name      string    `json:"name"`
	URI       string    `json:"uri"`
	Transport string    `json:"transport,omitempty"`
	State     string    `json:"state"` // connecting, connected, syncing, waiting, paused
	Since     time.Time `json:"connected_since,omitzero"`
	Changed   time.Time `json:"last_change,omitzero"`
	Fetched   time.Time `json:"last_fetch,omitzero"`
	Retry     time.Time `json:"backoff_until,omitzero"`
	Error     string    `json:"error,omitempty"` // the last
}

// The states of a remote.
const (
	stateConnecting = "connecting"
	stateConnected  = "connected"
	stateSyncing    = "syncing"
	stateWaiting    = "waiting" // for the next attempt to connect
	statePaused     = "paused"
)

// set changes the status.
func (s *session) set(change func(*RemoteStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

func (s *session) snapshot() RemoteStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	if s.now != nil {
		status.Transport = s.now.String()
	}
	return status
}

// connected emits CONNECTED, unless the remote is connected for those who listen.
func (s *session) connected() {
	now, was := s.d.opts.Now(), false
	s.set(func(st *RemoteStatus) {
		was = !st.Since.IsZero()
		if !was {
			st.Since = now
		}
		st.State, st.Error = stateConnected, ""
	})
	if !was {
		s.emit(Event{Kind: Connected})
	}
}

// disconnected emits DISCONNECTED if CONNECTED was emitted, and reports that.
func (s *session) disconnected(err error) (was bool) {
	s.set(func(st *RemoteStatus) {
		was = !st.Since.IsZero()
		st.Since = time.Time{}
		if err != nil {
			st.Error = s.words(err)
		}
	})
	if was {
		s.emit(Event{Kind: Disconnected})
	}
	if err != nil {
		s.failed(err, true)
	}
	return was
}

// failed records what has failed, and may warn of it.
func (s *session) failed(err error, warn bool) {
	words := s.words(err)
	s.set(func(st *RemoteStatus) { st.Error = words })
	s.d.opts.Log.Info("failed", "remote", s.remote.Load().Name, "error", words)
	if warn && !s.d.broken.Load() { // else there was one WARNING
		s.warnOnce(words, words)
	}
}

// maxWarnings bounds the different WARNINGs about one remote until RELOAD.
const maxWarnings = 20

// warnOnce emits a WARNING, unless one of that key was emitted since RELOAD.
func (s *session) warnOnce(key, words string) {
	s.mu.Lock()
	is := s.warned[key] || len(s.warned) >= maxWarnings
	s.warned[key] = true
	s.mu.Unlock()
	if !is {
		s.emit(Event{Kind: Warning, Text: oneLine(s.remote.Load().hide(words))})
	}
}

// words returns an error for a person.
func (s *session) words(err error) string { return oneLine(s.remote.Load().hide(err.Error())) }

// minSecret is the length from which on a password is hidden wherever it stands.
const minSecret = 6

// hide returns a text without the passwords of URLs. What git and ssh print may have that of
// the remote in another form.
func (r *Remote) hide(words string) string {
	words = weburl.Hide(words)
	url := weburl.Parse(r.URL)
	user, password, ok := url.Login()
	if !ok {
		return words
	}
	if password == "" {
		return strings.ReplaceAll(words, user, "***") // a token
	}
	begin, end, _ := strings.Cut(url.String(), "@")
	written := strings.TrimSuffix(strings.TrimPrefix(r.URL, begin+":"), "@"+end)
	for _, secret := range []string{written, password} {
		words = strings.ReplaceAll(words, ":"+secret+"@", "@")
		if len(secret) >= minSecret {
			words = strings.ReplaceAll(words, secret, "***")
		}
	}
	return words
}

func (s *session) emit(e Event) {
	e.URI = s.remote.Load().URI
	s.d.emit(e)
}

// oneLine makes a text fit for the end of a line of the protocol.
func oneLine(s string) string {
	return text.Shorten(text.OneLine(text.JoinLines(s)), 2*program.MaxMessage)
}

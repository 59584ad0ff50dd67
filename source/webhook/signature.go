package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vext/internal/text"
	"vext/spool"
)

// A request proves itself by one of these:
//
//	X-Hub-Signature-256: sha256=HEX    GitHub, Gitea, Forgejo
//	X-Hub-Signature: sha256=HEX        Bitbucket; others have sha1= there
//	X-Gitea-Signature: HEX             Gitea; also Gogs' and Forgejo's
//	webhook-signature: v1,BASE64 ...   GitLab's signing token
//	X-Gitlab-Token: SECRET             GitLab's secret token
//	Authorization: Basic ...           Azure DevOps: any user, the secret as password
//
// HEX is the HMAC-SHA256 of the body. webhook-signature is that of Standard Webhooks
// (https://www.standardwebhooks.com), over webhook-id, a dot, webhook-timestamp, a dot and
// the body. If it is there, the others do not count.

// hexHeaders are the headers with an HMAC in hexadecimal, and the prefix of its value.
var hexHeaders = []struct{ name, prefix string }{
	{"X-Hub-Signature-256", "sha256="},
	{"X-Hub-Signature", "sha256="},
	{"X-Forgejo-Signature", ""},
	{"X-Gitea-Signature", ""},
	{"X-Gogs-Signature", ""},
}

const standardHeader = "Webhook-Signature"

// tolerance bounds the difference to the clock of a sender, and the age of a replayed
// delivery.
const tolerance = 5 * time.Minute

// isSigned reports whether the request has a signature of the body, right or wrong.
func isSigned(header http.Header) bool {
	return header.Get(standardHeader) != "" || len(signatures(header)) > 0
}

// signatures returns the signatures in hexadecimal.
func signatures(header http.Header) []string {
	var all []string
	for _, h := range hexHeaders {
		if s, ok := strings.CutPrefix(header.Get(h.name), h.prefix); ok && s != "" {
			all = append(all, s)
		}
	}
	return all
}

// hasSecret reports whether the request contains the secret itself.
func (hook *Hook) hasSecret(r *http.Request) bool {
	if r.Header.Get(standardHeader) != "" {
		return false
	}
	_, password, _ := r.BasicAuth()
	return hook.isSecret(r.Header.Get("X-Gitlab-Token")) || hook.isSecret(password)
}

// isSecret compares in a time that depends neither on the secret nor on its length.
func (hook *Hook) isSecret(s string) bool {
	a, b := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(hook.Secret))
	return hmac.Equal(a[:], b[:])
}

// isSignatureOf reports whether one of the signatures matches the body.
func (hook *Hook) isSignatureOf(body []byte, header http.Header, now time.Time) bool {
	if header.Get(standardHeader) != "" {
		return hook.isStandard(body, header, now)
	}
	want := sum([]byte(hook.Secret), body)
	return slices.ContainsFunc(signatures(header), func(s string) bool {
		got, err := hex.DecodeString(s)
		return err == nil && hmac.Equal(got, want)
	})
}

// isStandard checks a signature of Standard Webhooks.
func (hook *Hook) isStandard(body []byte, header http.Header, now time.Time) bool {
	timestamp := header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	prefix := []byte(header.Get("Webhook-Id") + "." + timestamp + ".")
	for _, key := range hook.keys() {
		want := sum(key, prefix, body)
		for s := range strings.FieldsSeq(header.Get(standardHeader)) {
			s, isShared := strings.CutPrefix(s, "v1,") // the version with a shared key
			got, err := base64.StdEncoding.DecodeString(s)
			if isShared && err == nil && hmac.Equal(got, want) {
				return true
			}
		}
	}
	return false
}

// keys returns the secret, and the key that it encodes if it has the form of a key of
// Standard Webhooks.
func (hook *Hook) keys() [][]byte {
	keys := [][]byte{[]byte(hook.Secret)}
	if encoded, ok := strings.CutPrefix(hook.Secret, "whsec_"); ok {
		if key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "=")); err == nil && len(key) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

func sum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// senders records the outcomes of signature checks of each hook, by its source.
type senders struct {
	mu      sync.Mutex
	hooks   map[string]*spool.Signatures
	changed map[string]bool // since they were stored
	pending bool            // a call of Flush is scheduled

	parsing sync.Mutex // parse unsigned requests one at a time
}

// noteInterval is the shortest time between two writes of the record, because any
// stranger can change it.
const noteInterval = 20 * time.Millisecond

// note changes the record of a hook, and has it stored soon.
func (h *Handler) note(hook *Hook, change func(*spool.Signatures)) {
	s, source := &h.senders, sourceOf(hook)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hooks == nil {
		s.hooks, s.changed = map[string]*spool.Signatures{}, map[string]bool{}
	}
	known := s.hooks[source]
	if known == nil {
		known = h.Filter.Spool.Signatures(source)
		s.hooks[source] = known
	}
	change(known)
	s.changed[source] = true
	if !s.pending {
		s.pending = true
		time.AfterFunc(noteInterval, h.Flush)
	}
}

// sourceOf returns the name of a hook as a source, see filter.Filter.
func sourceOf(hook *Hook) string { return "webhook-" + hook.Name }

// Flush stores the records that are not stored yet. Call it before the process ends.
func (h *Handler) Flush() {
	s := &h.senders
	s.mu.Lock()
	defer s.mu.Unlock()
	for source := range s.changed {
		h.Filter.Spool.NoteSignatures(source, s.hooks[source])
	}
	clear(s.changed)
	s.pending = false
}

// label returns the repository that a request without the right signature names, "" when
// it can't be found cheaply. Anybody can send such a request.
func (h *Handler) label(header http.Header, body []byte) string {
	if len(body) > maxUnproven || !h.senders.parsing.TryLock() {
		return ""
	}
	defer h.senders.parsing.Unlock()
	if isForm(header, body) {
		body = inForm(body)
	}
	p, err := parse(header, body)
	if err != nil {
		return ""
	}
	return shown(h.repository(p))
}

// maxShown bounds the recorded name of a repository, in bytes.
const maxShown = 100

func shown(repository string) string { return text.Shorten(text.OneLine(repository), maxShown) }

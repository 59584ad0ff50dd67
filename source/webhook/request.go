package webhook

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"

	"vext/internal/forge"
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
	name := ""
	if err == nil {
		name = h.repository(p)
	}
	h.accepted(hook, name)
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

// parse reads a payload, see forge.Read.
func parse(header http.Header, payload []byte) (*forge.Push, error) {
	kind, event := kindOf(header)
	return forge.Read(kind, event, payload)
}

// kindOf returns the forge that sends such a header, and its event; "" when the header
// does not show it. Gitea and Forgejo also send the headers of their ancestors, so the
// youngest comes first.
func kindOf(header http.Header) (kind forge.Kind, event string) {
	for _, h := range []struct {
		name string
		kind forge.Kind
	}{
		{"X-Forgejo-Event", forge.Forgejo},
		{"X-Gitea-Event", forge.Gitea},
		{"X-Gogs-Event", forge.Gogs},
		{"X-Github-Event", forge.GitHub},
		{"X-Gitlab-Event", forge.GitLab},
		{"X-Event-Key", forge.BitbucketServer},
	} {
		if event = header.Get(h.name); event == "" {
			continue
		}
		if event == "repo:push" && h.kind == forge.BitbucketServer {
			return forge.BitbucketCloud, event
		}
		return h.kind, event
	}
	return "", ""
}

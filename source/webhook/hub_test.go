package webhook

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A knownHub answers with 204 whoever has a token.
type knownHub struct{}

func (knownHub) Knows(r *http.Request) bool { return r.Header.Get("Authorization") != "" }
func (h knownHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.Knows(r) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// The hub gets what is below its path, and nothing else.
func TestHub(t *testing.T) {
	h := &Handler{Hub: knownHub{}}
	for _, test := range []struct {
		path, token string
		want        int
	}{{"/autosync/events", "Bearer x", 204}, {"/autosync/push", "", 401}} {
		r := httptest.NewRequest(http.MethodGet, test.path, nil)
		r.Header.Set("Authorization", test.token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", test.path, w.Code, test.want)
		}
	}
}

package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"vext/filter"
	"vext/internal/forge"
	"vext/internal/testkit"
	"vext/policy"
	"vext/spool"
)

const secret = "6b1f0c2a9e7d4358"

var now = time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC)

// A bench is a handler with one hook, called forge.
type bench struct {
	*Handler
	t     testing.TB
	state string
	log   *testkit.Log
}

func newBench(t testing.TB) *bench {
	t.Helper()
	state := testkit.State(t)
	f, err := filter.New(spool.New(state), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	log := &testkit.Log{}
	b := &bench{t: t, state: state, log: log, Handler: &Handler{
		Hooks:  []Hook{{Name: "closed"}, {Name: "forge", Secret: secret}},
		Filter: f,
		Policy: &policy.Policy{Branches: policy.DefaultBranches},
		Log:    slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    func() time.Time { return now },
	}}
	t.Cleanup(b.Flush)
	return b
}

// hook returns the hook.
func (b *bench) hook() *Hook { return &b.Hooks[1] }

// post sends a payload with headers, which are pairs of name and value.
func (b *bench) post(payload string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send(http.MethodPost, "/hook/forge", payload, headers...)
}

func (b *bench) send(method, path, payload string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(payload))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// push sends a payload as GitHub does.
func (b *bench) push(payload string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.post(payload, "X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+hexOf(payload))
}

// want checks an answer.
func want(t testing.TB, what string, w *httptest.ResponseRecorder, status int, text string) {
	t.Helper()
	if got := w.Body.String(); w.Code != status || !strings.Contains(got, text) || strings.Count(got, "\n") != 1 {
		t.Errorf("%s: %d %q, want %d %q", what, w.Code, got, status, text)
	}
}

// spooled returns the messages in the spool by their names.
func (b *bench) spooled() map[string]string {
	b.t.Helper()
	all := map[string]string{}
	entries, _ := b.Filter.Spool.Requests()
	for _, e := range entries {
		data, err := os.ReadFile(b.Filter.Spool.Path(e.Name()))
		if err != nil {
			b.t.Fatal(err)
		}
		all[e.Name()] = string(data)
	}
	return all
}

func payload(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../testdata/payloads", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// hmacOf is the HMAC as the forges make it.
func hmacOf(key, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	io.WriteString(mac, text)
	return mac.Sum(nil)
}

func hexOf(text string) string { return hex.EncodeToString(hmacOf(secret, text)) }

// standard returns the headers of Standard Webhooks.
func standard(key, text string, at time.Time) []string {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signature := base64.StdEncoding.EncodeToString(hmacOf(key, "msg_1."+timestamp+"."+text))
	return []string{"X-Gitlab-Event", "Push Hook", "webhook-id", "msg_1", "webhook-timestamp", timestamp, "webhook-signature", "v1," + signature}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// counting is a LookUp that returns err and counts its calls.
func counting(n *int, err error) func(context.Context, string, forge.Update) error {
	return func(context.Context, string, forge.Update) error {
		*n++
		return err
	}
}

package peers_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/source/autosync/peers"
	"vext/source/autosync/peers/peerstest"
)

// link returns a link, and ends the test without one.
func link(t *testing.T, o peers.HTTP) peers.Link {
	t.Helper()
	o.Now = time.Now
	l, err := peers.NewHTTP(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestHTTP(t *testing.T) {
	for _, isTLS := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", isTLS), func(t *testing.T) {
			peerstest.Run(t, func(t *testing.T) peerstest.Setup {
				hub := peers.NewHub("one", "two", "")
				server := httptest.NewUnstartedServer(http.StripPrefix("/autosync", hub))
				server.Config.WriteTimeout = 100 * time.Millisecond // is not for listeners
				server.Config.ErrorLog = nil
				var roots *x509.CertPool
				if isTLS {
					server.StartTLS()
					roots = x509.NewCertPool()
					roots.AddCert(server.Certificate())
				} else {
					server.Start()
				}
				t.Cleanup(func() { hub.Close(); server.Close() })
				of := func(host, token string) peers.Link {
					return link(t, peers.HTTP{URL: server.URL + "/autosync/", Token: token, Host: host, Roots: roots})
				}
				return peerstest.Setup{
					Links:    [3]peers.Link{of("alpha", "one"), of("beta", "one"), of("gamma", "one")},
					Stranger: of("delta", "two"), Break: server.CloseClientConnections, Named: true,
				}
			})
		})
	}
}

// The token is sent to nobody else, and not in the clear.
func TestNewHTTP(t *testing.T) {
	for url, want := range map[string]string{
		"http://example.org/autosync":         "use https",
		"ftp://example.org/":                  "must begin with https",
		"https://":                            "must begin with https",
		"https://me:secret@example.org/":      "no user",
		"https://example.org/?token=x":        "query or fragment",
		"https://example.org/\x7f:secret":     "cannot be parsed",
		"http://localhost.example.org:8080/a": "use https",
	} {
		_, err := peers.NewHTTP(peers.HTTP{URL: url, Token: "t", Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	for _, token := range []string{"", "a b", "a\n"} {
		if _, err := peers.NewHTTP(peers.HTTP{URL: "https://example.org", Token: token, Now: time.Now}); err == nil {
			t.Errorf("token %q is accepted", token)
		}
	}
	for _, o := range []peers.HTTP{{URL: "http://127.0.0.1:1/"}, {URL: "http://[::1]:1"}, {URL: "http://localhost:1"}} {
		o.Token = "t"
		if got := link(t, o).String(); got != strings.TrimRight(o.URL, "/") {
			t.Error(got)
		}
	}
}

func TestHTTPErrors(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s came to another server, with %q", r.Method, r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	mux := http.NewServeMux()
	mux.Handle("/hub/", peers.NewHub("right"))
	mux.Handle("/moved/", http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	mux.HandleFunc("/broken/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of\norder", http.StatusServiceUnavailable)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, test := range []struct{ path, token, want string }{
		{"/hub", "wrong", "the token is rejected"}, {"/none", "right", "no [autosync-hub]"}, {"/moved", "right", "redirects"},
		{"/broken", "right", "503"}, {"/hub", "right", ""},
	} {
		err := link(t, peers.HTTP{URL: server.URL + test.path, Token: test.token}).Announce(t.Context(), peers.Push{New: "a"})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.path, err, test.want)
		}
	}
	unknown := httptest.NewTLSServer(http.NotFoundHandler())
	defer unknown.Close()
	unknown.Config.ErrorLog = nil
	if err := link(t, peers.HTTP{URL: unknown.URL, Token: "t"}).Announce(t.Context(), peers.Push{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
}

// request sends a request to a hub.
func request(t *testing.T, url, method, token, body string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func TestHubRejects(t *testing.T) {
	server := httptest.NewServer(peers.NewHub("right", ""))
	defer server.Close()
	for _, test := range []struct {
		method, path, token, body string
		want                      int
	}{
		{"POST", "/push", "", "{}", 401}, {"POST", "/push", "wrong", "{}", 401}, {"GET", "/events", "", "", 401},
		{"GET", "/push", "right", "", 405}, {"POST", "/events", "right", "{}", 405}, {"GET", "/", "right", "", 404},
		{"POST", "/push", "right", "no JSON", 400}, {"POST", "/push", "right", `{"new":"` + strings.Repeat("x", 20<<10) + `"}`, 400},
		{"POST", "/push", "right", `{"new":"a"}`, 204},
	} {
		if got := request(t, server.URL+test.path, test.method, test.token, test.body).StatusCode; got != test.want {
			t.Errorf("%s %s with %q: %d, want %d", test.method, test.path, test.token, got, test.want)
		}
	}
	var listeners []*http.Response
	for range 64 {
		listeners = append(listeners, request(t, server.URL+"/events", "GET", "right", ""))
	}
	if got := request(t, server.URL+"/events", "GET", "right", ""); got.StatusCode != 503 {
		t.Errorf("one too many: %d", got.StatusCode)
	}
	for _, l := range listeners {
		l.Body.Close()
	}
}

// Whoever says which event it has seen last is sent what came since then.
func TestHubReplays(t *testing.T) {
	hub := peers.NewHub("t")
	server := httptest.NewServer(hub)
	defer server.Close()
	read := func(lastID string) string {
		answer := request(t, server.URL+"/events", "GET", "t", "", "Last-Event-ID", lastID, "Vext-Client", "reader")
		request(t, server.URL+"/push", "POST", "t", `{"new":"end"}`)
		var text strings.Builder
		for buf := make([]byte, 1024); !strings.Contains(text.String(), `"end"}`+"\n\n"); {
			n, err := answer.Body.Read(buf)
			text.Write(buf[:n])
			if err != nil {
				t.Fatal(errors.Join(err, io.ErrUnexpectedEOF))
			}
		}
		answer.Body.Close()
		return text.String()
	}
	first := read("")
	_, id, _ := strings.Cut(first, "id: ")
	id, _, _ = strings.Cut(id, "\n")
	request(t, server.URL+"/push", "POST", "t", `{"new":"one"}`)
	request(t, server.URL+"/push", "POST", "t", `{"new":"own"}`, "Vext-Client", "reader")
	if got := read(id); !strings.Contains(got, `"one"`) || strings.Contains(got, `"own"`) {
		t.Errorf("after %s: %s", id, got)
	}
	for _, other := range []string{"", "x-1", "nonsense"} {
		if got := read(other); strings.Contains(got, `"one"`) {
			t.Errorf("after %q: %s", other, got)
		}
	}
}

// What another machine announces over HTTP counts as little as over XMPP: no path, no remote
// helper and no option of a program comes through.
func TestHTTPHostile(t *testing.T) {
	server := httptest.NewServer(peers.NewHub("t"))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan peers.Push, 10)
	done := make(chan struct{})
	l := link(t, peers.HTTP{URL: server.URL, Token: "t"})
	go func() { defer close(done); l.Run(ctx, func(p peers.Push) { got <- p }) }()
	defer func() { cancel(); <-done }()
	<-got // it is connected
	for _, body := range []string{
		`{"new":"--exec=x"}`, `{"branch":"-x"}`, `{"repository":"a\nb"}`, `{"host":"` + strings.Repeat("x", 200) + `"}`,
		`{"new":"0a","urls":["ext::sh -c x","--upload-pack=x","file:///etc","/etc","ssh://-oProxyCommand=x/","https://lap.local/n","me@lap:n"]}`,
	} {
		request(t, server.URL+"/push", "POST", "t", body)
	}
	if p := <-got; p.New != "0a" || !slices.Equal(p.URLs, []string{"https://lap.local/n", "me@lap:n"}) {
		t.Errorf("%+v", p)
	}
}

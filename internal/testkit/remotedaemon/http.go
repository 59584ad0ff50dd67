package remotedaemon

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// An HTTP is a web server with the repositories of a world.
type HTTP struct {
	URL      string
	Requests atomic.Int64
}

// HTTP starts git's own web server.
func (w *World) HTTP() *HTTP {
	w.t.Helper()
	path := strings.TrimSpace(w.Sh("git --exec-path"))
	h := new(HTTP)
	backend := &cgi.Handler{
		Path: filepath.Join(path, "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + w.Dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + filepath.Join(w.Dir, "home")},
	}
	s := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		h.Requests.Add(1)
		backend.ServeHTTP(out, r)
	}))
	w.t.Cleanup(s.Close)
	h.URL = s.URL
	return h
}

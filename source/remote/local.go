package remote

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"vext/internal/program"
)

// A local is the transport for a remote that is a path on this machine.
type local struct {
	path     string       // absolute
	warn     func(string) // gets what else the user should know
	watching atomic.Pointer[refWatch]
}

func newLocal(path string, warn func(string)) *local { return &local{path: path, warn: warn} }

func (l *local) String() string {
	if w := l.watching.Load(); w != nil && w.isPolled.Load() {
		return "local, polled"
	}
	return "local"
}

// watch is transport.watch. It fails while there is no repository at the path.
func (l *local) watch(ctx context.Context, ready, changed func()) error {
	dir, err := findGitDir(ctx, l.path)
	if err != nil {
		return err
	}
	w := &refWatch{dir: dir, warn: l.warn}
	l.watching.Store(w)
	return w.run(ctx, ready, changed)
}

// list is lister.list: without git-upload-pack, unless that hides some refs, or leaves out
// those that are broken.
func (l *local) list(ctx context.Context, _ []string) (refs, error) {
	at := l.watching.Load().dir
	_, noneHidden := gitIn(ctx, at.own, "config", "--get-regexp", `^(transfer|uploadpack)\.hiderefs$`)
	if noneHidden != nil {
		out, err := gitIn(ctx, at.own, "show-ref", "--head", "--dereference")
		var failure *program.Error
		if errors.As(err, &failure) && failure.Status() == 1 && failure.Stderr == "" {
			err = nil // there are none
		}
		if err == nil || ctx.Err() != nil {
			return parseRefs(string(out), " "), err
		}
	}
	out, err := lsRemoteIn(ctx, at.own)
	return parseRefs(string(out), "\t"), err
}

// localPath returns the path that a URL of git names on this machine. A relative path
// starts from base, the directory in which git runs. Git decides as is_local in its
// connect.c does: a colon before the first slash is scp's.
func localPath(of, base string) (path string, isLocal bool) {
	if rest, isFile := strings.CutPrefix(of, "file://"); isFile {
		if path, err := url.PathUnescape(rest); err == nil {
			rest = path
		}
		if !strings.HasPrefix(rest, "/") {
			rest = "//" + rest // a host counts as a directory
		}
		return filepath.Clean(rest), true
	}
	colon, slash := strings.IndexByte(of, ':'), strings.IndexByte(of, '/')
	if of == "" || colon >= 0 && (slash < 0 || colon < slash) {
		return "", false
	}
	if !filepath.IsAbs(of) && !strings.HasPrefix(of, "~") {
		of = filepath.Join(base, of)
	}
	return of, true
}

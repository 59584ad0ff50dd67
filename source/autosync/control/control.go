// Package control is how the user's commands reach the trees of the processes that keep them
// in sync: each process has a socket.
package control

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"vext/internal/socket"
	"vext/source/autosync"
)

// A Tree is one as its user reaches it through the control socket.
type Tree interface {
	Root() string
	Status() autosync.Status
	Pause()
	Resume()
	Now(ctx context.Context) error
}

// A Process is a process that keeps trees in sync.
type Process struct {
	PID     int               `json:"pid"`
	Started time.Time         `json:"started"`
	Trees   []autosync.Status `json:"trees"`
}

// An Outcome is what became of a request for one tree.
type Outcome struct {
	Path  string `json:"path"`
	Error string `json:"error,omitempty"`
}

// What a client can ask for.
const (
	DoStatus = "status"
	DoPause  = "pause"
	DoResume = "resume"
	DoNow    = "now"
)

// A request is the one line of JSON that a client writes.
type request struct {
	Do    string   `json:"do"`
	Paths []string `json:"paths,omitempty"` // roots of trees; none for all
}

// An answer is one line of JSON.
type answer struct {
	Error    string    `json:"error,omitempty"`
	Process  *Process  `json:"process,omitempty"`
	Outcomes []Outcome `json:"outcomes,omitempty"`
}

const (
	maxRequest = 1 << 20
	maxAnswer  = 16 << 20
)

// A Server is the socket by which the user's commands reach the trees of this process.
type Server struct {
	trees    func() []Tree
	started  time.Time
	log      *slog.Logger
	listener *net.UnixListener
	path     string
}

// Open listens in the directory for the sockets of this user.
func Open(trees func() []Tree, started time.Time, log *slog.Logger) (*Server, error) {
	dir, err := makeControlDir()
	if err != nil {
		return nil, err
	}
	c := &Server{trees: trees, started: started, log: log, path: filepath.Join(dir, strconv.Itoa(os.Getpid())+".sock")}
	for n := 1; ; n++ { // a test has several in one process
		c.listener, err = socket.Listen(c.path, 0o600)
		if err == nil || n > 100 {
			return c, err
		}
		c.path = filepath.Join(dir, fmt.Sprintf("%d-%d.sock", os.Getpid(), n))
	}
}

// Serve answers until ctx ends, and removes the socket.
func (c *Server) Serve(ctx context.Context) {
	defer os.Remove(c.path) // of a long path it would stay
	socket.ServeOn(ctx, c.listener, c.handle, func(err error) { c.log.Warn("control socket", "error", err) })
}

// handle serves one client.
func (c *Server) handle(ctx context.Context, conn *net.UnixConn) {
	if !socket.IsOurs(conn) {
		return
	}
	var r request
	if err := socket.Read(conn, maxRequest, &r); err != nil {
		socket.Write(conn, answer{Error: "request: " + err.Error()})
		return
	}
	socket.Write(conn, c.answer(ctx, r))
}

func (c *Server) answer(ctx context.Context, r request) answer {
	do, ok := map[string]func(Tree) error{
		DoStatus: nil,
		DoPause:  func(t Tree) error { t.Pause(); return nil },
		DoResume: func(t Tree) error { t.Resume(); return nil },
		DoNow:    func(t Tree) error { return t.Now(ctx) },
	}[r.Do]
	if !ok {
		return answer{Error: fmt.Sprintf("unknown request %q", r.Do)}
	}
	trees := c.chosen(r.Paths)
	if do == nil {
		return answer{Process: c.status(trees)}
	}
	outcomes := make([]Outcome, len(trees))
	var all sync.WaitGroup
	for i, t := range trees {
		all.Go(func() {
			outcomes[i].Path = t.Root()
			if err := do(t); err != nil {
				outcomes[i].Error = err.Error()
			}
		})
	}
	all.Wait()
	return answer{Outcomes: outcomes}
}

// chosen returns the trees with these roots, all if there are none.
func (c *Server) chosen(paths []string) []Tree {
	trees := c.trees()
	if len(paths) > 0 {
		trees = slices.DeleteFunc(slices.Clone(trees), func(t Tree) bool { return !slices.Contains(paths, t.Root()) })
	}
	return trees
}

// treeTime is how long a tree has to say its status: a file system may not answer.
const treeTime = 2 * time.Second

func (c *Server) status(trees []Tree) *Process {
	p := &Process{PID: os.Getpid(), Started: c.started, Trees: []autosync.Status{}}
	late := make(chan struct{})
	defer time.AfterFunc(treeTime, func() { close(late) }).Stop()
	states := make([]chan autosync.Status, len(trees))
	for i, t := range trees {
		states[i] = make(chan autosync.Status, 1)
		go func() { states[i] <- t.Status() }()
	}
	for i, t := range trees {
		select {
		case s := <-states[i]:
			p.Trees = append(p.Trees, s)
		case <-late:
			p.Trees = append(p.Trees, autosync.NewStatus(t.Root(), autosync.Failing, "its file system does not answer"))
		}
	}
	slices.SortFunc(p.Trees, func(a, b autosync.Status) int { return cmp.Compare(a.Path, b.Path) })
	return p
}

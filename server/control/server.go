package control

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"vext/internal/socket"
)

// A Caller is the user at the other end of a connection.
type Caller struct {
	Login     string
	Addresses []string // the reminders for these are the caller's
}

// A Server answers the requests that arrive at the socket.
type Server struct {
	Users *Users
	// Do does what a caller asks for. It is called by several goroutines.
	Do  func(context.Context, *Caller, *Request) *Answer
	Log *slog.Logger

	mu   sync.Mutex
	open map[uint32]int // connections, by user
	all  int
}

// Maximum numbers of simultaneous connections: of all users, and of one. Further
// connections get an answer that says to try again.
const (
	maxConns   = 32
	maxPerUser = 4
)

// Serve answers requests until ctx ends, and returns when all requests that came
// by then are answered. It closes the listener.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	err := socket.Serve(ctx, l, func(ctx context.Context, conn *net.UnixConn) {
		uid, err := socket.Peer(conn)
		if err != nil {
			s.Log.Error("control socket", "err", err)
			return
		}
		answer := &Answer{Error: "vext serve is busy with other requests", Hint: "try again"}
		if s.enter(uid) {
			defer s.leave(uid)
			answer = s.serve(ctx, conn, uid)
		}
		if err := socket.Write(conn, answer); err != nil {
			s.Log.Debug("control socket", "err", err)
		}
	})
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

// enter counts a connection of a user, and reports whether the limits allow it.
func (s *Server) enter(uid uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == maxConns || s.open[uid] == maxPerUser {
		return false
	}
	if s.open == nil {
		s.open = map[uint32]int{}
	}
	s.all++
	s.open[uid]++
	return true
}

func (s *Server) leave(uid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.open[uid]--; s.open[uid] == 0 {
		delete(s.open, uid)
	}
}

// serve reads one request and returns its answer.
func (s *Server) serve(ctx context.Context, conn net.Conn, uid uint32) *Answer {
	request, err := readRequest(conn)
	if err != nil {
		return &Answer{Error: err.Error(), Usage: true}
	}
	if request.Command == "" { // only a check that vext serve answers
		return &Answer{}
	}
	login, err := s.Users.login(uid)
	if err != nil {
		s.Log.Warn("control socket: a user without a name", "uid", uid, "err", err)
		return &Answer{Error: fmt.Sprintf("user %d has no login on this machine", uid)}
	}
	caller := &Caller{login, s.Users.Addresses(login)}
	answer := s.do(ctx, caller, request)
	s.Log.Info("control socket", "user", login, "command", request.Command, "args", request.Args, "err", answer.Error)
	return answer
}

// do calls s.Do, and turns a panic into an error, so that no request ends the
// service.
func (s *Server) do(ctx context.Context, caller *Caller, r *Request) (answer *Answer) {
	defer func() {
		if r := recover(); r != nil {
			answer = &Answer{Error: fmt.Sprintf("panic: %v", r), Hint: "this is a bug in vext; please report it"}
		}
	}()
	return s.Do(ctx, caller, r)
}

// Package control is the control socket, through which users of this machine ask a
// running vext serve to show, snooze, mark and cancel the reminders that go to them. The
// system says who connects, so a user needs no rights on the state directory.
//
// A connection carries one request and one answer, each one line of JSON.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vext/internal/socket"
)

// Paths are the default paths of the socket.
var Paths = []string{"/run/vext/control", "/var/run/vext/control"}

// A Request is one command of vext, without the name of the program.
type Request struct {
	Command string            `json:"command"`
	Args    []string          `json:"args,omitempty"`
	Flags   map[string]string `json:"flags,omitempty"` // by their long names
}

// An Answer is what the command printed, and its error.
type Answer struct {
	Output []byte `json:"output,omitempty"`
	Error  string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"`  // what to do about the error
	Usage  bool   `json:"usage,omitempty"` // the request itself is wrong
}

// Bounds of a request and its answer, in bytes, and of the time of a call, which is
// more than a command waits for the lock of the state.
const (
	maxRequest = 16 << 10
	maxAnswer  = 64 << 20
	callTime   = time.Minute
)

// socketMode lets every user of the machine connect. What a user may do depends on
// who connects.
const socketMode = 0o666

// Listen listens at path, and creates the directory above it if it can. It returns
// an error on a system that does not say who connects.
func Listen(path string) (*net.UnixListener, error) {
	if !socket.PeerKnown {
		return nil, socket.ErrNoPeer
	}
	if err := socket.SeesUsers(); err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		err = os.Chmod(dir, 0o755) // whatever the umask
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return socket.Listen(path, socketMode)
}

// Call sends a request to the vext serve that listens at path. The error is
// fs.ErrNotExist when there is no socket.
func Call(ctx context.Context, path string, r *Request) (*Answer, error) {
	request, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if len(request) >= maxRequest {
		return nil, errors.New("the command line is too long")
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	answer := new(Answer)
	if err := socket.Call(ctx, path, maxAnswer, json.RawMessage(request), answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// readRequest reads one line, of at most maxRequest bytes.
func readRequest(from io.Reader) (*Request, error) {
	r := new(Request)
	if err := socket.Read(from, maxRequest, r); err != nil {
		return nil, fmt.Errorf("not a request: %w", err)
	}
	return r, nil
}

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

// Users maps the users of this machine to their addresses.
type Users struct {
	// Table has the addresses of some users, by their logins.
	Table map[string][]string
	// Domain makes login@Domain the address of every user who is not in the
	// table; "" makes none.
	Domain string
}

// Addresses returns the addresses of a user, none for a user who is not a
// committer.
func (u *Users) Addresses(login string) []string {
	if own, listed := u.Table[login]; listed {
		return own
	}
	if u.Domain == "" {
		return nil
	}
	return []string{login + "@" + u.Domain}
}

// Has reports whether an address belongs to a user of this machine.
func (u *Users) Has(address string) bool {
	for login, own := range u.Table {
		if Contains(own, address) && Exists(login) {
			return true
		}
	}
	local, domain, _ := strings.Cut(address, "@")
	if u.Domain == "" || !strings.EqualFold(domain, u.Domain) {
		return false
	}
	for _, login := range []string{local, strings.ToLower(local)} {
		if _, listed := u.Table[login]; !listed && Exists(login) {
			return true
		}
	}
	return false
}

// Contains reports whether a list has an address. Case does not matter.
func Contains(addresses []string, address string) bool {
	return slices.ContainsFunc(addresses, func(a string) bool { return strings.EqualFold(a, address) })
}

func (u *Users) login(uid uint32) (string, error) {
	id := strconv.FormatUint(uint64(uid), 10)
	if known, err := user.LookupId(id); err == nil {
		return known.Username, nil
	}
	return askSystem("-un", id)
}

// Exists reports whether the machine has a user of that name.
func Exists(login string) bool {
	if login == "" || strings.HasPrefix(login, "-") {
		return false
	}
	if _, err := user.Lookup(login); err == nil {
		return true
	}
	_, err := askSystem("-u", login)
	return err == nil
}

// lookupTime bounds how long a directory service may take.
const lookupTime = 5 * time.Second

// askSystem runs id(1). It also finds users in a directory such as LDAP, which Go finds
// only with cgo, and vext is built without cgo.
func askSystem(option, who string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "id", option, who).Output()
	name := strings.TrimSpace(string(out))
	if err != nil || name == "" || name == who { // no name, only the number again
		return "", fmt.Errorf("id %s %s: no such user", option, who)
	}
	return name, nil
}

// Package control is the control socket, through which users of this machine ask a
// running vext serve to show, snooze and cancel the reminders that go to them. The
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
	"net"
	"os"
	"path/filepath"
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

package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"vext/internal/disk"
	"vext/internal/hint"
	"vext/internal/program"
	"vext/internal/socket"
)

// A Client reaches the daemon of a clone.
type Client struct{ commonDir string }

// Find finds the clone of a directory, in which a daemon need not run.
func Find(ctx context.Context, dir string) (*Client, error) {
	c, err := openClone(ctx, dir, io.Discard)
	if failure := new(program.Error); errors.As(err, &failure) && failure.Says("bad config") {
		if found, ok := commonDirOf(dir); ok { // the daemon goes on with the old configuration
			return &Client{found}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return &Client{c.commonDir}, nil
}

// commonDirOf finds the git directory that work trees share, without git, which can't do
// that while its configuration is broken.
func commonDirOf(dir string) (string, bool) {
	dir, err := filepath.Abs(dir)
	for ; err == nil; dir = filepath.Dir(dir) {
		own := filepath.Join(dir, ".git")
		if text, err := disk.ReadFile(own); err == nil { // of a linked work tree
			own = against(dir, strings.TrimPrefix(string(text), "gitdir: "))
		}
		if text, err := disk.ReadFile(filepath.Join(own, "commondir")); err == nil {
			own = against(own, string(text))
		}
		if _, err := os.Stat(filepath.Join(own, "HEAD")); err == nil {
			return own, true
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return "", false
}

// against returns the path in a file of one line, which may be relative to dir.
func against(dir, text string) string {
	path := strings.TrimSuffix(text, "\n")
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return path
}

// maxAnswer bounds the status of some thousands of remotes, in bytes.
const maxAnswer = 16 << 20

// stopTime is how long a daemon may take to end the programs that it has started.
const stopTime = 10 * time.Second

// leaveTime is how long a daemon may run on after it has closed its connections.
const leaveTime = 2 * time.Second

// Send has the daemon handle a line of the control protocol. After STOP it returns when
// the daemon has ended.
func (c *Client) Send(ctx context.Context, line string) error {
	if strings.ContainsAny(line, "\n\x00") {
		return errors.New("a command is one line")
	}
	if len(line) >= maxLine {
		return fmt.Errorf("a command has at most %d bytes", maxLine)
	}
	if _, err := c.call(ctx, request{Do: doCommand, Line: line}); err != nil {
		if _, _, bad := parseCommand(line); bad != nil && hint.Of(err) == "" {
			err = hint.Wrap(err, "the commands are PAUSE, LOSTNET, RESUME, RELOAD, CHANGED REF... and STOP")
		}
		return err
	}
	if line == stopCommand {
		return waitForEnd(ctx, c.commonDir, stopTime)
	}
	return nil
}

// Status asks the daemon for the state of its remotes.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	a, err := c.call(ctx, request{Do: doStatus})
	if err == nil && a.Status == nil {
		err = errors.New("the daemon has answered without its status")
	}
	if err != nil {
		return nil, err
	}
	return a.Status, nil
}

func (c *Client) call(ctx context.Context, r request) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	a := new(answer)
	if err := socket.Call(ctx, socketPath(c.commonDir), maxAnswer, r, a); err != nil {
		return nil, c.explain(err)
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return a, nil
}

// Watch writes the events to w, each as it comes, until the daemon or ctx ends.
func (c *Client) Watch(ctx context.Context, w io.Writer) error {
	conn, err := socket.Dial(ctx, socketPath(c.commonDir))
	if err != nil {
		return c.explain(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := socket.Write(conn, request{Do: doWatch}); err != nil {
		return c.explain(err)
	}
	if err := copyLines(w, conn); err != nil && ctx.Err() == nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	if waitForEnd(ctx, c.commonDir, leaveTime) != nil && ctx.Err() == nil {
		return errors.New("the daemon has closed the connection: the events were read too slowly, and some are lost")
	}
	return nil
}

// copyLines writes whole lines, each by one call.
func copyLines(w io.Writer, conn net.Conn) error {
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			return nil
		}
		if err == nil {
			_, err = io.WriteString(w, line)
		}
		if err != nil {
			return err
		}
	}
}

// explain says why a daemon can't be reached.
func (c *Client) explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return hint.Wrap(err, "vext remote runs as another user there")
	}
	held := new(HeldError)
	if errors.As(waitForEnd(context.Background(), c.commonDir, 0), &held) {
		return hint.Wrap(fmt.Errorf("%w, which does not answer: %w", held, err), fmt.Sprintf("see its log %s/%s; kill %d ends it", runDir(c.commonDir), logName, held.PID))
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) { // it may just have ended
		return hint.Wrap(fmt.Errorf("no vext remote watches %s", c.commonDir), "start it: vext remote")
	}
	return err
}

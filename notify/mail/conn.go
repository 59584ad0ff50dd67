package mail

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// A boundedConn fails when the server's answer does not end. It also knows whether all
// data was sent.
type boundedConn struct {
	net.Conn
	n      int         // bytes read since something was written
	failed atomic.Bool // a write has failed
}

// closeAfter closes the connection when ctx ends, unless stop is called before.
func (c *boundedConn) closeAfter(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { c.Close() })
}

// maxAnswer is more than any answer, or any chain of certificates, has.
const maxAnswer = 1 << 20

func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.n += n; c.n > maxAnswer {
		return n, errors.New("the server's answer has no end")
	}
	return n, err
}

func (c *boundedConn) Write(p []byte) (int, error) {
	c.n = 0
	n, err := c.Conn.Write(p)
	if err != nil {
		c.failed.Store(true)
	}
	return n, err
}

// A greetedConn replays the server's greeting, which was already read.
type greetedConn struct {
	net.Conn
	said bool
}

func (c *greetedConn) Read(p []byte) (int, error) {
	if c.said {
		return c.Conn.Read(p)
	}
	c.said = true
	return copy(p, "220 greeted before\r\n"), nil
}

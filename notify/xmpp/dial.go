package xmpp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxAddresses bounds how many addresses are tried in one attempt.
const maxAddresses = 8

// An address is where a server can be reached.
type address struct {
	host     string // host:port
	isDirect bool   // connections begin with TLS (XEP-0368), instead of STARTTLS
	priority uint16
}

// addresses returns where the server of the account can be reached, the best first.
func (c *Client) addresses(ctx context.Context) ([]address, error) {
	if c.o.Server != "" {
		_, port, _ := net.SplitHostPort(c.o.Server)
		return []address{{host: c.o.Server, isDirect: port == "5223"}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.pace.dial)
	defer cancel()
	var found []address
	isRefused := false
	for _, service := range []string{"xmpps-client", "xmpp-client"} { // of one priority, TLS at once is first
		_, records, err := c.o.Lookup(ctx, service, "tcp", c.tls.ServerName)
		if err != nil {
			continue // there are none, or the connection to the domain fails as well
		}
		for _, r := range records {
			if r.Target == "." {
				isRefused = isRefused || service == "xmpp-client"
				continue
			}
			host := net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port)))
			found = append(found, address{host, service == "xmpps-client", r.Priority})
		}
	}
	slices.SortStableFunc(found, func(a, b address) int { return cmp.Compare(a.priority, b.priority) })
	switch {
	case len(found) > 0:
		return found[:min(len(found), maxAddresses)], nil
	case isRefused:
		return nil, fmt.Errorf("%s serves no XMPP, by its SRV records", c.domain)
	}
	return []address{{host: net.JoinHostPort(c.tls.ServerName, "5222")}}, nil
}

// connect connects and logs in at the first address that works.
func (c *Client) connect(ctx context.Context) (*stream, string, error) {
	all, err := c.addresses(ctx)
	for _, a := range all {
		var s *stream
		var self string
		if s, self, err = c.connectTo(ctx, a); err == nil {
			return s, self, nil
		}
		if isRejected(err) || isConflict(err) || ctx.Err() != nil {
			break
		}
	}
	return nil, "", err
}

func (c *Client) connectTo(ctx context.Context, a address) (s *stream, self string, err error) {
	c.update(func(status *Status) { status.Server = a.host })
	dialing, cancel := context.WithTimeout(ctx, c.pace.dial)
	conn, err := c.o.Dial(dialing, "tcp", a.host)
	cancel()
	if err != nil {
		return nil, "", err
	}
	ctx, cancel = context.WithTimeout(ctx, c.pace.login)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(c.pace.login))
	s = newStream(conn, c.domain, c.pace.write)
	if self, err = c.login(ctx, s, a.isDirect, c.resource); err == nil {
		err = s.send(node(nsClient, "presence").with(node(nsClient, "priority").containing("0")))
	}
	switch isInTime := stop(); {
	case err == nil && isInTime:
		return s, self, conn.SetReadDeadline(time.Time{})
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = errSilent
	case err == nil:
		err = ctx.Err()
	}
	conn.Close()
	return nil, "", err
}

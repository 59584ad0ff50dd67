package remote

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"vext/internal/commit"
)

// Bounds of what a server may make us keep.
const (
	maxPacket   = 65520   // bytes
	maxRefs     = 1 << 20 // that are wanted
	maxNameSize = 128     // of a ref, on average
	maxPrefixes = 65535   // git ignores them all when there are more
)

// list lists the refs of the remote whose names begin with one of the prefixes; none means all.
// A tag has a second entry "refs/tags/v1^{}" with the object to which it points.
//
// It runs git-upload-pack over a warm connection and speaks the protocol itself, because
// git ls-remote never asks for less than all branches. Each list needs a new upload-pack: one
// that runs answers from the loose refs that it has read before.
func (l *sshLink) list(ctx context.Context, prefixes []string) (all refs, err error) {
	limit := l.masters.times.poll
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s: no refs within %s", l.host, limit))
	defer cancel()
	master, err := l.masters.acquire(ctx, l)
	if err != nil {
		return nil, err
	}
	defer func() { l.masters.release(master, err != nil && !errors.Is(context.Cause(ctx), context.Canceled)) }()
	p, err := l.start(master, l.uploadPack+" "+quote(l.path))
	if err != nil {
		return nil, err
	}
	defer p.end()
	defer context.AfterFunc(ctx, p.kill)()
	defer p.drained()()
	all, err = lsRefs(bufio.NewReaderSize(p.stdout, 16<<10), p.stdin, prefixes)
	p.stdin.Close()
	switch {
	case err == nil:
		select {
		case <-p.exited: // by itself
		case <-time.After(inheritDelay):
		}
		return all, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, errEnded):
		<-p.exited
		return nil, l.explain(p, master)
	}
	return nil, fmt.Errorf("%s: %w", l.host, err)
}

// errEnded says that the server has sent less than the protocol asks for.
var errEnded = errors.New("the server has closed the connection")

// lsRefs reads the refs from a git-upload-pack that speaks protocol v2, or, where that was
// not asked for because sshd does not accept GIT_PROTOCOL, v0 or v1.
func lsRefs(r *bufio.Reader, w io.Writer, prefixes []string) (refs, error) {
	packets := &packetReader{r: r}
	first, err := packets.next()
	switch {
	case err != nil:
		return nil, err
	case string(first) == "version 2":
		return lsRefsV2(packets, w, prefixes)
	case string(first) == "version 1":
		first, err = packets.next()
	}
	list := newRefList(prefixes)
	for ; err == nil && first != nil; first, err = packets.next() {
		first, _, _ = bytes.Cut(first, []byte{0}) // capabilities
		hash, name, ok := strings.Cut(string(first), " ")
		if hash == "shallow" || name == "capabilities"+peeled {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("the server has sent %.60q as a ref", first)
		}
		if err := list.add(hash, name); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	io.WriteString(w, "0000") // no want
	return list.all, nil
}

// lsRefsV2 asks for refs after a line "version 2".
func lsRefsV2(packets *packetReader, w io.Writer, prefixes []string) (refs, error) {
	format := ""
	for {
		capability, err := packets.next()
		if err != nil {
			return nil, err
		}
		if capability == nil {
			break
		}
		if bytes.HasPrefix(capability, []byte("object-format=")) {
			format = string(capability)
		}
	}
	if _, err := w.Write(lsRefsRequest(format, prefixes)); err != nil {
		return nil, errEnded
	}
	list := newRefList(prefixes)
	for {
		packet, err := packets.next()
		if err != nil {
			return nil, err
		}
		if packet == nil {
			return list.all, nil
		}
		fields := strings.Split(string(packet), " ")
		if len(fields) < 2 {
			return nil, fmt.Errorf("the server has sent %.60q as a ref", packet)
		}
		if fields[0] == "unborn" {
			continue
		}
		if err := list.add(fields[0], fields[1]); err != nil {
			return nil, err
		}
		for _, attribute := range fields[2:] {
			if hash, ok := strings.CutPrefix(attribute, "peeled:"); ok {
				if err := list.add(hash, fields[1]+peeled); err != nil {
					return nil, err
				}
			}
		}
	}
}

// lsRefsRequest returns the request, and the packet that ends the connection after it.
func lsRefsRequest(format string, prefixes []string) []byte {
	request := appendPacket(nil, "command=ls-refs\n")
	if format != "" {
		request = appendPacket(request, format+"\n")
	}
	request = append(request, "0001"...)
	request = appendPacket(request, "peel\n")
	if len(prefixes) <= maxPrefixes {
		for _, prefix := range prefixes {
			request = appendPacket(request, "ref-prefix "+prefix+"\n")
		}
	}
	return append(request, "00000000"...)
}

func appendPacket(b []byte, text string) []byte { return fmt.Appendf(b, "%04x%s", len(text)+4, text) }

// A refList has the refs that are wanted: prefixes are only a hint to the server.
type refList struct {
	all      refs
	prefixes []string
	room     int // for more
	bytes    int // of names
}

func newRefList(prefixes []string) *refList {
	return &refList{all: refs{}, prefixes: prefixes, room: maxRefs}
}

func (l *refList) add(hash, name string) error {
	if !commit.IsHash(hash) || name == "" {
		return fmt.Errorf("the server has sent %.60q as the value of %.60q", hash, name)
	}
	isWanted := len(l.prefixes) == 0
	for _, prefix := range l.prefixes {
		isWanted = isWanted || strings.HasPrefix(name, prefix)
	}
	if !isWanted {
		return nil
	}
	l.room--
	if l.bytes += len(name); l.room < 0 || l.bytes > maxRefs*maxNameSize {
		return fmt.Errorf("the server has more than %d refs, or too long ones", maxRefs)
	}
	l.all[name] = hash
	return nil
}

// A packetReader reads git's packets (gitprotocol-common(5)).
type packetReader struct {
	r      *bufio.Reader
	buffer []byte
}

// next returns the next packet without a newline at its end, nil for one that ends a list. It is valid
// until the next call. A packet in which the server reports an error is an error.
func (p *packetReader) next() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return nil, errEnded
	}
	n, err := strconv.ParseUint(string(head[:]), 16, 16)
	switch {
	case err != nil || n == 3 || n > maxPacket:
		return nil, fmt.Errorf("%q is no answer of git; does a shell's startup file print it?", head)
	case n < 4:
		return nil, nil
	}
	if n -= 4; p.buffer == nil || uint64(cap(p.buffer)) < n {
		p.buffer = make([]byte, n)
	}
	packet := p.buffer[:n:n]
	if _, err := io.ReadFull(p.r, packet); err != nil {
		return nil, errEnded
	}
	if words, ok := bytes.CutPrefix(packet, []byte("ERR ")); ok {
		return nil, errors.New(lastLine(string(words), "the server reports an error"))
	}
	return bytes.TrimSuffix(packet, []byte("\n")), nil
}

package remote

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"vext/internal/text"
)

// An Event is what a Daemon reports.
type Event struct {
	Kind EventKind
	URI  string
	OK   bool   // of Done
	Text string // of Warning
}

// An EventKind is the first word of an event.
type EventKind string

// The events. Connected and Disconnected alternate for each remote, and each Syncing is
// followed by one Done.
const (
	Connected    EventKind = "CONNECTED"
	Disconnected EventKind = "DISCONNECTED"
	Syncing      EventKind = "SYNCING"
	Done         EventKind = "DONESYNCING"
	Warning      EventKind = "WARNING"
)

// Line returns an event as a line without its end. The flag of Done is last, as
// git-annex has it, or first, as in the design of the protocol.
func (e Event) Line(flagFirst bool) string {
	flag := "0"
	if e.OK {
		flag = "1"
	}
	switch {
	case e.Kind == Warning:
		return fmt.Sprintf("%s %s %s", e.Kind, e.URI, e.Text)
	case e.Kind == Done && flagFirst:
		return fmt.Sprintf("%s %s %s", e.Kind, flag, e.URI)
	case e.Kind == Done:
		return fmt.Sprintf("%s %s %s", e.Kind, e.URI, flag)
	}
	return fmt.Sprintf("%s %s", e.Kind, e.URI)
}

// The commands of the protocol.
const (
	pauseCommand   = "PAUSE"
	lostNetCommand = "LOSTNET"
	resumeCommand  = "RESUME"
	changedCommand = "CHANGED"
	reloadCommand  = "RELOAD"
	stopCommand    = "STOP"
)

// maxLine bounds a control line, in bytes.
const maxLine = 64 << 10

// ReadCommands handles the lines that it reads, up to the end of r.
func (d *Daemon) ReadCommands(r io.Reader) error {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			d.warn("a line is longer than %d bytes and is ignored", maxLine)
			if err = skipLine(in); err == nil {
				continue
			}
		} else if whole := strings.TrimSuffix(string(line), "\n"); err == nil || whole != "" {
			d.Command(whole)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func skipLine(in *bufio.Reader) error {
	for {
		if _, err := in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// parseCommand parses a control line without its end. Only CHANGED has arguments.
func parseCommand(line string) (word string, refs []string, err error) {
	word, rest, hasRest := strings.Cut(strings.TrimSuffix(line, "\r"), " ")
	switch word {
	case changedCommand:
		return word, strings.Fields(rest), nil
	case pauseCommand, lostNetCommand, resumeCommand, reloadCommand, stopCommand:
		if hasRest {
			return "", nil, fmt.Errorf("malformed line %s: %s has no argument", quoteLine(line), word)
		}
		return word, nil, nil
	}
	return "", nil, fmt.Errorf("unknown command %s", quoteLine(line))
}

// quoteLine returns a line from a stranger for a message.
func quoteLine(line string) string {
	return fmt.Sprintf("%q", text.Shorten(text.OneLine(strings.ToValidUTF8(line, "?")), 80))
}

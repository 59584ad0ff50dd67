package peers

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// A sseEvent is a server-sent event.
type sseEvent struct{ id, kind, data string }

// readEvents reads server-sent events until the connection ends. alive is called for each line.
func readEvents(r io.Reader, alive func(), handle func(sseEvent)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxEvent)
	var e sseEvent
	var data []string
	size := 0
	for lines.Scan() {
		alive()
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			if len(data) > 0 {
				e.data = strings.Join(data, "\n")
				handle(e)
			}
			e, data, size = sseEvent{}, nil, 0
			continue
		}
		if size += len(line); size > maxEvent {
			return errors.New("the server sends an event that is too long")
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			data = append(data, value)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("the server has closed the connection")
}

package remote

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"vext/internal/text"
)

// A progress passes on what git prints, without the lines that only show progress. A server
// may have git print anything.
type progress struct {
	out  io.Writer
	hide func(string) string
	seen func()
	line bytes.Buffer
}

// maxPrinted bounds a line, in bytes. Of a longer one the beginning is left out.
const maxPrinted = 8 << 10

func (p *progress) Write(data []byte) (int, error) {
	p.seen()
	for _, c := range data {
		switch p.line.WriteByte(c); {
		case c == '\r', p.line.Len() > maxPrinted:
			p.line.Reset()
		case c == '\n':
			if line := p.line.String(); !isProgress(line) {
				fmt.Fprintln(p.out, strings.TrimRight(text.Clean(strings.ToValidUTF8(p.hide(line), "?")), "\n"))
			}
			p.line.Reset()
		}
	}
	return len(data), nil
}

// isProgress recognises "Receiving objects: 100% (3/3), done." and the server's
// "remote: Enumerating objects: 5, done."
func isProgress(line string) bool {
	line = strings.TrimRight(line, " \n")
	return strings.Contains(line, ": ") && (strings.Contains(line, "% (") || strings.HasSuffix(line, ", done.")) ||
		strings.HasPrefix(line, "remote: Total ")
}

package main

// The rules of what a person sees:
//
//   - Standard output has the answer of a command, standard error the rest.
//   - A run that had nothing to do prints nothing, since cron would mail it.
//   - Errors are `vext: error: ...`, failures that vext retries by itself are
//     `vext: warning: ...`, and advice is `vext: hint: ...`. A message about a
//     repository is `vext: NAME: ...`.
//   - Days have their weekday and distance: Fri 4 Dec, in 2 weeks.
//   - Colour only on a terminal, and never with NO_COLOR (no-color.org).
//   - --json prints for programs what the table prints for people.

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"vext/internal/text"
	"vext/queue"
)

// terminal returns the file behind w if that is a terminal.
func terminal(w io.Writer) (*os.File, bool) {
	f, ok := w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// width returns how wide the terminal behind w is, and 0 where there is none.
func width(w io.Writer) int {
	f, ok := terminal(w)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 80
	}
	return columns
}

// A style makes text bold, dim or coloured, or leaves it as it is.
type style struct{ on bool }

func styleFor(w io.Writer) style {
	_, isTerminal := terminal(w)
	return style{isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s style) sgr(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string   { return s.sgr("1", text) }
func (s style) dim(text string) string    { return s.sgr("2", text) }
func (s style) red(text string) string    { return s.sgr("31", text) }
func (s style) green(text string) string  { return s.sgr("32", text) }
func (s style) yellow(text string) string { return s.sgr("33", text) }

// column fits text into a column of n cells: cut with an ellipsis, or filled
// with blanks.
func column(text string, n int) string {
	text = printable(text)
	return runewidth.FillRight(runewidth.Truncate(text, n, "…"), n)
}

// printable replaces control characters, which could move the cursor or change
// colours of a terminal: strangers write subjects.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if text.IsControl(r) {
			return '?'
		}
		return r
	}, s)
}

// confirm asks a question at the terminal; any answer but yes counts as no. Without
// a terminal it does not ask, and the answer is no.
func (a *app) confirm(question string) bool {
	in, isFile := a.stdin.(*os.File)
	if _, isTerminal := terminal(a.stderr); !isFile || !isTerminal || !term.IsTerminal(int(in.Fd())) {
		return false
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", printableLines(question))
	var answer string
	fmt.Fscanln(in, &answer)
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes"
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// printJSON writes v for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// progress shows the progress of long work on a terminal. It returns nil without a
// terminal.
func (a *app) progress(what string) queue.Progress {
	w, ok := terminal(a.stderr)
	if !ok {
		return nil
	}
	begun := time.Now()
	return func(done, total int) {
		switch {
		case time.Since(begun) < time.Second:
		case done == total:
			fmt.Fprint(w, "\r\x1b[K")
		case total > 0:
			fmt.Fprintf(w, "\r%s: %d of %d \x1b[K\r", what, done, total)
		default:
			fmt.Fprintf(w, "\r%s: %d \x1b[K\r", what, done)
		}
	}
}

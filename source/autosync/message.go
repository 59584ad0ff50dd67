package autosync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/template"
	"time"

	"vext/internal/program"
	"vext/internal/text"
	"vext/source/autosync/repo"
)

// MessageData is what the template of a message can use.
type MessageData struct {
	Subject string    // what has changed: "notes/todo.md: 3 lines"; 72 characters where possible
	List    []string  // what has changed in each file, at most 20, and how many more there are
	Host    string    // this machine
	Time    time.Time // of the commit
	When    string    // the same, "Mon 30 Nov 2026 14:05"
	Root    string    // of the work tree, absolute
	Files   []File    // all of them

	New, Changed, Renamed, Deleted int // numbers of files
}

// A File is a file of a commit, as templates and message commands see it.
type File struct {
	Path    string `json:"path"`
	From    string `json:"from,omitempty"` // its path before, if it was renamed
	Kind    string `json:"kind"`           // added, modified, renamed or deleted
	Added   int    `json:"added"`          // lines
	Deleted int    `json:"deleted"`        // lines
	Binary  bool   `json:"binary,omitempty"`
	Size    int64  `json:"size"` // in bytes, 0 for a deleted one
}

// DefaultMessage is the template of a message.
const DefaultMessage = `{{.Subject}}
{{if gt (len .Files) 1}}
{{range .List}}{{.}}
{{end}}{{end}}
on {{.Host}}, {{.When}}
`

// commandTime is how long a message command may take.
const commandTime = 10 * time.Second

// A writer writes the messages of commits.
type writer struct {
	template *template.Template
	command  []string
	root     string
	host     string
	now      func() time.Time
	log      *slog.Logger
}

func newWriter(o Options, root string) (*writer, error) {
	source := o.Message
	if source == "" {
		source = DefaultMessage
	}
	t, err := template.New("message").Option("missingkey=error").Parse(source)
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	w := &writer{t, o.MessageCommand, root, text.OneLine(o.Host), o.Now, o.Log}
	example := []repo.Stat{{Path: "example", Kind: repo.Added, Added: 1}}
	if _, err := w.render(w.files(example)); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	return w, nil
}

// write is a repo.Message.
func (w *writer) write(ctx context.Context, stats []repo.Stat) (string, error) {
	files := w.files(stats)
	message, err := w.render(files)
	if err != nil { // of a template that failed with these files only
		w.log.Warn("message: " + err.Error())
		message = subject(files)
	}
	if len(w.command) == 0 {
		return message, nil
	}
	written, err := w.run(ctx, files, message)
	if err != nil && ctx.Err() == nil {
		w.log.Warn("the message command failed; the message is that of the template", "command", w.command[0], "error", err)
	}
	if err != nil {
		return message, ctx.Err()
	}
	return written, nil
}

// render executes the template.
func (w *writer) render(files []File) (string, error) {
	now := w.now()
	d := MessageData{Subject: subject(files), List: list(files), Host: w.host, Time: now, When: now.Format("Mon 2 Jan 2006 15:04"), Root: w.root, Files: files}
	n := count(files)
	d.New, d.Changed, d.Renamed, d.Deleted = n["added"], n["modified"], n["renamed"], n["deleted"]
	var b bytes.Buffer
	if err := w.template.Execute(&b, d); err != nil {
		return "", err
	}
	message := strings.TrimSpace(text.Clean(b.String()))
	if message == "" {
		return "", errors.New("the template makes an empty message")
	}
	return message + "\n", nil
}

// files returns what templates see of the files of a commit.
func (w *writer) files(stats []repo.Stat) []File {
	files := make([]File, len(stats))
	for i, s := range stats {
		f := File{Path: s.Path, From: s.From, Kind: string(s.Kind), Added: s.Added, Deleted: s.Deleted, Binary: s.Binary}
		if s.From != "" {
			f.Kind = "renamed"
		}
		if l, exists := lookAt(w.root, s.Path); exists && s.Kind != repo.Deleted {
			f.Size = l.size
		}
		files[i] = f
	}
	return files
}

// maxWritten bounds the message of a command, in bytes.
const maxWritten = 64 << 10

// run has the command write the message. It gets the files as JSON on its standard input,
// and the message of the template in VEXT_MESSAGE.
func (w *writer) run(ctx context.Context, files []File, message string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, commandTime, fmt.Errorf("it took more than %s", commandTime))
	defer cancel()
	input, err := json.Marshal(struct {
		Message string    `json:"message"`
		Host    string    `json:"host"`
		Root    string    `json:"root"`
		Time    time.Time `json:"time"`
		Files   []File    `json:"files"`
	}{message, w.host, w.root, w.now(), files})
	if err != nil {
		return "", err
	}
	cmd := program.Command(ctx, w.command[0], w.command[1:]...)
	cmd.Dir = w.root
	cmd.Env = append(cmd.Env, "VEXT_MESSAGE="+message)
	var out bytes.Buffer
	var errs text.Tail
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &bounded{&out, maxWritten}, &errs
	err = cmd.Run()
	switch written := strings.TrimSpace(text.Clean(out.String())); {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil && errs.String() != "":
		return "", fmt.Errorf("%w: %s", err, program.Messages(errs.String()))
	case err != nil:
		return "", err
	case written == "":
		return "", errors.New("it printed nothing")
	default:
		return written + "\n", nil
	}
}

// A bounded writer drops what is too much.
type bounded struct {
	to   io.Writer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	if _, err := b.to.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"vext/internal/hint"
	"vext/internal/program"
)

// A hgRepo is a work tree of Mercurial. hg runs with the configuration of its user, so that
// hooks, encodings and the username count.
//
// Nothing is ever merged in the work tree: hg would leave it in the middle of the merge when
// it is killed, and write over what is saved meanwhile. Changes of both sides are integrated
// in a second work tree (hg share) in .hg/vext, which is removed afterwards; what comes out is
// checked out by an update that refuses to touch a file which was changed. Commits that a
// rebase has made again stay, as secret ones, which no push publishes: hg log -r 'secret()'.
type hgRepo struct {
	opts  Options
	root  string // absolute
	hg    string // .hg
	dir   string // .hg/vext: what autosync keeps
	place place  // of the root and .hg when they were opened
}

// openHg opens the work tree whose root is o.Path.
func openHg(_ context.Context, o Options) (*hgRepo, error) {
	if o.Now == nil {
		return nil, errors.New("Options.Now is missing")
	}
	h := &hgRepo{opts: o, root: o.Path, hg: filepath.Join(o.Path, ".hg")}
	h.dir = filepath.Join(h.hg, "vext")
	if _, err := exec.LookPath("hg"); err != nil {
		return nil, errors.New("hg (Mercurial) is not installed")
	}
	for dir := o.Path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(filepath.Join(dir, ".hg"))
		if err == nil && info.IsDir() && dir == o.Path {
			break
		}
		if err == nil && info.IsDir() {
			return nil, hint.Wrap(fmt.Errorf("%s: not the root of its work tree, which is %s", o.Path, dir), "autosync is for whole work trees: name "+dir)
		}
		if dir == filepath.Dir(dir) {
			return nil, hint.Wrap(fmt.Errorf("%s: not a Mercurial repository", o.Path), "vext autosync init "+o.Path)
		}
	}
	err := os.MkdirAll(h.dir, 0o700)
	if err == nil {
		h.place, err = newPlace(h.root, h.hg)
	}
	return h, err
}

// Kind implements Repository.
func (h *hgRepo) Kind() string { return "hg" }

// Root implements Repository.
func (h *hgRepo) Root() string { return h.root }

// Dir implements Repository.
func (h *hgRepo) Dir() string { return h.dir }

// Internal implements Repository.
func (h *hgRepo) Internal() []string { return []string{h.hg, filepath.Join(h.hg, "store")} }

// hgSettings are for every hg command. It asks nothing, waits for a lock only for moments, and
// merges lines by itself, without a program of the user.
var hgSettings = []string{"--noninteractive", "--config=ui.interactive=no", "--config=ui.timeout=5", "--config=ui.timeout.warn=0",
	"--config=ui.portablefilenames=ignore", "--config=ui.origbackuppath=.hg/vext/orig", "--config=progress.disable=yes",
	"--config=ui.merge=:merge", "--config=merge-patterns.**=:merge", "--config=experimental.merge.checkpathconflicts=yes"}

// misleadsHg reports whether a variable of the environment directs hg elsewhere.
func misleadsHg(entry string) bool {
	name, _, _ := strings.Cut(entry, "=")
	return strings.HasPrefix(name, "HG_") || slices.Contains([]string{"HGMERGE", "HGEDITOR", "HGPLAIN", "HGPLAINEXCEPT", "HGENCODING", "HGENCODINGMODE"}, name)
}

// run runs an hg command in the work tree and returns its output.
func (h *hgRepo) run(ctx context.Context, args ...string) (string, error) {
	return h.runIn(ctx, h.root, args...)
}

// hgLimit bounds the time of an hg command.
const hgLimit = 10 * time.Minute

// runIn runs an hg command in a directory. An error is that of ctx, or a *hgError.
func (h *hgRepo) runIn(ctx context.Context, dir string, args ...string) (string, error) {
	if err := h.place.check(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, hgLimit, fmt.Errorf("hg %s did not end within %s", args[0], hgLimit))
	defer cancel()
	settings := slices.Clip(hgSettings)
	if args[0] == "share" || args[0] == "rebase" { // an extension that comes with hg
		settings = append(settings, "--config=extensions."+args[0]+"=")
	}
	cmd := program.Command(ctx, "hg", append(settings, args...)...)
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(cmd.Env, misleadsHg), "HGPLAIN=1", "HGEDITOR=true", "HGENCODING=UTF-8", "HGENCODINGMODE=replace")
	out, err := program.Output(ctx, cmd, h.opts.Chatter)
	var failure *program.Error
	if !errors.As(err, &failure) {
		return out, err
	}
	if stopped := h.place.check(); stopped != nil {
		return "", stopped
	}
	if failure.Says("timed out waiting for lock", "working directory lock") && failure.Says("lock") {
		return "", &BusyError{"another hg process has locked the repository"}
	}
	return out, &hgError{args[0], failure}
}

// A hgError is the failure of an hg command.
type hgError struct {
	command string
	failure *program.Error
}

func (e *hgError) Error() string {
	words := program.Messages(abortLines(e.failure.Stderr))
	if words == "" {
		words = e.failure.Err.Error()
	}
	return "hg " + e.command + ": " + words
}

func (e *hgError) Unwrap() error { return e.failure }

// says reports whether hg has printed one of these texts.
func (e *hgError) says(texts ...string) bool { return e.failure.Says(texts...) }

// abortLines returns the lines of what hg has printed that say why it failed.
func abortLines(stderr string) string {
	var lines []string
	for line := range strings.Lines(stderr) {
		if words, is := strings.CutPrefix(line, "abort: "); is {
			lines = append(lines, words)
		}
	}
	if len(lines) == 0 {
		return stderr
	}
	return strings.Join(lines, "")
}

// hookLine is what hg prints when a hook has failed.
var hookLine = regexp.MustCompile(`(?m)^(?:remote: )?(?:abort: |error: )?(\S+) hook (?:failed|exited|was killed|raised|is invalid)`)

// hook returns the name of the hook that has failed, "" for none.
func (e *hgError) hook() string {
	if found := hookLine.FindStringSubmatch(e.failure.Stderr); found != nil {
		return found[1]
	}
	return ""
}

// hgStatus returns the exit status of an hg command that failed, -1 for another error.
func hgStatus(err error) int {
	var failure *hgError
	if errors.As(err, &failure) {
		return failure.failure.Status()
	}
	return -1
}

// withList runs an hg command for these paths, which are matched as they are.
func (h *hgRepo) withList(ctx context.Context, dir string, paths []string, args ...string) (string, error) {
	var list strings.Builder
	for _, p := range paths {
		list.WriteString("path:" + p + "\x00")
	}
	file, err := os.CreateTemp(h.dir, "list-")
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(list.String())
	if err = errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	return h.runIn(ctx, dir, append(args, "--", "listfile0:"+file.Name())...)
}

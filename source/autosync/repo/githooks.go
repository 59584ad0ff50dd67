package repo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/disk"
	"vext/internal/hint"
	"vext/internal/program"
	"vext/internal/text"
	"vext/internal/weburl"
)

// hook runs a hook of the commit, with the private index as git commit does it.
func (d *draft) hook(ctx context.Context, name string, args ...string) error {
	return d.g.hook(ctx, d.config, []string{"GIT_INDEX_FILE=" + d.index.path}, name, args...)
}

// mayHaveHook reports whether there may be a hook. Hooks elsewhere than in their usual directory
// are git's business.
func (g *gitRepo) mayHaveHook(s settings, name string) bool {
	for key := range s {
		if key == "core.hookspath" || strings.HasPrefix(key, "hook.") {
			return true
		}
	}
	_, err := os.Stat(filepath.Join(g.commonDir, "hooks", name))
	return err == nil
}

// hook runs a hook if there is one. Its failure, also that it does not end, is a *HookError.
func (g *gitRepo) hook(ctx context.Context, s settings, env []string, name string, args ...string) error {
	if !g.mayHaveHook(s, name) {
		return nil
	}
	command := []string{"hook", "run", "--ignore-missing", name}
	if len(args) > 0 {
		command = append(append(command, "--"), args...)
	}
	_, err := g.run(ctx, gitRun{args: command, env: env, within: commitLimit, isUser: true})
	var failure *program.Error
	slow := new(slowError)
	switch {
	case errors.As(err, &slow):
		return &HookError{name, &slowError{"hook", slow.limit}}
	case errors.As(err, &failure) && failure.Says("'hook' is not a git command"):
		return hint.Wrap(errors.New("this git is too old"), "git 2.38 or later is needed")
	case failure != nil:
		return &HookError{name, errors.New(endOf(failure))}
	}
	return err
}

// maxHookLines bounds what is shown of what a hook has printed. Its last lines say why it
// failed.
const maxHookLines = 10

// endOf returns the last lines that a hook has printed, on one line.
func endOf(failure *program.Error) string {
	var lines []string
	for line := range strings.Lines(failure.Stderr) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return "failed without a message (" + failure.Err.Error() + ")"
	}
	if len(lines) > maxHookLines {
		lines = lines[len(lines)-maxHookLines:]
	}
	return text.Shorten(text.OneLine(weburl.Hide(strings.Join(lines, "; "))), program.MaxMessage)
}

// editMessage has the hooks that may change a message change it. The file is not
// COMMIT_EDITMSG, which a person may be editing.
func (d *draft) editMessage(ctx context.Context, message string) (string, error) {
	path := filepath.Join(d.g.dir, "COMMIT_EDITMSG")
	if err := disk.ReplaceUnsynced(d.g.dir, path, []byte(tidy(message))); err != nil {
		return "", err
	}
	defer os.Remove(path)
	if err := d.hook(ctx, "prepare-commit-msg", path, "message"); err != nil {
		return "", err
	}
	if err := d.hook(ctx, "commit-msg", path); err != nil {
		return "", err
	}
	data, err := disk.ReadFile(path)
	if err != nil {
		return "", err
	}
	return tidy(string(data)), nil
}

// tidy returns a message that git takes: without blanks at the ends of lines, and with words.
func tidy(message string) string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(message, "\x00", "")) {
		lines = append(lines, strings.TrimRight(line, " \t\r\n"))
	}
	if message = strings.Trim(strings.Join(lines, "\n"), "\n"); message == "" {
		message = "changes"
	}
	return message + "\n"
}

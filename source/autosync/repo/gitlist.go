package repo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var (
	_ Lister    = (*gitRepo)(nil)
	_ Describer = (*gitRepo)(nil)
	_ Tidier    = (*gitRepo)(nil)
)

// Copies implements Lister.
func (g *gitRepo) Copies(ctx context.Context) ([]string, error) {
	out, err := g.git(ctx, "ls-files", "-z")
	if err != nil {
		return nil, err
	}
	var copies []string
	for name := range strings.SplitSeq(out, "\x00") {
		if isCopy(name) && (len(copies) == 0 || copies[len(copies)-1] != name) { // an unmerged one is there thrice
			copies = append(copies, name)
		}
	}
	return copies, nil
}

// Sizes implements Lister.
func (g *gitRepo) Sizes(ctx context.Context, paths []string) (map[string]int64, error) {
	out, err := g.git(ctx, "ls-tree", "-r", "-l", "-z", "HEAD")
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, p := range paths {
		wanted[p] = true
	}
	sizes := map[string]int64{}
	for line := range strings.SplitSeq(out, "\x00") { // "100644 blob HASH    SIZE\tNAME"
		about, name, _ := strings.Cut(line, "\t")
		fields := strings.Fields(about)
		if !wanted[name] || len(fields) != 4 {
			continue
		}
		if size, err := strconv.ParseInt(fields[3], 10, 64); err == nil {
			sizes[name] = size
		}
	}
	return sizes, nil
}

// Describe implements Describer.
func (g *gitRepo) Describe(ctx context.Context, commit string) (subject string, made time.Time, err error) {
	out, err := g.git(ctx, "log", "-1", "--no-color", "--no-show-signature", "--no-notes", "--format=tformat:%ct %s", commit, "--")
	if err != nil {
		return "", time.Time{}, err
	}
	at, subject, _ := strings.Cut(strings.TrimSuffix(out, "\n"), " ")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("git log printed %q", out)
	}
	return subject, time.Unix(seconds, 0), nil
}

// tidyLimit bounds the time of a collection of garbage.
const tidyLimit = time.Hour

// Tidy implements Tidier: what git itself does after a commit, by the configuration of its
// user. Other git commands may run beside it.
func (g *gitRepo) Tidy(ctx context.Context) error {
	out, err := g.run(ctx, gitRun{args: []string{"config", "--type=bool", "maintenance.auto"}, isUser: true})
	if out == "false\n" || ctx.Err() != nil { // an error says that it is not set
		return err
	}
	_, err = g.run(ctx, gitRun{args: []string{"gc", "--auto", "--quiet"}, config: []string{"gc.autoDetach=false"}, isUser: true, within: tidyLimit})
	return err
}

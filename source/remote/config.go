package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"vext/internal/program"
	"vext/internal/text"
	"vext/internal/weburl"
)

// A tagMode says which tags git fetch fetches (remote.<name>.tagOpt).
type tagMode int

const (
	followTags tagMode = iota // those of the commits that it fetches
	noTags
	allTags
)

// equal reports whether two remotes have the same configuration.
func (r *Remote) equal(o *Remote) bool {
	return r.Name == o.Name && r.URL == o.URL && r.URI == o.URI && slices.Equal(r.Fetch, o.Fetch) && slices.Equal(r.Push, o.Push) &&
		r.Upstream == o.Upstream && r.Pull == o.Pull && r.Interval == o.Interval && r.tags == o.tags && r.prune == o.prune && r.away == o.away
}

// settings are the values of the configuration, by key.
type settings map[string][]string

// readSettings asks git for the configuration that counts in the clone, with included
// files. A key without a value is true.
func (c *clone) readSettings(ctx context.Context) (settings, error) {
	out, err := c.git(ctx, nil, "config", "-z", "--get-regexp", `^(remote|branch|fetch|url)\.`)
	var failure *program.Error
	if errors.As(err, &failure) && failure.Status() == 1 { // no such key
		return settings{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := settings{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		key, value, ok := strings.Cut(entry, "\n")
		if !ok {
			value = "true"
		}
		all[key] = append(all[key], value)
	}
	return all, nil
}

// last returns the value that counts of a key that should have one.
func (s settings) last(key string) (string, bool) {
	values := s[key]
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

// truth returns a boolean as git reads it; def where the key is missing or no boolean.
func (s settings) truth(key string, def bool) bool {
	value, ok := s.last(key)
	if !ok {
		return def
	}
	switch strings.ToLower(value) {
	case "true", "yes", "on":
		return true
	case "false", "no", "off", "":
		return false
	}
	if n, err := strconv.Atoi(value); err == nil {
		return n != 0
	}
	return def
}

// names returns the remotes, sorted: "remote.NAME.key".
func (s settings) names() []string {
	seen := map[string]bool{}
	for key := range s {
		section, rest, _ := strings.Cut(key, ".")
		if end := strings.LastIndexByte(rest, '.'); section == "remote" && end > 0 {
			seen[rest[:end]] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// A skip is why a remote can't be watched as it is configured.
type skip struct {
	reason string
	broken bool // a value is: the one before it stays in force
}

// remotes returns the remotes to watch, sorted by name, and those that can't be, with
// the reason.
func (c *clone) remotes(ctx context.Context) (watched []*Remote, skipped map[string]skip, err error) {
	all, err := c.readSettings(ctx)
	if err != nil {
		return nil, nil, err
	}
	skipped = map[string]skip{}
	for _, name := range all.names() {
		r, why := all.remote(name)
		switch {
		case why.reason != "":
			skipped[name] = why
			continue
		case r == nil:
			continue
		}
		url, err := c.git(ctx, nil, "ls-remote", "--get-url", "--", name) // git remote get-url knows those of the repository's file only
		if err != nil {
			if ctx.Err() != nil {
				return nil, nil, err
			}
			skipped[name] = skip{err.Error(), true} // such as another remote with a refspec that git can't read
			continue
		}
		r.URL = strings.TrimSuffix(url, "\n")
		r.URI = c.uri(r.URL)
		watched = append(watched, r)
	}
	return watched, skipped, nil
}

// remote returns a remote without its URL. It is nil if it is switched off or none, and
// then why says what is wrong with it, if anything is.
func (s settings) remote(name string) (r *Remote, why skip) {
	key := func(k string) string { return "remote." + name + "." + k }
	urls := s[key("url")]
	off := !s.truth(key("vext"), true) || !s.truth(key("annex-sync"), true) ||
		s.truth(key("skipfetchall"), false) || s.truth(key("skipdefaultupdate"), false)
	if len(urls) == 0 || off {
		return nil, skip{}
	}
	r = &Remote{Name: name, Fetch: s[key("fetch")], Pull: s.truth(key("annex-pull"), true), tags: followTags, written: urls[0]}
	if !slices.ContainsFunc(r.Fetch, func(spec string) bool { return !strings.HasPrefix(spec, "^") }) {
		return nil, skip{reason: "it has no fetch refspec; git config --add " + key("fetch") + " '+refs/heads/*:refs/remotes/" + name + "/*' adds one"}
	}
	for _, spec := range r.Fetch {
		if _, err := parseRefspec(spec); err != nil {
			return nil, skip{err.Error(), true}
		}
	}
	if s.truth(key("prunetags"), s.truth("fetch.prunetags", false)) {
		r.Fetch = append(slices.Clone(r.Fetch), "refs/tags/*:refs/tags/*")
	}
	r.prune = s.truth(key("prune"), s.truth("fetch.prune", false))
	switch opt, _ := s.last(key("tagopt")); opt {
	case "--no-tags":
		r.tags = noTags
	case "--tags":
		r.tags = allTags
	}
	s.push(r, s[key("vextpush")])
	_, r.away = s.last(key("pushurl"))
	for key := range s {
		r.away = r.away || strings.HasPrefix(key, "url.") && strings.HasSuffix(key, ".pushinsteadof")
	}
	if value, ok := s.last(key("vextinterval")); ok {
		interval, err := parseInterval(value)
		if err != nil {
			return nil, skip{fmt.Sprintf("%s: %v", key("vextInterval"), err), true}
		}
		r.Interval = interval
	}
	return r, skip{}
}

// push sets what CHANGED pushes: refspecs, or true for the branches whose upstream the
// remote has, or false.
func (s settings) push(r *Remote, values []string) {
	for _, value := range values {
		switch strings.ToLower(value) {
		case "true", "yes", "on", "1":
			r.Upstream = true
		case "false", "no", "off", "0", "":
			r.Upstream, r.Push = false, nil
		default:
			r.Push = append(r.Push, value)
		}
	}
	if !r.Upstream {
		return
	}
	for key := range s {
		branch, isBranch := strings.CutPrefix(key, "branch.")
		branch, isRemote := strings.CutSuffix(branch, ".remote")
		if !isBranch || !isRemote {
			continue
		}
		of, _ := s.last(key)
		if merge, ok := s.last("branch." + branch + ".merge"); ok && of == r.Name {
			r.Push = append(r.Push, "refs/heads/"+branch+":"+merge)
		}
	}
	slices.Sort(r.Push)
}

// minInterval bounds how often a person may have a remote polled.
const minInterval = time.Second

// parseInterval parses a duration such as 30s, or a number of seconds.
func parseInterval(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if n, numErr := strconv.Atoi(value); numErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	switch {
	case err != nil || d < 0:
		return 0, fmt.Errorf("%q is no duration such as 30s or 5m", value)
	case d == 0:
		return 0, nil
	}
	return max(d, minInterval), nil
}

// uri returns what the protocol calls a URL: scp's form of an ssh URL as a URL, a
// relative path as an absolute one, without a password.
func (c *clone) uri(url string) string {
	plain := weburl.Parse(url)
	switch {
	case strings.Contains(url, "://"), hasHelper(url):
		return escapeBlanks(plain.String())
	case plain.IsLocal():
		if !filepath.IsAbs(url) {
			url = filepath.Join(c.top, url)
		}
		return escapeBlanks(url)
	}
	host, path := splitSCP(url)
	switch {
	case strings.HasPrefix(path, "/"):
	case strings.HasPrefix(path, "~"):
		path = "/" + path
	default:
		path = "/~/" + path
	}
	return escapeBlanks("ssh://" + host + strings.ReplaceAll(path, "%", "%25"))
}

// hasHelper reports whether a URL names a program of git, as in "ext::..."
// (gitremote-helpers(7)).
func hasHelper(url string) bool {
	name, _, ok := strings.Cut(url, "::")
	return ok && !strings.ContainsFunc(name, func(c rune) bool { return c != '-' && !unicode.IsLetter(c) && !unicode.IsDigit(c) })
}

// splitSCP splits host:path; the host may be [::1].
func splitSCP(url string) (host, path string) {
	if at := strings.Index(url, "]:"); at >= 0 && strings.Contains(url[:at], "[") {
		return url[:at+1], url[at+2:]
	}
	host, path, _ = strings.Cut(url, ":")
	return host, path
}

// escapeBlanks percent-encodes what would end a word or a line of the protocol, or control
// the terminal to which it is printed.
func escapeBlanks(s string) string {
	var b strings.Builder
	for _, c := range strings.SplitAfter(s, "") {
		if r, _ := utf8.DecodeRuneInString(c); r != ' ' && r != utf8.RuneError && !text.IsControl(r) {
			b.WriteString(c)
			continue
		}
		for i := range len(c) {
			fmt.Fprintf(&b, "%%%02X", c[i])
		}
	}
	return b.String()
}

// A configWatch notices changes of the files of the configuration.
type configWatch struct {
	clone *clone
	files []string
	seen  map[string]fileState
}

type fileState struct {
	size  int64
	mtime time.Time
	inode uint64
}

func newConfigWatch(c *clone) *configWatch { return &configWatch{clone: c} }

// changed reports whether a file has changed since the last call. Which files there are
// is asked of git again after each change, because one may include others.
func (w *configWatch) changed(ctx context.Context) bool {
	now := statFiles(w.files)
	if w.seen != nil && maps.Equal(now, w.seen) {
		return false
	}
	w.files = w.clone.configFiles(ctx, w.files)
	w.seen = statFiles(w.files)
	return true
}

func statFiles(files []string) map[string]fileState {
	all := map[string]fileState{}
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			all[name] = fileState{info.Size(), info.ModTime(), inode(info)}
		}
	}
	return all
}

// configFiles returns the files from which the configuration comes, and those that git
// would read if they were there. With a broken file, the known ones count.
func (c *clone) configFiles(ctx context.Context, known []string) []string {
	files := []string{
		filepath.Join(c.commonDir, "config"), filepath.Join(c.gitDir, "config.worktree"), filepath.Join(c.gitDir, "HEAD"), // HEAD for includeIf "onbranch:"
	}
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".gitconfig"), filepath.Join(home, ".config", "git", "config"))
	}
	if xdg := os.Getenv("XDG_CONFIG_HOME"); xdg != "" {
		files = append(files, filepath.Join(xdg, "git", "config"))
	}
	out, err := c.git(ctx, nil, "config", "-z", "--list", "--show-origin")
	if err != nil {
		return mergeNames(known, files)
	}
	fields := strings.Split(out, "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		origin, ok := strings.CutPrefix(fields[i], "file:")
		if !ok {
			continue
		}
		if !filepath.IsAbs(origin) {
			origin = filepath.Join(c.top, origin)
		}
		files = append(files, origin)
		key, value, _ := strings.Cut(fields[i+1], "\n")
		if key == "include.path" || strings.HasPrefix(key, "includeif.") && strings.HasSuffix(key, ".path") {
			files = append(files, included(origin, value))
		}
	}
	return mergeNames(files)
}

// included returns the path of a file that another includes.
func included(by, path string) string {
	if expanded, err := expandHome(path); err == nil {
		path = expanded
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(by), path)
	}
	return path
}

func mergeNames(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

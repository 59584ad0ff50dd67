package repo

import (
	"context"
	"path/filepath"
	"strings"
	"time"
)

// Settings are the configuration of git, all values of each key, the last one last.
type settings map[string][]string

func (s settings) last(key string) string {
	if values := s[key]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// isTrue reports whether a boolean key is set.
func (s settings) isTrue(key string) bool {
	switch strings.ToLower(s.last(key)) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

// readSettings reads the configuration that pulling and pushing depend on.
func (g *gitRepo) readSettings(ctx context.Context) (settings, error) {
	if g.cache.isValid(g) {
		return g.cache.settings, nil
	}
	read := settingsCache{places: g.settingsPlaces(), at: g.now()}
	out, err := g.ask(ctx, "config", "-z", "--get-regexp", `^(remote|branch|ssh|core|commit|hook|url)\.`)
	if err != nil {
		return nil, err
	}
	s := settings{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		key, value, hasValue := strings.Cut(entry, "\n")
		if !hasValue {
			value = "true"
		}
		s[key] = append(s[key], value)
	}
	read.settings = s
	g.cache = read
	return s, nil
}

// settingsAge is how long the configuration is taken for what it was, unless its files in the
// repository have changed: a commit, a pull and a push together ask for it many times.
const settingsAge = 2 * time.Second

// A settingsCache is the configuration as it was a moment ago.
type settingsCache struct {
	settings settings
	places   settingsPlaces
	at       time.Time
}

// settingsPlaces are the files in the repository on which the configuration depends.
type settingsPlaces struct{ common, workTree, head stamp }

func (g *gitRepo) settingsPlaces() settingsPlaces {
	return settingsPlaces{
		common:   stampOf(filepath.Join(g.commonDir, "config")),
		workTree: stampOf(filepath.Join(g.gitDir, "config.worktree")),
		head:     stampOf(filepath.Join(g.gitDir, "HEAD")),
	}
}

func (c *settingsCache) isValid(g *gitRepo) bool {
	age := g.now().Sub(c.at)
	return !c.at.IsZero() && age >= 0 && age < settingsAge && c.places == g.settingsPlaces()
}

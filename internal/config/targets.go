package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// LinkNames are the keys of a table links: what a commit can refer to.
var LinkNames = []string{"commit", "differential", "pr"}

// checkTargets checks the keys about what becomes of commits on other branches. Package
// convention checks conventions.
func (r *Repository) checkTargets() error {
	for _, name := range []struct{ key, value string }{{"convention", r.Convention}, {"git", r.Git}} {
		isPath := strings.ContainsAny(name.value, "/~") || name.key == "git" && name.value != ""
		if isPath && !filepath.IsAbs(name.value) {
			return fmt.Errorf("%s: needs an absolute path, not %q", name.key, name.value)
		}
	}
	for _, pattern := range r.Targets {
		if strings.TrimSpace(pattern) == "" || strings.HasPrefix(pattern, "refs/") || strings.ContainsAny(pattern, " \t\n") {
			return fmt.Errorf("targets: %q: needs the pattern of a branch, without refs/heads/, such as \"stable/*\"", pattern)
		}
	}
	if r.Supported != nil && *r.Supported < 0 {
		return fmt.Errorf("supported: %d: a number of branches, or 0 for all", *r.Supported)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Links)) {
		switch template := r.Links[name]; {
		case !slices.Contains(LinkNames, name):
			return fmt.Errorf("links: %q is none of %q", name, LinkNames)
		case strings.Count(template, "%s") != 1 || strings.Count(template, "%") != 1:
			return fmt.Errorf("links.%s: %q: needs one %%s, for the number, and no other %%", name, template)
		case !strings.HasPrefix(template, "https://") && !strings.HasPrefix(template, "http://") || strings.ContainsAny(template, " \t\n"):
			return fmt.Errorf("links.%s: %q: needs a URL that begins with https:// or http://", name, template)
		}
	}
	return nil
}

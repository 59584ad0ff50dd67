package convention

import (
	"slices"
	"testing"

	"vext/internal/config"
)

// Every preset can be read.
func TestPresets(t *testing.T) {
	for _, name := range Names() {
		c, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if c.Project == "" || c.Verb == "" || c.Name != name {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if _, err := Load("freebsd"); err == nil {
		t.Error("there is a preset freebsd")
	}
}

// What the configuration has for a repository comes before the convention.
func TestOf(t *testing.T) {
	two := 2
	cfg := &config.Config{Repositories: []config.Repository{
		{Name: "src", Aliases: []string{"https://git.example.org/src.git"}},
		{Name: "own", Targets: []string{"release-*"}, Supported: &two, Links: map[string]string{"pr": "https://bugs.example.org/%s"}},
	}}
	branches := []string{"main", "stable/13", "stable/14", "stable/15", "release-1.9", "release-1.10", "release-1.11"}
	for _, test := range []struct {
		repository string
		want       []string
	}{
		{"src", []string{"stable/15", "stable/14"}},
		{"https://git.example.org/src", []string{"stable/15", "stable/14"}},
		{"own", []string{"release-1.11", "release-1.10"}},
		{"other", []string{"stable/15", "stable/14"}},
	} {
		c, err := Of(cfg, test.repository)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Targets(Request{}, branches); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.repository, got, test.want)
		}
	}
}

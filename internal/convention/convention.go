// Package convention knows how projects ask, in their commit messages, for a commit to be
// merged to other branches. Each convention is a table of TOML; those of well-known projects
// are embedded, and a user can write others.
//
// Package commit decides by the trailers of a convention which messages ask for a reminder,
// and after which period. This package also reads to which branches a commit is to go, and
// what else its message asks for.
package convention

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"vext/internal/backport"
	"vext/internal/commit"
	"vext/internal/disk"
)

// Default is the name of the convention of repositories that are configured with none.
const Default = "freebsd-src"

//go:embed presets/*.toml
var presets embed.FS

// A Convention says how a project asks for its commits to be merged.
type Convention struct {
	Name    string // of a preset, or the path of a file
	Project string // "FreeBSD, the source"
	Verb    string // for the words of a mail: "MFC", "Backport"
	// Development are the patterns of the branches from which commits are merged, see
	// policy.MatchBranch; none for the usual ones.
	Development []string
	// Patterns are those of the branches to which commits are merged. Of the branches that
	// match, only the newest Supported count, unless that is 0.
	Patterns  []string
	Supported int
	// Links are templates of URLs, by what they link to; %s is the number. See
	// config.Repository.
	Links map[string]string

	period   commit.Period // of a request that gives none
	forms    []string      // how a branch is called after a version, %s: "stable/%s"
	trailers []commit.Trailer
	asking   *commit.Trailers // the usual trailers and those of the convention
	rules    backport.Rules
	text     []byte
}

// A table is the file of a convention.
type table struct {
	Project     string           `toml:"project"`
	Verb        string           `toml:"verb"`
	Period      string           `toml:"period"`
	Development []string         `toml:"development"`
	Targets     []string         `toml:"targets"`
	Supported   int              `toml:"supported"`
	Branch      []string         `toml:"branch"`
	Trailers    []commit.Trailer `toml:"trailer"`
	Lines       lines            `toml:"lines"`
}

// lines are backport.Rules; an empty list is that of backport.Default.
type lines struct {
	Merged   []string `toml:"merged"`
	Reverted []string `toml:"reverted"`
	Fixes    []string `toml:"fixes"`
	With     []string `toml:"with"`
}

// Names returns the names of the presets.
func Names() []string {
	files, _ := fs.Glob(presets, "presets/*.toml") // the pattern is valid
	for i, file := range files {
		files[i] = strings.TrimSuffix(path.Base(file), ".toml")
	}
	return files
}

// Load returns a convention by its name: that of a preset, or the absolute path of a file.
// "" is Default.
func Load(name string) (*Convention, error) {
	name = cmp.Or(name, Default)
	var text []byte
	var err error
	if filepath.IsAbs(name) {
		text, err = disk.ReadFile(name)
	} else {
		text, err = presets.ReadFile("presets/" + name + ".toml")
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(name):
		return nil, fmt.Errorf("convention: %q is none of %s, nor the absolute path of a file", name, strings.Join(Names(), ", "))
	case err != nil:
		return nil, fmt.Errorf("convention: %w", err)
	}
	c, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("convention %s: %w", name, err)
	}
	c.Name = name
	return c, nil
}

// parse reads the text of a convention.
func parse(text []byte) (*Convention, error) {
	var t table
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return nil, decodeError(err)
	}
	if t.Supported < 0 {
		return nil, fmt.Errorf("supported: %d: a number of branches, or 0 for all", t.Supported)
	}
	for _, form := range t.Branch {
		if strings.Count(form, "%s") != 1 {
			return nil, fmt.Errorf("branch: %q: needs one %%s, for the version", form)
		}
	}
	for _, trailer := range t.Trailers {
		if !slices.Contains(values, trailer.Value) {
			return nil, fmt.Errorf("trailer %q: value: %q is none of %q", trailer.Name, trailer.Value, values)
		}
	}
	period, err := commit.ParsePeriod(cmp.Or(t.Period, "1 week"))
	if err != nil {
		return nil, fmt.Errorf("period: %q: %w", t.Period, err)
	}
	usual, err := commit.NewTrailers()
	if err == nil {
		usual, err = usual.With(period, t.Verb, t.Trailers...)
	}
	if err != nil {
		return nil, err
	}
	return &Convention{
		Project: t.Project, Verb: cmp.Or(t.Verb, "Backport"), Development: t.Development, Patterns: t.Targets, Supported: t.Supported,
		period: period, forms: t.Branch, trailers: t.Trailers, asking: usual, rules: t.Lines.rules(), text: text,
	}, nil
}

// decodeError returns an error of the parser in one line, with the place.
func decodeError(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		line, _ := unknown.Errors[0].Position()
		return fmt.Errorf("line %d: unknown key %s", line, strings.Join(unknown.Errors[0].Key(), "."))
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, column := wrong.Position()
		return fmt.Errorf("line %d, column %d: %s", line, column, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return err
}

func (l *lines) rules() backport.Rules {
	or := func(own, usual []string) []string {
		if own == nil {
			return usual
		}
		return own
	}
	d := backport.Default
	return backport.Rules{Picked: or(l.Merged, d.Picked), Reverts: or(l.Reverted, d.Reverts), Fixes: or(l.Fixes, d.Fixes), With: or(l.With, d.With)}
}

// Text returns the table of the convention as TOML, with its comments.
func (c *Convention) Text() []byte { return c.text }

// Rules returns how its messages say that a commit is merged, reverted or fixed.
func (c *Convention) Rules() backport.Rules { return c.rules }

// With returns a set of trailers with those of the convention as well.
func (c *Convention) With(set *commit.Trailers) (*commit.Trailers, error) {
	return set.With(c.period, c.Verb, c.trailers...)
}

// Asks reports whether a message asks for a reminder, see backport.Options.
func (c *Convention) Asks(message []byte) bool { return c.asking.Ask(message) }

// AsksID changes with what Asks recognises, see backport.Options.
func (c *Convention) AsksID() string { return fmt.Sprintf("%q %+v", c.Name, c.trailers) }

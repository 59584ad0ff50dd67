// Package asking has of each preset of package convention what asks for a reminder. It reads
// no TOML, which vext-filter is too small for.
package asking

import (
	"fmt"
	"strings"

	"vext/internal/commit"
)

// A preset is the part of a convention that asks.
type preset struct {
	name     string
	period   string
	word     string // see commit.Request.Word
	trailers []commit.Trailer
}

// With returns a set of trailers with those of the preset of that name as well.
func With(set *commit.Trailers, name string) (*commit.Trailers, error) {
	var names []string
	for i := range presets {
		p := &presets[i]
		if p.name != name {
			names = append(names, p.name)
			continue
		}
		period, err := commit.ParsePeriod(p.period)
		if err != nil {
			return nil, fmt.Errorf("convention %s: %w", name, err)
		}
		return set.With(period, p.word, p.trailers...)
	}
	return nil, fmt.Errorf("convention: %q is none of %s", name, strings.Join(names, ", "))
}

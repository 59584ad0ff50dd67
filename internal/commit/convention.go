package commit

import (
	"iter"
	"slices"
	"strings"

	"vext/internal/text"
)

// A Trailer is one that a project's convention has beside the usual ones.
type Trailer struct {
	Name  string   `toml:"name"`
	Value string   `toml:"value"` // what it is: "period", or else what package convention reads
	Match []string `toml:"match"` // see takes
	// Asks makes the trailer ask for a reminder, after the period of the convention unless
	// its value says "after 4 weeks". A trailer with a period always asks.
	Asks bool `toml:"asks"`
}

// meansPeriod is the Value of a trailer whose value is a period.
const meansPeriod = "period"

// own is a Trailer of a convention, with names and patterns in the form that is compared.
type own struct {
	Trailer
	period Period // for a value without one
	word   string // see Request.Word
}

// With returns the set with the trailers of a convention as well. period is the convention's
// own, for values that give none; word is its word for a subject, such as "Backport".
func (t *Trailers) With(period Period, word string, trailers ...Trailer) (*Trailers, error) {
	var names []string
	all := &Trailers{own: slices.Clone(t.own)}
	for _, trailer := range trailers {
		if trailer.Value == meansPeriod {
			names = append(names, trailer.Name)
			continue
		}
		if _, err := NewTrailers(trailer.Name); err != nil {
			return nil, err
		}
		trailer.Name = canonical(strings.TrimSuffix(strings.TrimSpace(trailer.Name), ":"))
		trailer.Match = slices.Clone(trailer.Match)
		for i, pattern := range trailer.Match {
			trailer.Match[i] = strings.ToLower(pattern)
		}
		all.own = append(all.own, own{trailer, period, word})
	}
	usual, err := NewTrailers(append(names, t.names...)...)
	if err != nil {
		return nil, err
	}
	all.names, all.initial = slices.Compact(slices.Sorted(slices.Values(usual.names))), usual.initial
	for i := range all.own {
		if all.own[i].Asks {
			all.begin(all.own[i].Name)
		}
	}
	return all, nil
}

// Also returns the set with another trailer, whose value is a period.
func (t *Trailers) Also(name string) (*Trailers, error) {
	return t.With(Period{}, "", Trailer{Name: name, Value: meansPeriod})
}

// Has reports whether the set has a trailer of that name.
func (t *Trailers) Has(name string) bool {
	name = canonical(name)
	return slices.Contains(t.names, name) || t.asks(name)
}

// asks reports whether a trailer of a convention asks. The name is in canonical form.
func (t *Trailers) asks(name string) bool {
	return slices.ContainsFunc(t.own, func(o own) bool { return o.Asks && o.Name == name })
}

// ask returns the request of a convention's trailer with that name and value, without its Key.
func (t *Trailers) ask(name, value string) (Request, bool) {
	for i := range t.own {
		if o := &t.own[i]; o.Asks && o.Name == name && o.takes(value) {
			period, isOwn := delay(value)
			if !isOwn {
				period = o.period
			}
			return Request{Value: value, Period: period, ByDefault: !isOwn, ByConvention: true, word: o.word}, true
		}
	}
	return Request{}, false
}

// takes reports whether a value counts: one that is not "none" or "never", and has a word
// before its remark that one of the patterns of Match matches, if there are any. Words are
// compared without case; blanks, commas, quotation marks and brackets separate them.
func (t *Trailer) takes(value string) bool {
	if asksNothing(tidy(value)) {
		return false
	}
	before, _, _ := strings.Cut(strings.ToLower(value), "#")
	for word := range strings.FieldsFuncSeq(before, isBetweenWords) {
		for _, pattern := range t.Match {
			if text.Match(pattern, word) {
				return true
			}
		}
	}
	return len(t.Match) == 0
}

func isBetweenWords(r rune) bool { return strings.ContainsRune(" \t,;<>()\"'", r) }

// delay returns the period in a value that says "after 4 weeks", in any of its words:
// `<stable@vger.kernel.org> # after 4 weeks in mainline`.
func delay(value string) (Period, bool) {
	words := strings.Fields(strings.ToLower(value))
	for i, word := range words {
		if word != "after" {
			continue
		}
		for n := min(2, len(words)-i-1); n > 0; n-- {
			period := strings.Trim(strings.Join(words[i+1:i+1+n], " "), ".,;:()")
			if p, err := ParsePeriod(period); err == nil && hasUnitOrDate(period) {
				return p, true
			}
		}
	}
	return Period{}, false
}

// Conventional iterates over the trailers in a message that a convention has beside the
// usual ones, asking or not, with their values on one line.
func (t *Trailers) Conventional(message string) iter.Seq2[*Trailer, string] {
	return func(yield func(*Trailer, string) bool) {
		for line, below := range trailerLines(message) {
			key, value, ok := cutTrailer(line)
			if !ok {
				continue
			}
			name := canonical(key)
			for i := range t.own {
				o := &t.own[i]
				if o.Name != name {
					continue
				}
				values := unfold(line, value, below, t.names)
				if whole := values[len(values)-1]; o.takes(whole) && !yield(&o.Trailer, whole) {
					return
				}
			}
		}
	}
}

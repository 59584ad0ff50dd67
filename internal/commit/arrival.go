package commit

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"vext/internal/text"
)

// An Arrival is a commit as it arrives, with what its push says about it.
type Arrival struct {
	Commit
	More    int      `json:"more,omitempty"`    // how many commits of the push come before it and are not described
	Counted []string `json:"counted,omitempty"` // revisions of those, where they are known
	Page    string   `json:"page,omitempty"`    // the URL of a page that shows the whole push
}

// An arrivalLine is an Arrival on disk: a JSON object on one line, without the message.
type arrivalLine struct {
	*Arrival
	Files     []string `json:"files,omitempty"`
	FileCount int      `json:"file_count,omitempty"`
}

// Line returns the arrival, without its message, as a line of JSON.
func (a *Arrival) Line() []byte {
	line, err := json.Marshal(arrivalLine{a, a.Files.Paths, a.Files.Count})
	if err != nil { // RFC 3339 can't express the year
		undated := *a
		undated.Date = time.Time{}
		return undated.Line()
	}
	return append(line, '\n')
}

// maxFact bounds each fact about an arrival, in bytes.
const maxFact = 1000

// ParseArrival reads what Line has written. Anybody may have written it: each fact is
// made to fit on a line, and shortened.
func ParseArrival(line []byte) (Arrival, error) {
	a := Arrival{}
	from := arrivalLine{Arrival: &a}
	if err := json.Unmarshal(line, &from); err != nil {
		return Arrival{}, fmt.Errorf("not a commit as a line of JSON: %w", err)
	}
	for _, fact := range []*string{
		&a.Repository, &a.Refname, &a.Revision, &a.ID, &a.URL, &a.Subject, &a.Author.Name, &a.Author.Email,
		&a.Committer.Name, &a.Committer.Email, &a.Sender, &a.Source, &a.Page,
	} {
		*fact = fit(*fact)
	}
	for i := range a.Counted {
		a.Counted[i] = fit(a.Counted[i])
	}
	a.Repository = RepositoryName(a.Repository)
	a.Files = FilesOf(from.Files)
	a.Files.Count = max(a.Files.Count, from.FileCount)
	a.More = max(a.More, len(a.Counted))
	return a, nil
}

func fit(fact string) string {
	return text.Shorten(text.OneLine(strings.ToValidUTF8(fact, "\ufffd")), maxFact)
}

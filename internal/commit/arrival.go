package commit

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"vext/internal/text"
)

// An Arrival is a commit that has come in, as it is handed over to be announced:
// without its message, of which only the subject is told.
type Arrival struct {
	Commit
	More    int      // commits of the same push that stand before it and are not described
	Counted []string // revisions of those, of these that are known
	Page    string   // the URL of a page that shows the whole push
}

// An arrival is an Arrival on disk: a JSON object on one line.
type arrival struct {
	Repository string    `json:"repository,omitempty"`
	Refname    string    `json:"refname,omitempty"`
	Revision   string    `json:"revision,omitempty"`
	ID         string    `json:"id,omitempty"`
	URL        string    `json:"url,omitempty"`
	Subject    string    `json:"subject"`
	Author     party     `json:"author"`
	Committer  party     `json:"committer"`
	Date       time.Time `json:"date,omitzero"`
	Sender     string    `json:"sender,omitempty"`
	Source     string    `json:"source,omitempty"`
	Files      []string  `json:"files,omitempty"`
	FileCount  int       `json:"file_count,omitempty"`
	More       int       `json:"more,omitempty"`
	Counted    []string  `json:"counted,omitempty"`
	Page       string    `json:"page,omitempty"`
}

type party struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// Line returns the arrival as a line of JSON, as ParseArrival reads it.
func (a *Arrival) Line() []byte {
	line, err := json.Marshal(arrival{
		a.Repository, a.Refname, a.Revision, a.ID, a.URL, a.Subject, party(a.Author), party(a.Committer), a.Date.Round(0),
		a.Sender, a.Source, a.Files.Paths, a.Files.Count, a.More, a.Counted, a.Page,
	})
	if err != nil { // a year that RFC 3339 has no digits for
		without := *a
		without.Date = time.Time{}
		return without.Line()
	}
	return append(line, '\n')
}

// maxFact bounds each fact about an arrival.
const maxFact = 1000

// ParseArrival reads a line that Line has written. What is in it is on one
// line each, and of a sane length, whoever wrote it.
func ParseArrival(line []byte) (Arrival, error) {
	var from arrival
	if err := json.Unmarshal(line, &from); err != nil {
		return Arrival{}, fmt.Errorf("not a commit as a line of JSON: %w", err)
	}
	for _, fact := range []*string{
		&from.Repository, &from.Refname, &from.Revision, &from.ID, &from.URL, &from.Subject, &from.Author.Name, &from.Author.Email,
		&from.Committer.Name, &from.Committer.Email, &from.Sender, &from.Source, &from.Page,
	} {
		*fact = fit(*fact)
	}
	for i := range from.Counted {
		from.Counted[i] = fit(from.Counted[i])
	}
	files := FilesOf(from.Files)
	files.Count = max(files.Count, from.FileCount)
	return Arrival{
		Commit: Commit{
			Repository: RepositoryName(from.Repository), Refname: from.Refname, Revision: from.Revision, ID: from.ID, URL: from.URL,
			Subject: from.Subject, Author: Person(from.Author), Committer: Person(from.Committer), Date: from.Date,
			Sender: from.Sender, Source: from.Source, Files: files,
		},
		More: max(from.More, len(from.Counted)), Counted: from.Counted, Page: from.Page,
	}, nil
}

func fit(fact string) string {
	return text.Shorten(text.OneLine(strings.ToValidUTF8(fact, "\ufffd")), maxFact)
}

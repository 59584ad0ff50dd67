package outbox

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"vext/internal/calendar"
)

// A summary counts the lines of a backlog in one message.
type summary struct {
	counts map[string]int // commits by project, and the lines of no commit under ""
	last   string         // what the last of them said
	until  time.Time      // when it came
}

func (s *summary) add(r *record) {
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.last, s.until = cmp.Or(r.Last, r.Text), r.Time
	switch {
	case r.Sum != nil:
		for project, n := range r.Sum {
			s.counts[project] += n
		}
	case r.Commits > 0:
		s.counts[cmp.Or(r.Project, noProject)] += r.Commits
	default:
		s.counts[""]++
	}
}

// noProject is where commits are counted whose project is not known.
const noProject = "?"

// maxProjects bounds how many projects a summary names.
const maxProjects = 5

// String returns the summary as it is sent: "37 commits to src while I was
// away: " and what was said last.
func (s *summary) String() string {
	projects := slices.SortedFunc(maps.Keys(s.counts), func(a, b string) int {
		if a == "" || b == "" {
			return cmp.Compare(b, a) // messages come last
		}
		return cmp.Or(cmp.Compare(s.counts[b], s.counts[a]), cmp.Compare(a, b))
	})
	var parts []string
	more := 0
	for _, project := range projects {
		if project != "" && len(parts) >= maxProjects {
			more += s.counts[project]
			continue
		}
		parts = append(parts, counted(s.counts[project], project))
	}
	if more > 0 {
		parts = append(parts, counted(more, "others"))
	}
	text := strings.Join(parts, ", ") + " while I was away"
	if i := strings.LastIndex(text, ", "); i >= 0 {
		text = text[:i] + " and " + text[i+2:]
	}
	if s.last == "" {
		return text
	}
	return text + ": the last was " + s.last
}

func counted(n int, project string) string {
	switch project {
	case "":
		return calendar.Plural(n, "message")
	case noProject:
		return calendar.Plural(n, "commit")
	}
	return calendar.Plural(n, "commit") + " to " + project
}

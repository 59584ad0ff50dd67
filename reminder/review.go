package reminder

import (
	"net/url"
	"strings"

	"vext/internal/commit"
	"vext/internal/text"
	"vext/queue"
)

// reviewFacts returns who has reviewed and approved a commit, and what it refers to. links
// are the templates of URLs, see config.Repository.
func reviewFacts(m *queue.Message, links map[string]string) []Fact {
	var facts []Fact
	for _, one := range []struct{ label, trailer, link string }{
		{"Reviewed", "Reviewed by", ""},
		{"Approved", "Approved by", ""},
		{"PR", "PR", "pr"},
		{"Review", "Differential Revision", "differential"},
	} {
		var values []string
		for _, v := range commit.Values(m.Message, one.trailer) {
			values = append(values, linked(text.OneLine(v), links[one.link]))
		}
		if len(values) > 0 {
			facts = append(facts, Fact{one.label, text.Shorten(strings.Join(values, ", "), maxText)})
		}
	}
	return facts
}

// linked returns the value of a trailer with the URL that the template makes of the number
// in it. A value without a number, or that is a URL itself, stays as it is.
func linked(value, template string) string {
	number := strings.TrimFunc(value, func(r rune) bool { return r < '0' || r > '9' })
	if template == "" || number == "" || strings.Contains(value, "://") || strings.Trim(number, "0123456789") != "" {
		return value
	}
	return value + " " + strings.Replace(template, "%s", number, 1)
}

// commitURL returns the URL of a commit: its own, else the one that the template makes.
func commitURL(m *queue.Message, template string) string {
	if m.URL != "" || template == "" || m.Revision == "" {
		return text.OneLine(m.URL)
	}
	return strings.Replace(template, "%s", url.PathEscape(text.OneLine(m.Revision)), 1)
}

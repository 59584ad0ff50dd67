package peers

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever another machine sends: what is taken from it is bounded, has no control characters
// and can become no option of a program; what is understood arrives as it was sent.
func FuzzPushed(f *testing.F) {
	f.Add("pushed ssh://x/y\n", []byte(nil))
	f.Add(`pushed b'ssh://x/y\n'`, pushPayload(Push{Repository: "git 1", Branch: "main", New: "0a", Host: "h", URLs: []string{"me@h:n", "https://h/n"}}))
	f.Add("PUSHED", []byte(`<push xmlns="urn:vext:autosync:0" new="-x"><url>ext::sh</url></push>`))
	f.Fuzz(func(t *testing.T, body string, payload []byte) {
		_, rest := command(body)
		p := parsePushed(rest, payload)
		for _, word := range append(slices.Clone(p.URLs), p.Repository, p.Remote, p.Branch, p.Old, p.New, p.Host, loginHost(payload, "x")) {
			if len(word) > maxURL || strings.HasPrefix(word, "-") || strings.ContainsAny(word, "\x00\n\r\x1b") || !utf8.ValidString(word) {
				t.Errorf("%q is taken", word)
			}
		}
		for _, u := range p.URLs {
			if strings.Contains(u, "::") && !strings.Contains(u, "//") {
				t.Errorf("%q would run a program", u)
			}
		}
		if again := parsePushed("", pushPayload(p)); p.New != "" && (again.New != p.New || again.Remote != p.Remote || !slices.Equal(again.URLs, p.URLs)) {
			t.Errorf("%+v became %+v", p, again)
		}
		if p.New != "" && xml.Unmarshal(payload, new(pushElement)) != nil {
			t.Error("a broken element was understood")
		}
	})
}

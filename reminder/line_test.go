package reminder

import (
	"strings"
	"testing"
)

// The line says it all in the room that a server gives it.
func TestLineText(t *testing.T) {
	s, _ := newService(t)
	w := Words{
		Login: "jane", Word: "MFC", IsMerge: true, Short: "0123456789ab", Subject: "foo: fix bar", Age: "2 weeks",
		Repository: "src", Branches: []string{"main"}, URL: "https://example.org/0123456789ab",
	}
	long := strings.Repeat("ü", 300)
	for _, test := range []struct {
		name   string
		change func(*Words)
		want   string
	}{
		{"all", func(*Words) {}, `jane: MFC of 0123456789ab "foo: fix bar" is due (committed 2 weeks ago, src main): https://example.org/0123456789ab`},
		{"little", func(w *Words) { *w = Words{Subject: "x", Age: "0 days", IsMerge: true} }, `Merge of "x" is due (committed today)`},
		{"not a merge", func(w *Words) { w.Word, w.IsMerge, w.URL = "", false, "" },
			`jane: you asked to be reminded of 0123456789ab "foo: fix bar" (committed 2 weeks ago, src main)`},
		{"several requests", func(w *Words) { w.Others, w.URL = "MFC in: 4 weeks", "" },
			`jane: MFC of 0123456789ab "foo: fix bar" is due (committed 2 weeks ago, src main, also asks MFC in: 4 weeks)`},
		{"gone", func(w *Words) { w.Gone, w.URL, w.Repository = "no longer on main", "", "" },
			`jane: MFC of 0123456789ab "foo: fix bar" is due (committed 2 weeks ago, main, no longer on main)`},
		{"a long subject", func(w *Words) { w.Subject = long }, `…" is due (committed 2 weeks ago, src main): https://example.org/0123456789ab`},
		{"a long repository", func(w *Words) { w.Repository = long }, `… https://example.org/0123456789ab`},
		{"a long URL", func(w *Words) { w.URL += long }, `(committed 2 weeks ago, src main)`},
		{"line ends", func(w *Words) { w.Subject = "a\r\nQUIT :b\x00\u2028c" }, `"a QUIT :b c"`},
	} {
		w := w
		test.change(&w)
		got, err := s.lineText(w)
		if err != nil || !strings.Contains(got, test.want) || len(got)-len(w.URL) > maxLine && len(w.URL) < maxLine {
			t.Errorf("%s: %d bytes, %q, %v; want %q", test.name, len(got), got, err, test.want)
		}
		if strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%s: %q is more than a line", test.name, got)
		}
	}
}

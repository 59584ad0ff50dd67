package config

import (
	"strings"
	"testing"
)

// What is taken out is the table, and nothing else; what can't be taken out
// stays.
func TestRemoveRepository(t *testing.T) {
	const w = "[[repository]]\nname = \"w\"\nurl = \"u\"\n"
	for _, test := range []struct{ name, before, after string }{
		{"alone", w, ""},
		{"as it was added", "[follow]\nrun = true\n\n" + w, "[follow]\nrun = true\n"},
		{"the first of two", w + "\n[[repository]]\nname = \"x\"\n", "[[repository]]\nname = \"x\"\n"},
		{"between", "[[repository]]\nname = \"x\"\n\n" + w + "\n[mail]\nvia = \"stdout:\"\n", "[[repository]]\nname = \"x\"\n\n[mail]\nvia = \"stdout:\"\n"},
		{"with comments",
			"# all of ours\n\n# ours\n[[ \"repository\" ]] # here\n# of old\nname = 'w'\nbranches = [\n  \"main\", # ]\n  \"[[repository]]\",\n]\nurl = \"u\" # there\n\n# the next\n[[repository]]\nname = \"x\"\n",
			"# all of ours\n\n# ours\n# of old\n\n# the next\n[[repository]]\nname = \"x\"\n"},
		{"a long string", "operator = \"\"\"\na@b\"\"\"\n[stats]\ntitle = '''\n[[repository]]\nname = \"w\"\n'''\n" + w,
			"operator = \"\"\"\na@b\"\"\"\n[stats]\ntitle = '''\n[[repository]]\nname = \"w\"\n'''\n"},
		{"no line end", "[stats]\ntitle = \"a\"\n" + strings.TrimSuffix(w, "\n"), "[stats]\ntitle = \"a\"\n"},
		{"in a line", "repository = [{name = \"w\", url = \"u\"}, {name = \"x\"}]\n", "!not written as a table"},
		{"not there", "[[repository]]\nname = \"x\"\n", "!no [[repository]]"},
		{"not TOML", "[[repository", "!line 1"},
	} {
		e := Edit{text: test.before}
		err := e.RemoveRepository("w")
		if want, isError := strings.CutPrefix(test.after, "!"); isError {
			if err == nil || !strings.Contains(err.Error(), want) || e.text != test.before {
				t.Errorf("%s: %v, text %q", test.name, err, e.text)
			}
			continue
		}
		if err != nil || e.text != test.after {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.name, err, e.text, test.after)
		}
	}
}

// FuzzRemoveRepository checks that whatever is taken out, all else is said as
// before.
func FuzzRemoveRepository(f *testing.F) {
	f.Add("[[repository]]\nname = \"w\"\nurl = '''\nu'''\n# c\n[stats]\ntitle = \"\"\"a\\\"\"\"\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		e := Edit{text: text}
		if err := e.RemoveRepository("w"); err != nil {
			if e.text != text {
				t.Errorf("%q became %q, although %v", text, e.text, err)
			}
			return
		}
		if again := e.RemoveRepository("w"); again == nil {
			t.Errorf("%q has it twice", text)
		}
	})
}

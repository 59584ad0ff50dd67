package ancestor

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

const sample = "# mine\r\n[autosync]\npath = ~/amw\nignorepath = .git .svn\n    tmp/build   # not a comment\n\n  other\nreadfrequency: 5\nPath2=a=b:c\n" +
	"[dvcs]\nstatuscmd = git status | grep -iq \"nothing to commit\"\naddcmd = git add %s\nmodifycmd =\n; x\npushcmd = git push origin master\n" +
	"[xmpp]\nusername = jane@example.org\npassword = se#cret;1 2\n"

func TestParse(t *testing.T) {
	c, err := Parse(sample)
	want := Config{
		"autosync": {"path": "~/amw", "ignorepath": ".git .svn\ntmp/build   # not a comment\nother", "readfrequency": "5", "path2": "a=b:c"},
		"dvcs":     {"statuscmd": `git status | grep -iq "nothing to commit"`, "addcmd": "git add %s", "modifycmd": "", "pushcmd": "git push origin master"},
		"xmpp":     {"username": "jane@example.org", "password": "se#cret;1 2"},
	}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%v\n%q", err, c)
	}
	if kind, unusual := c.Kind(), c.Unusual("git"); kind != "git" || !slices.Equal(unusual, []string{"pushcmd"}) {
		t.Errorf("%q, %q", kind, unusual)
	}
	for text, want := range map[string]string{
		"path = x":          `line 1: "path = x" stands before the first [section]`,
		"[autosync":         `line 1: not the head of a section: "[autosync"`,
		"[a]\nwords":        `line 2: neither a section nor a key with a value: "words"`,
		"[a]\n= x":          `line 2: neither a section nor a key with a value: "= x"`,
		"\ufeff[a]\nb\n c:": `line 2: neither a section nor a key with a value: "b"`,
	} {
		if _, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKind(t *testing.T) {
	for text, want := range map[string]string{
		"pushcmd = hg push\npullcmd = /usr/bin/hg pull -u": "hg", "pushcmd = git push\npullcmd = hg pull": "", "pushcmd = darcs push": "", "": "",
	} {
		c, err := Parse("[dvcs]\n" + text)
		if err != nil || c.Kind() != want {
			t.Errorf("%q: %q, %v", text, c.Kind(), err)
		}
	}
	if got := Words("a  b %%s '%s c'"); !slices.Equal(got, []string{"a", "b", "%s", "'%s", "c'"}) {
		t.Errorf("%q", got)
	}
}

func TestAdd(t *testing.T) {
	c, _ := Parse("[autosync]\npath = /a\nsyncmethod = xmpp\n[dvcs]\naddcmd = git add %s")
	later, _ := Parse("[autosync]\npath = /b\nsyncmethod = xmpp\n[xmpp]\nusername = jane@example.org")
	if changed := c.Add(later); !slices.Equal(changed, []string{"[autosync] path"}) {
		t.Errorf("%q", changed)
	}
	if c["autosync"]["path"] != "/b" || c["dvcs"]["addcmd"] == "" || c["xmpp"]["username"] == "" {
		t.Errorf("%q", c)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("[a]\n b = c\n  d\n e = f")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		for section, keys := range c {
			for key := range keys {
				if key == "" || strings.ToLower(section) != section || strings.Contains(key, "\n") {
					t.Errorf("[%q] %q", section, key)
				}
			}
		}
		c.Kind()
		c.Unusual("git")
	})
}

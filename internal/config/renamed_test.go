package config

import (
	"slices"
	"testing"
)

// A file of an earlier version means what it meant, also when only some of its
// tables were renamed since.
func TestOldNames(t *testing.T) {
	c, err := load(t, `# [[notice]] is in a comment
operator = "notice@example.org" # recipient = 1
[[ notice ]] # to the channel
to = ["irc://a/b"]
most = 5

[["recipient"]]
to = ["irc://a/first"]
[[route]]
to = ["irc://a/second"]
[[recipient]]
to = [
  "mail",
]
[[announce]]
max_commits = 1
to = ["irc://a/c"]
[reminders]
recipient = "author"
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Announce) != 2 || *c.Announce[0].MaxCommits != 5 || *c.Announce[1].MaxCommits != 1 || c.Operator != "notice@example.org" || c.Reminders.Recipient != Author {
		t.Errorf("%+v", c)
	}
	var to []string
	for _, r := range c.Routes {
		to = append(to, r.To...)
	}
	if !slices.Equal(to, []string{"irc://a/first", "irc://a/second", "mail"}) {
		t.Errorf("routes: %q", to)
	}
	want := []string{
		c.Path + ": line 3: [[notice]] is now [[announce]]; the old name is still read",
		c.Path + ": line 5: most is now max_commits; the old name is still read",
		c.Path + ": line 7: [[recipient]] is now [[route]]; the old name is still read",
		c.Path + ": line 11: [[recipient]] is now [[route]]; the old name is still read",
	}
	if !slices.Equal(c.Hints, want) {
		t.Errorf("hints: %q", c.Hints)
	}
	if c, err = load(t, "notice = [{to = [\"irc://a/b\"]}]\n"); err != nil || len(c.Announce) != 1 || len(c.Hints) != 1 {
		t.Errorf("an inline table: %+v, %v", c, err)
	}
	if c, err = load(t, "[[announce]]\nto = [\"irc://a/b\"]\nmax_commits = 2\n"); err != nil || len(c.Hints) != 0 {
		t.Errorf("new names: %+v, %v", c, err)
	}
}

package target

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct{ in, url string }{
		{"irc://irc.example.org/commits", "irc://irc.example.org/#commits"},
		{"irc://irc.example.org/#commits", "irc://irc.example.org/#commits"},
		{"IRC://IRC.Example.org/Commits", "irc://irc.example.org/#commits"},
		{"irc://irc.example.org#commits", "irc://irc.example.org/#commits"},
		{"irc://irc.example.org/&local", "irc://irc.example.org/&local"},
		{"irc://irc.example.org/+modeless", "irc://irc.example.org/+modeless"},
		{"irc://irc.example.org/##double", "irc://irc.example.org/##double"},
		{"irc://irc.example.org/%23commits", "irc://irc.example.org/#commits"},
		{"irc://irc.example.org:6668/c", "irc://irc.example.org:6668/#c"},
		{"irc://irc.example.org:6667/c", "irc://irc.example.org/#c"},
		{"ircs://irc.example.org:6697/c", "ircs://irc.example.org/#c"},
		{"ircs://irc.example.org:6667/c", "ircs://irc.example.org:6667/#c"},
		{"irc://irc.example.org/jane,isnick", "irc://irc.example.org/jane,isnick"},
		{"irc://irc.example.org/c?key=x", "irc://irc.example.org/#c?key=x"},
		{"irc://irc.example.org/c?x", "irc://irc.example.org/#c?key=x"},
		{"irc://irc.example.org/c?a%26b", "irc://irc.example.org/#c?key=a%26b"},
		{"irc://jane:secret@irc.example.org/c", "irc://jane:secret@irc.example.org/#c"},
		{"ircs://:secret@irc.example.org/c", "ircs://:secret@irc.example.org/#c"},
		{"irc://[2001:db8::1]:6668/c", "irc://[2001:db8::1]:6668/#c"},
		{"irc://[::1]/c", "irc://[::1]/#c"},
		{" irc://irc.example.org/c\n", "irc://irc.example.org/#c"},
		{"irc://irc.example.org/ünï", "irc://irc.example.org/#ünï"},

		{"xmpp:jane@example.org", "xmpp:jane@example.org"},
		{"XMPP:Jane@Example.org", "xmpp:jane@example.org"},
		{"xmpp:jane@example.org?message", "xmpp:jane@example.org"},
		{" xmpp:jane@example.org\n", "xmpp:jane@example.org"},
		{"xmpp:jürgen@müller.example", "xmpp:jürgen@müller.example"},
		{"xmpp:j%C3%BCrgen@example.org", "xmpp:jürgen@example.org"},
		{"xmpp:a%23b%25c@example.org", "xmpp:a%23b%25c@example.org"},
		{"xmpp:jane@[::1]", "xmpp:jane@[::1]"},
		{"xmpp:dev@conference.example.org?join", "xmpp:dev@conference.example.org?join"},
		{"xmpp:dev@conference.example.org?JOIN;", "xmpp:dev@conference.example.org?join"},
		{"xmpp:dev@conference.example.org?join;password=s3%3Bcret%20x", "xmpp:dev@conference.example.org?join;password=s3%3Bcret%20x"},
		{"xmpp:dev@conference.example.org?join;password=a+b=c", "xmpp:dev@conference.example.org?join;password=a+b=c"},
	} {
		got, err := Parse(test.in)
		if err != nil {
			t.Errorf("%s: %v", test.in, err)
			continue
		}
		if got.URL() != test.url {
			t.Errorf("%s: %s, want %s", test.in, got.URL(), test.url)
		}
		again, err := Parse(got.URL())
		if err != nil || again != got {
			t.Errorf("%s: %+v again is %+v, %v", test.in, got, again, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, s := range []string{
		"", "irc", "irc://", "irc:///c", "irc://host", "irc://host/", "irc://host/,isnick", "http://host/c", "irc:host/c",
		"irc://host:0/c", "irc://host:99999/c", "irc://host:x/c", "irc://host/a b", "irc://host/a,b", "irc://host/a%0d%0aQUIT",
		"irc://host/a?k%0aey", "irc://host/a?k%20y", "irc://us%0aer@host/a", "irc://u:p%0aq@host/a", "irc://host/#x,isnick", "irc://ho st/a", "irc://host/\x00",
		"irc://host/\xff", "irc://host/a%ff%zz",
		"xmpp:", "xmpp:jane", "xmpp:@example.org", "xmpp:jane@", "xmpp://jane@example.org", "xmpp:example.org?join", "xmpp:jane@example.org/laptop",
		"xmpp:ja ne@example.org", "xmpp:ja%0ane@example.org", "xmpp:a@b@c", "xmpp:jane@exa mple.org", "xmpp:jane@a..b", "xmpp:jane@example.org#x",
		"xmpp:dev@example.org?leave", "xmpp:dev@example.org?join;nick=x", "xmpp:dev@example.org?join;password=%0a", "xmpp:jane@example.org?message;body=x",
		"xmpp:%zz@example.org", "xmpp:%ff@example.org", "xmpp:a<b@example.org", "xmpp:jane@.example.org", "jane@example.org",
	} {
		if got, err := Parse(s); err == nil {
			t.Errorf("%q is taken for %+v", s, got)
		}
	}
}

// What is printed of a target, also of one that is not valid, has no password.
func TestSecrets(t *testing.T) {
	const secret = "s3cret"
	for _, s := range []string{
		"irc://jane:s3cret@irc.example.org/c?key=s3cret", "xmpp:dev@conference.example.org?join;password=s3cret",
		"irc://jane:s3cret@irc.example.org/", "xmpp:dev?join;password=s3cret", "xmpp:dev@conference.example.org?enter;password=s3cret",
		"xmpp://jane:s3cret@example.org/dev@conference.example.org", "mailto://jane:s3cret@example.org",
	} {
		got, err := Parse(s)
		if err != nil && strings.Contains(err.Error(), secret) || err == nil && (strings.Contains(got.String(), secret) || strings.Contains(got.Network(), secret)) {
			t.Errorf("%s: %s, %v", s, got.String(), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("irc://jane:secret@irc.example.org:6668/c?key=x")
	f.Add("ircs://[::1]/jane,isnick")
	f.Add("xmpp:j%C3%BCrgen@example.org?message")
	f.Add("xmpp:dev@conference.example.org?join;password=s3%3Bcret%20x")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(got.URL())
		if err != nil || again != got {
			t.Errorf("%q: %+v again is %+v, %v", s, got, again, err)
		}
		bare, err := Parse(got.String())
		got.User, got.Password, got.Key = "", "", ""
		if err != nil || bare != got {
			t.Errorf("%q without secrets: %+v is %+v, %v", s, got, bare, err)
		}
	})
}

package target

import "testing"

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
	} {
		if got, err := Parse(s); err == nil {
			t.Errorf("%q is taken for %+v", s, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("irc://jane:secret@irc.example.org:6668/c?key=x")
	f.Add("ircs://[::1]/jane,isnick")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(got.URL())
		if err != nil || again != got {
			t.Errorf("%q: %+v again is %+v, %v", s, got, again, err)
		}
	})
}

package filter

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/commit"
	"vext/spool"
)

func payload(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../testdata/payloads", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Each request in a forge's push is a message of its own; other events are ignored; of an
// incomplete push, the described commits are accepted.
func TestForges(t *testing.T) {
	for _, test := range []struct {
		file    string
		want    Verdict
		spooled int
		notes   int
		reason  string
	}{
		{"github-push.json", Spooled, 2, 0, "2 commits of one push"},
		{"github-branch-create.json", Ignored, 0, 0, "no trailer"},
		{"github-branch-delete.json", Ignored, 0, 0, "no trailer"},
		{"github-tag.json", Ignored, 0, 0, `an event of GitHub: not a push of commits: "refs/tags/v1.0"`},
		{"github-ping.json", Ignored, 0, 0, "an event of GitHub: not a push of commits"},
		{"gitlab-push.json", Spooled, 1, 0, "12f4334efb58a4c3be2f6ee7d71756222760352e+main@acme=2Ftools=2Fwidget"},
		{"gitlab-push-many.json", Spooled, 1, 1, "; not all commits of the push to main are described"},
		{"gitea-push.json", Spooled, 1, 0, ""},
		{"forgejo-push.json", Spooled, 1, 0, ""},
		{"gogs-push.json", Spooled, 1, 0, ""},
		{"bitbucket-cloud-push.json", Spooled, 1, 0, ""},
		{"bitbucket-server-push.json", Ignored, 0, 1, "; not all"},
		{"azure-push.json", Spooled, 1, 0, ""},
		{"azure-push-branches.json", Spooled, 1, 2, "; not all"},
	} {
		f := newFilter(t)
		for range 2 { // a push that comes twice changes nothing
			got, err := f.Run(strings.NewReader(payload(t, test.file)))
			if err != nil || got.Verdict != test.want || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("%s: %+v, %v", test.file, got, err)
			}
		}
		all := spooled(t, f)
		for name, text := range all {
			m := commit.ReadMail(strings.NewReader(text))
			if len(m.Commits) != 1 || m.Commits[0].Source != commit.FromJSON || m.Commits[0].Branch() == "" {
				t.Errorf("%s: %s is read as %+v", test.file, name, m.Commits)
			}
		}
		if notes := f.Spool.IncompletePushes(); len(all) != test.spooled || len(notes) != 2*test.notes {
			t.Errorf("%s: %d in the spool, %d notes", test.file, len(all), len(notes))
		}
	}
}

func TestIncompleteNote(t *testing.T) {
	f := newFilter(t)
	if _, err := f.Run(strings.NewReader(payload(t, "gitlab-push-many.json"))); err != nil {
		t.Fatal(err)
	}
	got := f.Spool.IncompletePushes()
	if len(got) != 1 || got[0].Time.IsZero() {
		t.Fatalf("%+v", got)
	}
	want := spool.IncompletePush{
		Time: got[0].Time, Repository: "acme/tools/widget", Refname: "refs/heads/main",
		Before: "40186b87e9c2ed4b95091327af1af6348b720c44", After: "4d634ce8ad098306a118e50c010df17cffbe16c8", Listed: 2, Total: 31,
	}
	if got[0] != want {
		t.Errorf("got %+v", got[0])
	}
}

// An invalid payload of a forge is bad input, as other JSON is.
func TestBadPayload(t *testing.T) {
	for _, text := range []string{
		`{"object_kind":"push","ref":"refs/heads/main","after":"x","project":{"path_with_namespace":"a/b"}}`,
		`{"eventType":"git.push","resource":{}}`,
		payload(t, "github-push.json") + "x",
	} {
		f := newFilter(t)
		if got, err := f.Run(strings.NewReader(text)); err != nil || got.Verdict != Bad {
			t.Errorf("%.60s: %+v, %v", text, got, err)
		}
	}
}

// The message of a hook's object has its source.
func TestSource(t *testing.T) {
	f := newFilter(t)
	if _, err := f.Run(strings.NewReader(`{"committer":{"email":"a@b"},"revision":"r1","message":"MFC after: 1d"}`)); err != nil {
		t.Fatal(err)
	}
	for name, text := range spooled(t, f) {
		if !strings.Contains(text, "\nX-Vext-Source: json\n") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// JSON may be as large as GitHub's largest payload.
func TestLargeJSON(t *testing.T) {
	push := payload(t, "github-push.json")
	for _, test := range []struct {
		size int
		ok   bool
	}{{1 << 20, true}, {maxJSON, true}, {maxJSON + 1, false}} {
		f := newFilter(t)
		filler := fmt.Sprintf(`{"filler":"%s",`, strings.Repeat("x", test.size-len(push)-len(`"filler":"",`)))
		got, err := f.Run(strings.NewReader(strings.Replace(push, "{", filler, 1)))
		if (err == nil) != test.ok || test.ok && got.Verdict != Spooled {
			t.Errorf("%d bytes: %+v, %v", test.size, got, err)
		}
		if n := len(spooled(t, f)); (n == 2) != test.ok {
			t.Errorf("%d bytes: %d in the spool", test.size, n)
		}
	}
}

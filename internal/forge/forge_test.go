package forge

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
)

// The commits of the payloads in testdata, oldest first.
const (
	hashA = "40186b87e9c2ed4b95091327af1af6348b720c44" // where the branch was
	hashB = "12f4334efb58a4c3be2f6ee7d71756222760352e" // asks, by ann
	hashC = "4d634ce8ad098306a118e50c010df17cffbe16c8"
	hashD = "5ca9dafa499d1ef923270705948dd57bec559df4" // asks
	zeros = "0000000000000000000000000000000000000000"
)

var (
	ann  = commit.Person{Name: "Ann Müller", Email: "ann@example.net"}
	jane = commit.Person{Name: "Jane Committer", Email: "jane@example.org"}
)

func payload(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../testdata/payloads", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// summary describes a push in one line.
func summary(p *Push, err error) string {
	if errors.Is(err, ErrOther) {
		return "other"
	}
	if err != nil {
		return "error"
	}
	short := func(s string) string { return s[:min(len(s), 4)] }
	s := p.Repository
	for _, u := range p.Updates {
		s += fmt.Sprintf(" %s %s..%s", commit.BranchName(u.Refname), short(u.Before), short(u.After))
		for _, c := range u.Commits {
			s += " " + short(c.Revision)
		}
		if u.Total > 0 {
			s += fmt.Sprintf(" of %d", u.Total)
		}
		if u.Incomplete {
			s += " incomplete"
		}
	}
	return s
}

// Every forge's payload is recognised without its headers, and its push is the same with
// them.
func TestPayloads(t *testing.T) {
	for _, test := range []struct {
		file  string
		kind  Kind
		event string
		want  string
	}{
		{"github-push.json", GitHub, "push", "acme/widget main 4018..5ca9 12f4 4d63 5ca9"},
		{"github-branch-create.json", GitHub, "push", "acme/widget feature ..4018"},
		{"github-branch-delete.json", GitHub, "push", "acme/widget feature 4018.."},
		{"github-tag.json", GitHub, "push", "other"},
		{"github-ping.json", GitHub, "ping", "other"},
		{"gitlab-push.json", GitLab, "Push Hook", "acme/tools/widget main 4018..4d63 12f4 4d63 of 2"},
		{"gitlab-push.json", GitLab, "System Hook", "acme/tools/widget main 4018..4d63 12f4 4d63 of 2"},
		{"gitlab-push-many.json", GitLab, "Push Hook", "acme/tools/widget main 4018..4d63 12f4 4d63 of 31 incomplete"},
		{"gitlab-branch-delete.json", GitLab, "Push Hook", "acme/tools/widget feature 4018.."},
		{"gitlab-tag.json", GitLab, "Tag Push Hook", "other"},
		{"gitea-push.json", Gitea, "push", "acme/widget main 4018..4d63 12f4 4d63 of 2"},
		{"gitea-push-many.json", Gitea, "push", "acme/widget main 4018..ec08 13eb 1c37 8a2c b791 ec08 of 12 incomplete"},
		{"gitea-branch-create.json", GitHub, "create", "other"},
		{"forgejo-push.json", Gitea, "push", "acme/widget main 4018..4d63 12f4 4d63 of 2"},
		{"gogs-push.json", Gogs, "push", "acme/widget main 4018..4d63 12f4 4d63"},
		{"bitbucket-cloud-push.json", BitbucketCloud, "repo:push", "acme/widget main 4018..4d63 12f4 4d63"},
		{"bitbucket-cloud-push-truncated.json", BitbucketCloud, "repo:push", "acme/widget main 4018..4d63 12f4 4d63 incomplete"},
		{"bitbucket-cloud-branch-delete.json", BitbucketCloud, "repo:push", "acme/widget feature 4018.."},
		{"bitbucket-cloud-tag.json", BitbucketCloud, "repo:push", "other"},
		{"bitbucket-server-push.json", BitbucketServer, "repo:refs_changed", "ACME/widget main 4018..4d63 incomplete"},
		{"bitbucket-server-branch-delete.json", BitbucketServer, "repo:refs_changed", "ACME/widget feature 4018.."},
		{"bitbucket-datacenter-push.json", BitbucketServer, "repo:refs_changed", "ACME/widget main 4018..4d63 12f4 4d63 incomplete"},
		{"azure-push.json", Azure, "", "Tool Box/widget main 4018..4d63 12f4 4d63"},
		{"azure-push-branches.json", Azure, "", "Tool Box/widget main 4018..4d63 4d63 incomplete stable 4018..12f4 12f4 incomplete"},
	} {
		data := payload(t, test.file)
		if kind, ok := Recognise(data); kind != test.kind || !ok {
			t.Errorf("%s is recognised as %q, %v", test.file, kind, ok)
		}
		for _, event := range []string{"", test.event} {
			if got := summary(Parse(test.kind, event, data)); got != test.want {
				t.Errorf("%s, event %q:\n got %s\nwant %s", test.file, event, got, test.want)
			}
		}
		if got := summary(Parse(test.kind, "workflow_run", data)); got != "other" {
			t.Errorf("%s, event workflow_run: %s", test.file, got)
		}
	}
}

// The same commit, as every forge describes it.
func TestCommits(t *testing.T) {
	made := time.Date(2026, 11, 20, 8, 15, 0, 0, time.UTC)
	for _, test := range []struct {
		file, repository, url string
		author, committer     commit.Person
	}{
		{"github-push.json", "acme/widget", "https://github.example.org/acme/widget/commit/", ann, jane},
		{"gitlab-push.json", "acme/tools/widget", "https://gitlab.example.org/acme/tools/widget/-/commit/", jane, jane},
		{"gitea-push.json", "acme/widget", "https://gitea.example.org/acme/widget/commit/", ann, jane},
		{"forgejo-push.json", "acme/widget", "https://forgejo.example.org/acme/widget/commit/", ann, jane},
		{"gogs-push.json", "acme/widget", "https://gogs.example.org/acme/widget/commit/", ann, jane},
		{"bitbucket-cloud-push.json", "acme/widget", "https://bitbucket.example.org/acme/widget/commits/", ann, ann},
		{"bitbucket-datacenter-push.json", "ACME/widget", "https://git.example.org/projects/ACME/repos/widget/commits/", ann, jane},
		{"azure-push.json", "Tool Box/widget", "https://dev.azure.example.org/acme/Tool%20Box/_git/widget/commit/", ann, jane},
	} {
		data := payload(t, test.file)
		kind, _ := Recognise(data)
		p, err := Parse(kind, "", data)
		if err != nil {
			t.Errorf("%s: %v", test.file, err)
			continue
		}
		got := p.Updates[0].Commits[0]
		if !got.Date.Equal(made) || !got.AuthorDate.Equal(made) {
			t.Errorf("%s: dates %v and %v", test.file, got.AuthorDate, got.Date)
		}
		files, listsFiles := got.Files, test.file != "bitbucket-cloud-push.json" && test.file != "bitbucket-datacenter-push.json" && test.file != "azure-push.json"
		if (files.Count > 0) != listsFiles || files.Count != len(files.Paths) {
			t.Errorf("%s: files %+v", test.file, files)
		}
		got.Date, got.AuthorDate, got.Files = time.Time{}, time.Time{}, commit.Files{}
		want := commit.Commit{
			Repository: test.repository, Refname: "refs/heads/main", Revision: hashB, URL: test.url + hashB,
			Subject: "frob: keep the knob when it turns twice",
			Message: "frob: keep the knob when it turns twice\n\nA second turn put it back to where it was.\n\nMFC after:\t2 weeks\n",
			Author:  test.author, Committer: test.committer, Sender: test.committer.Email,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.file, got, want)
		}
	}
}

// A repository has the names that the forge assigns, none that its owner can choose
// freely.
func TestNames(t *testing.T) {
	for file, want := range map[string][]string{
		"github-push.json": {"acme/widget", "https://github.example.org/acme/widget.git", "https://github.example.org/acme/widget",
			"git@github.example.org:acme/widget.git", "git://github.example.org/acme/widget.git"},
		"gitlab-push.json": {"acme/tools/widget", "https://gitlab.example.org/acme/tools/widget.git",
			"https://gitlab.example.org/acme/tools/widget", "git@gitlab.example.org:acme/tools/widget.git"},
		"gitea-push.json":            {"acme/widget", "https://gitea.example.org/acme/widget.git", "https://gitea.example.org/acme/widget", "git@gitea.example.org:acme/widget.git"},
		"bitbucket-cloud-push.json":  {"acme/widget", "https://bitbucket.example.org/acme/widget"},
		"bitbucket-server-push.json": {"ACME/widget", "ssh://git@git.example.org:7999/acme/widget.git", "https://git.example.org/scm/acme/widget.git"},
		"azure-push.json":            {"Tool Box/widget", "https://dev.azure.example.org/acme/Tool%20Box/_git/widget"},
	} {
		data := payload(t, file)
		kind, _ := Recognise(data)
		p, err := Parse(kind, "", data)
		if err != nil || !slices.Equal(p.Names, want) {
			t.Errorf("%s: %q, %v; want %q", file, p.Names, err, want)
		}
	}
}

func TestRecogniseNot(t *testing.T) {
	for _, text := range []string{
		``, `{`, `[]`, `null`, `{}`, `"push"`, `{"repository":"src"}`,
		`{"repository":"src","refname":"refs/heads/main","revision":"r1","committer":{"email":"a@b"},"message":"m"}`,
		`{"repository":{"full_name":"a/b"},"ref":"refs/heads/main","revision":"r1","committer":{"email":"a@b"},"message":"m"}`,
		`{"committer":{"email":"a@b"},"message":"m"}`, `{"eventType":1,"resource":{}}`, `{"object_kind":null}`,
	} {
		if kind, ok := Recognise([]byte(text)); ok {
			t.Errorf("%s is taken for %s", text, kind)
		}
	}
}

// Real payloads, if they are available.
func TestRealPayloads(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/payloads/*.json")
	if len(files) == 0 {
		t.Skip("no real payloads here")
	}
	kinds := map[string]Kind{"azure": Azure, "bitbucket-cloud": BitbucketCloud, "bitbucket-server": BitbucketServer,
		"gitea": Gitea, "github": GitHub, "gitlab": GitLab, "gogs": Gogs}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		var want Kind
		for prefix, kind := range kinds {
			if strings.HasPrefix(name, prefix) {
				want = kind
			}
		}
		kind, ok := Recognise(data)
		sameForm := (want == Gitea || want == Gogs) && (kind == Gitea || kind == Gogs || kind == GitHub)
		if !ok || kind != want && !sameForm {
			t.Errorf("%s is recognised as %q", name, kind)
		}
		p, err := Parse(want, "", data)
		isOther := strings.Contains(name, "tag") || name == "github-push-1.json" || name == "github-push-branchdelete-payload.json" ||
			strings.HasPrefix(name, "gitea-branch")
		switch {
		case isOther != errors.Is(err, ErrOther) || err != nil && !isOther:
			t.Errorf("%s: %v", name, err)
			continue
		case isOther:
			continue
		}
		for _, u := range p.Updates {
			deleted := strings.Contains(name, "delete")
			if (u.After == "") != deleted || u.Incomplete != (want == BitbucketServer && !deleted) || !strings.Contains(p.Repository, "/") {
				t.Errorf("%s: %s", name, summary(p, err))
			}
			for _, c := range u.Commits {
				if c.Date.IsZero() || c.Subject == "" || !strings.Contains(c.Committer.Email, "@") || !strings.HasSuffix(c.URL, c.Revision) {
					t.Errorf("%s: %+v", name, c)
				}
			}
			if (strings.Contains(name, "push.drone") || strings.Contains(name, "new-branch")) && want != BitbucketServer && len(u.Commits) != 1 {
				t.Errorf("%s: %s", name, summary(p, err))
			}
		}
	}
}

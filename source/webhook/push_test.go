package webhook

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"vext/internal/commit"
	"vext/internal/forge"
	"vext/spool"
)

var (
	ann  = commit.Person{Name: "Ann Müller", Email: "ann@example.net"}
	jane = commit.Person{Name: "Jane Committer", Email: "jane@example.org"}
)

// A push of each forge, with its headers, becomes a message from which the commit can be
// read.
func TestForges(t *testing.T) {
	for _, test := range []struct {
		file              string
		headers           func(text string) []string
		repository, url   string
		author, committer commit.Person
		answer            string
	}{
		{"github-push.json", func(text string) []string {
			return []string{"X-GitHub-Event", "push", "X-Hub-Signature", "sha1=x", "X-Hub-Signature-256", "sha256=" + hexOf(text)}
		}, "acme/widget", "https://github.example.org/acme/widget/commit/", ann, jane, "2 of 3"},
		{"gitlab-push.json", func(text string) []string {
			return []string{"X-Gitlab-Event", "Push Hook", "X-Gitlab-Token", secret}
		}, "acme/tools/widget", "https://gitlab.example.org/acme/tools/widget/-/commit/", jane, jane, "1 of 2"},
		{"gitlab-push.json", func(text string) []string { return standard(secret, text, now) },
			"acme/tools/widget", "https://gitlab.example.org/acme/tools/widget/-/commit/", jane, jane, "1 of 2"},
		{"gitea-push.json", func(text string) []string {
			return []string{"X-Gitea-Event", "push", "X-Gogs-Event", "push", "X-GitHub-Event", "push", "X-Gitea-Signature", hexOf(text),
				"X-Gogs-Signature", hexOf(text), "X-Hub-Signature", "sha1=x", "X-Hub-Signature-256", "sha256=" + hexOf(text)}
		}, "acme/widget", "https://gitea.example.org/acme/widget/commit/", ann, jane, "1 of 2"},
		{"forgejo-push.json", func(text string) []string {
			return []string{"X-Forgejo-Event", "push", "X-Gitea-Event", "push", "X-GitHub-Event", "push", "X-Forgejo-Signature", hexOf(text)}
		}, "acme/widget", "https://forgejo.example.org/acme/widget/commit/", ann, jane, "1 of 2"},
		{"gogs-push.json", func(text string) []string {
			return []string{"X-Gogs-Event", "push", "X-Github-Event", "push", "X-Gogs-Signature", hexOf(text)}
		}, "acme/widget", "https://gogs.example.org/acme/widget/commit/", ann, jane, "1 of 2"},
		{"bitbucket-cloud-push.json", func(text string) []string {
			return []string{"X-Event-Key", "repo:push", "X-Hub-Signature", "sha256=" + hexOf(text)}
		}, "acme/widget", "https://bitbucket.example.org/acme/widget/commits/", ann, ann, "1 of 2"},
		{"bitbucket-datacenter-push.json", func(text string) []string {
			return []string{"X-Event-Key", "repo:refs_changed", "X-Hub-Signature", "sha256=" + hexOf(text)}
		}, "ACME/widget", "https://git.example.org/projects/ACME/repos/widget/commits/", ann, jane, "1 of 2"},
		{"azure-push.json", func(text string) []string { return []string{"Authorization", basic("vext", secret)} },
			"Tool Box/widget", "https://dev.azure.example.org/acme/Tool%20Box/_git/widget/commit/", ann, jane, "1 of 2"},
	} {
		b := newBench(t)
		text := payload(t, test.file)
		var first map[string]string
		for range 2 { // the second delivery changes nothing
			want(t, test.file, b.post(text, test.headers(text)...), 200, test.answer+" commits ask for a reminder\n")
			if first == nil {
				first = b.spooled()
			}
		}
		if got := b.spooled(); len(got) != len(first) {
			t.Errorf("%s: a second delivery added to the spool", test.file)
		}
		const revision = "12f4334efb58a4c3be2f6ee7d71756222760352e"
		wanted := commit.Commit{
			Repository: test.repository, Refname: "refs/heads/main", Revision: revision, URL: test.url + revision,
			Subject: "frob: keep the knob when it turns twice",
			Message: "frob: keep the knob when it turns twice\n\nA second turn put it back to where it was.\n\nMFC after:\t2 weeks\n",
			Author:  test.author, Committer: test.committer, Sender: test.committer.Email, Source: commit.FromWebhook,
		}
		wanted.ID = wanted.MadeID()
		mail := commit.ReadMail(strings.NewReader(first[spool.Name(wanted.ID)]))
		if len(mail.Commits) != 1 {
			t.Errorf("%s: %s in %v", test.file, mail.Ignored, first)
			continue
		}
		got := mail.Commits[0]
		if !got.Date.Equal(time.Date(2026, 11, 20, 8, 15, 0, 0, time.UTC)) {
			t.Errorf("%s: its date is %v", test.file, got.Date)
		}
		got.Date, got.AuthorDate = time.Time{}, time.Time{}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.file, got, wanted)
		}
	}
}

func TestVerdicts(t *testing.T) {
	b := newBench(t)
	b.hook().Repositories = []string{"acme/*"}
	push := payload(t, "github-push.json")
	event := func(event, text string) []string {
		return []string{"X-GitHub-Event", event, "X-Hub-Signature-256", "sha256=" + hexOf(text)}
	}
	for _, test := range []struct {
		name, method, path, text, event string
		status                          int
	}{
		{"not a hook", "POST", "/", push, "push", 404},
		{"an unknown hook", "POST", "/hook/other", push, "push", 404},
		{"no name", "POST", "/hook/", push, "push", 404},
		{"more than a name", "POST", "/hook/forge/", push, "push", 404},
		{"a hook without secret", "POST", "/hook/closed", push, "push", 404},
		{"GET", "GET", "/hook/forge", push, "push", 405},
		{"ping", "POST", "/hook/forge", payload(t, "github-ping.json"), "ping", 202},
		{"another event", "POST", "/hook/forge", `{"action":"opened"}`, "issues", 202},
		{"a tag", "POST", "/hook/forge", payload(t, "github-tag.json"), "push", 202},
		{"a branch deleted", "POST", "/hook/forge", payload(t, "github-branch-delete.json"), "push", 202},
		{"a branch made", "POST", "/hook/forge", payload(t, "github-branch-create.json"), "push", 200},
		{"another repository", "POST", "/hook/forge", strings.Replace(push, "acme/widget", "evil/widget", 1), "push", 403},
		{"not JSON", "POST", "/hook/forge", "{", "push", 400},
		{"nothing", "POST", "/hook/forge", "", "push", 400},
		{"no hash", "POST", "/hook/forge", strings.ReplaceAll(push, "5ca9dafa499d1ef923270705948dd57bec559df4", "main"), "push", 400},
	} {
		w := b.send(test.method, test.path, test.text, event(test.event, test.text)...)
		want(t, test.name, w, test.status, "")
		if strings.Contains(w.Body.String(), "acme") || strings.Contains(w.Body.String(), "main") {
			t.Errorf("%s: the answer repeats the request: %s", test.name, w.Body)
		}
		if n := len(b.spooled()); n > 0 {
			t.Errorf("%s: %d in the spool", test.name, n)
		}
	}
	if got := b.send("PUT", "/hook/forge", "").Header().Get("Allow"); got != "POST" {
		t.Errorf("Allow: %s", got)
	}
	want(t, "no event header", b.post(push, "X-Hub-Signature-256", "sha256="+hexOf(push)), 200, "2 of 3")
}

// The object of vext's own hooks is accepted by HTTP, too.
func TestOwnObject(t *testing.T) {
	b := newBench(t)
	b.Policy.Names = map[string]string{"acme/widget": "widget"}
	b.hook().Repositories = []string{"widget"}
	const object = `{"repository":"acme/widget.git","refname":"refs/heads/main","revision":"12f4334efb58a4c3be2f6ee7d71756222760352e",
		"committer":{"name":"Jane","email":"jane@example.org"},"message":"x\n\nMFC after: 1 week\n"}`
	want(t, "the object", b.post(object, "X-Hub-Signature-256", "sha256="+hexOf(object)), 200, "1 of 1")
	if got := b.spooled(); len(got) != 1 || !strings.Contains(got["12f4334efb58a4c3be2f6ee7d71756222760352e+main@widget"], "X-Git-Repository: widget\n") {
		t.Errorf("spooled %v", got)
	}
	other := strings.Replace(object, "acme/widget", "widget2", 1)
	want(t, "of another repository", b.post(other, "X-Hub-Signature-256", "sha256="+hexOf(other)), 403, "")
	want(t, "broken", b.post(`{}`, "X-Hub-Signature-256", "sha256="+hexOf(`{}`)), 400, "")
	withID := strings.Replace(object, "{", `{"id":"<0123456789abcdef0123456789abcdef01234567+main@src>",`, 1)
	want(t, "with the ID of another", b.post(withID, "X-Hub-Signature-256", "sha256="+hexOf(withID)), 200, "1 of 1")
	if got := b.spooled(); len(got) != 1 {
		t.Errorf("spooled %v", got)
	}
}

// A repository may be configured by any of its names.
func TestCanonicalName(t *testing.T) {
	for _, known := range []string{"acme/widget", "scm/acme/widget"} {
		b := newBench(t)
		b.Policy.Names = map[string]string{known: "src"}
		b.hook().Repositories = []string{"src"}
		text := payload(t, "bitbucket-datacenter-push.json")
		want(t, known, b.post(text, "X-Event-Key", "repo:refs_changed", "X-Hub-Signature", "sha256="+hexOf(text)), 200, "1 of 2")
		for name, mail := range b.spooled() {
			if !strings.Contains(mail, "X-Git-Repository: src\n") || !strings.HasSuffix(name, "@src") {
				t.Errorf("%s: %s", name, mail)
			}
		}
	}
}

// Commits that the hook's restrictions exclude are skipped; the rest of the push is not.
func TestIgnoredCommits(t *testing.T) {
	push := payload(t, "github-push.json") // two that ask, both by jane, one of them written by ann
	for _, test := range []struct {
		name           string
		allow, senders []string
		toAuthor       bool
		want           string
	}{
		{"all", []string{"*@example.org"}, []string{"jane@*"}, false, "2 of 3"},
		{"nobody is allowed", []string{"*@example.com"}, nil, false, "0 of 3"},
		{"no sender", nil, []string{"joe@example.org"}, false, "0 of 3"},
		{"the author is not allowed", []string{"*@example.org"}, nil, true, "1 of 3"},
	} {
		b := newBench(t)
		if err := os.Mkdir(filepath.Join(b.state, "history"), 0o750); err != nil {
			t.Fatal(err)
		}
		b.hook().Allow, b.hook().Senders, b.Policy.ToAuthor = test.allow, test.senders, test.toAuthor
		want(t, test.name, b.push(push), 200, test.want)
		if passed := strings.Count(b.log.String(), "webhook: ignored"); passed+len(b.spooled()) != 2 {
			t.Errorf("%s: %d in the spool: %s", test.name, len(b.spooled()), b.log)
		}
		if b.Filter.Spool.LastSeenBy("webhook-forge").IsZero() {
			t.Errorf("%s: it was not noted that the hook is alive", test.name)
		}
	}
}

// Commits that are not described are looked up. Without a repository, a note is made for
// the operator; after an error, the forge gets 503.
func TestIncomplete(t *testing.T) {
	many := payload(t, "gitlab-push-many.json")
	offMain := strings.Replace(many, "refs/heads/main", "refs/heads/wip", 1)
	failed := errors.New("no network")
	for _, test := range []struct {
		name, text string
		err        error
		status     int
		notes      int
		log        string
	}{
		{"found", many, nil, 200, 0, ""},
		{"not followed", many, ErrNotFollowed, 200, 1, "level=WARN msg=\"webhook: incomplete"},
		{"not followed, and it does not count", offMain, ErrNotFollowed, 200, 0, "level=DEBUG msg=\"webhook: incomplete"},
		{"failed", many, failed, 503, 0, "no network"},
		{"failed late", many, context.DeadlineExceeded, 503, 0, "deadline"},
	} {
		b := newBench(t)
		asked := 0
		b.LookUp = counting(&asked, test.err)
		want(t, test.name, b.post(test.text, "X-Gitlab-Event", "Push Hook", "X-Gitlab-Token", secret), test.status, "")
		if len(b.spooled()) != 1 || asked != 1 {
			t.Errorf("%s: %d in the spool, asked %d times", test.name, len(b.spooled()), asked)
		}
		if got := b.Filter.Spool.IncompletePushes(); len(got) != test.notes || !strings.Contains(b.log.String(), test.log) {
			t.Errorf("%s: noted %+v: %s", test.name, got, b.log)
		}
	}

	b := newBench(t)
	want(t, "without anything to look in", b.post(many, "X-Gitlab-Token", secret), 200, "1 of 2")
	wanted := spool.IncompletePush{
		Time: now, Hook: "forge", Repository: "acme/tools/widget", Refname: "refs/heads/main",
		Before: "40186b87e9c2ed4b95091327af1af6348b720c44", After: "4d634ce8ad098306a118e50c010df17cffbe16c8", Listed: 2, Total: 31,
	}
	if got := b.Filter.Spool.IncompletePushes(); len(got) != 1 || got[0] != wanted {
		t.Errorf("noted %+v", got)
	}

	// Bitbucket Server describes nothing.
	b = newBench(t)
	b.LookUp = func(ctx context.Context, repository string, u forge.Update) error {
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left < lookUpTime/2 || left > lookUpTime || repository != "ACME/widget" || u.After[:4] != "4d63" {
			t.Errorf("asked for %s %+v within %v", repository, u, left)
		}
		return nil
	}
	text := payload(t, "bitbucket-server-push.json")
	want(t, "no commits", b.post(text, "X-Event-Key", "repo:refs_changed", "X-Hub-Signature", "sha256="+hexOf(text)), 200, "0 of 0")
}

// While the spool can't be written, the answer is 503 with a line in the log; the next
// delivery of the push is accepted.
func TestUnwritableSpool(t *testing.T) {
	b := newBench(t)
	push := payload(t, "github-push.json")
	if err := os.WriteFile(b.Filter.Spool.Dir(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := b.push(push)
	want(t, "a file in the way", w, http.StatusServiceUnavailable, "not stored; send it again")
	if w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), b.state) || !strings.Contains(b.log.String(), "level=ERROR") {
		t.Errorf("%v: %s", w.Header(), b.log)
	}
	if err := os.Remove(b.Filter.Spool.Dir()); err != nil {
		t.Fatal(err)
	}
	want(t, "mended", b.push(push), 200, "2 of 3")
	if n := len(b.spooled()); n != 2 {
		t.Errorf("%d in the spool", n)
	}
}

func TestPanic(t *testing.T) {
	b := newBench(t)
	b.LookUp = func(context.Context, string, forge.Update) error { panic("a fault") }
	want(t, "a panic", b.post(payload(t, "gitlab-push-many.json"), "X-Gitlab-Token", secret), 500, "")
	if !strings.Contains(b.log.String(), "a fault") || !strings.Contains(b.log.String(), "push_test.go") {
		t.Errorf("log: %s", b.log)
	}
	b.LookUp = nil
	want(t, "the next", b.push(payload(t, "github-push.json")), 200, "2 of 3")
}

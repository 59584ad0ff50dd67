package webhook

import (
	"strings"
	"testing"
	"time"

	"vext/spool"
)

// known returns what is stored of the hook's signatures.
func (b *bench) known() *spool.Signatures {
	b.Flush()
	return b.Filter.Spool.Signatures("webhook-forge")
}

// Each request is recorded for its hook and for the repository that it names.
func TestSignaturesNoted(t *testing.T) {
	b := newBench(t)
	github, gitlab := payload(t, "github-push.json"), payload(t, "gitlab-push.json")
	wrong := []string{"X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256=00"}
	want(t, "a good one", b.push(github), 200, "")
	good := b.known()
	if len(good.Repositories) != 1 || good.Good != now || !good.LastRejected().IsZero() {
		t.Fatalf("%+v", good)
	}
	for _, headers := range [][]string{
		{"X-Gitlab-Event", "Push Hook", "X-Gitlab-Token", "wrong"},
		{"X-Gitlab-Event", "Push Hook"},
		{"X-Gitlab-Event", "Push Hook", "Authorization", basic("x", "wrong")},
		{"X-Gitlab-Event", "Push Hook", "X-Hub-Signature-256", "sha256=00"},
	} {
		want(t, "another repository", b.post(gitlab, headers...), 401, "not authorized")
	}
	for _, text := range []string{"", "{}", "[", "payload=%zz", strings.Repeat(" ", maxUnproven+1)} {
		want(t, "of no repository", b.post(text, wrong...), 401, "")
		want(t, "of no repository, without a proof", b.post(text), 401, "")
	}
	got := b.known()
	if len(got.Repositories) != 2 {
		t.Fatalf("%+v", got)
	}
	for name, r := range got.Repositories {
		if _, isGood := good.Repositories[name]; isGood != (r.Count == 0) || !isGood && r.Count != 4 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	b.Now = func() time.Time { return now.Add(time.Minute) }
	want(t, "and it is right", b.post(gitlab, "X-Gitlab-Event", "Push Hook", "X-Gitlab-Token", secret), 200, "")
	for name, r := range b.known().Repositories {
		if r.Count != 0 || r.Good.IsZero() {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// The name of a repository may be any text.
func TestLabelIsClean(t *testing.T) {
	b := newBench(t)
	text := strings.ReplaceAll(payload(t, "github-push.json"), `"full_name": "`, `"full_name": "\u001b[31m\n`+strings.Repeat("x", 500))
	b.post(text)
	for name := range b.known().Repositories {
		if strings.ContainsAny(name, "\x1b\n") || len(name) > maxShown+3 {
			t.Errorf("%q", name)
		}
	}
}

// While the state directory is another one, nothing is accepted.
func TestReplaced(t *testing.T) {
	b := newBench(t)
	id, _, err := b.Filter.Spool.Adopt()
	if err != nil {
		t.Fatal(err)
	}
	push := payload(t, "github-push.json")
	b.Filter.Spool = b.Filter.Spool.Expecting("other")
	w := b.push(push)
	want(t, "another", w, 503, "the state directory is not there")
	if w.Header().Get("Retry-After") == "" || len(b.spooled()) > 0 {
		t.Errorf("%v, %d spooled", w.Header(), len(b.spooled()))
	}
	b.Filter.Spool = b.Filter.Spool.Expecting(id)
	want(t, "back again", b.push(push), 200, "")
}

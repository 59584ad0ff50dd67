package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each form of proof, right and wrong.
func TestProof(t *testing.T) {
	github, gitlab, azure := payload(t, "github-push.json"), payload(t, "gitlab-push.json"), payload(t, "azure-push.json")
	right, wrong := hexOf(github), hexOf(github+" ")
	form := "payload=" + url.QueryEscape(github)
	whsec := "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret))
	replace := func(headers []string, name, value string) []string {
		headers = slices.Clone(headers)
		headers[slices.Index(headers, name)+1] = value
		return headers
	}
	signed := standard(secret, gitlab, now)
	for _, test := range []struct {
		name    string
		payload string
		ok      bool
		headers []string
	}{
		{"none", github, false, nil},
		{"GitHub's", github, true, []string{"X-Hub-Signature-256", "sha256=" + right}},
		{"GitHub's, of another body", github, false, []string{"X-Hub-Signature-256", "sha256=" + wrong}},
		{"GitHub's, with another key", github, false, []string{"X-Hub-Signature-256", "sha256=" + hex.EncodeToString(hmacOf("x", github))}},
		{"GitHub's, in upper case", github, true, []string{"X-Hub-Signature-256", "sha256=" + strings.ToUpper(right)}},
		{"GitHub's, cut off", github, false, []string{"X-Hub-Signature-256", "sha256=" + right[:32]}},
		{"GitHub's, empty", github, false, []string{"X-Hub-Signature-256", "sha256="}},
		{"GitHub's, no hex", github, false, []string{"X-Hub-Signature-256", "sha256=" + strings.Repeat("x", 64)}},
		{"GitHub's, no prefix", github, false, []string{"X-Hub-Signature-256", right}},
		{"SHA-1", github, false, []string{"X-Hub-Signature", "sha1=" + right[:40]}},
		{"SHA-1 beside SHA-256", github, true, []string{"X-Hub-Signature", "sha1=" + right[:40], "X-Hub-Signature-256", "sha256=" + right}},
		{"Bitbucket's", github, true, []string{"X-Hub-Signature", "sha256=" + right}},
		{"Bitbucket's, wrong", github, false, []string{"X-Hub-Signature", "sha256=" + wrong}},
		{"Gitea's", github, true, []string{"X-Gitea-Signature", right}},
		{"Gitea's, wrong", github, false, []string{"X-Gitea-Signature", wrong}},
		{"Gitea's without a secret", github, false, []string{"X-Gitea-Signature", "", "X-Hub-Signature-256", "sha256="}},
		{"Gogs'", github, true, []string{"X-Gogs-Signature", right}},
		{"Forgejo's", github, true, []string{"X-Forgejo-Signature", right}},
		{"GitLab's token", gitlab, true, []string{"X-Gitlab-Token", secret}},
		{"GitLab's token, wrong", gitlab, false, []string{"X-Gitlab-Token", secret + "x"}},
		{"GitLab's token, a part", gitlab, false, []string{"X-Gitlab-Token", secret[:8]}},
		{"GitLab's token, empty", gitlab, false, []string{"X-Gitlab-Token", ""}},
		{"Azure's", azure, true, []string{"Authorization", basic("anybody", secret)}},
		{"Azure's, wrong", azure, false, []string{"Authorization", basic(secret, "anybody")}},
		{"Azure's, no password", azure, false, []string{"Authorization", basic("anybody", "")}},
		{"a bearer's", azure, false, []string{"Authorization", "Bearer " + secret}},
		{"standard", gitlab, true, signed},
		{"standard, another body", gitlab + " ", false, signed},
		{"standard, another id", gitlab, false, replace(signed, "webhook-id", "msg_2")},
		{"standard, another time", gitlab, false, replace(signed, "webhook-timestamp", "1795163399")},
		{"standard, no time", gitlab, false, replace(signed, "webhook-timestamp", "")},
		{"standard, one of several", gitlab, true, replace(signed, "webhook-signature", "v1a,eHg= v1,eHg= "+signed[7]+" v2,x")},
		{"standard, of another version", gitlab, false, replace(signed, "webhook-signature", strings.Replace(signed[7], "v1,", "v2,", 1))},
		{"standard, no version", gitlab, false, replace(signed, "webhook-signature", strings.TrimPrefix(signed[7], "v1,"))},
		{"standard, almost late", gitlab, true, standard(secret, gitlab, now.Add(-tolerance))},
		{"standard, late", gitlab, false, standard(secret, gitlab, now.Add(-tolerance-time.Second))},
		{"standard, from the future", gitlab, false, standard(secret, gitlab, now.Add(tolerance+time.Second))},
		{"standard, wrong, with the right token", gitlab, false, append(standard("x", gitlab, now), "X-Gitlab-Token", secret)},
		{"standard, late, with a right signature", gitlab, false, append(standard(secret, gitlab, now.Add(-time.Hour)), "X-Hub-Signature-256", "sha256="+hexOf(gitlab))},
		{"a form, signed by GitHub", form, true, []string{"Content-Type", "application/x-www-form-urlencoded", "X-Hub-Signature-256", "sha256=" + hexOf(form)}},
		{"a form, signed by Gitea", form, true, []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8", "X-Gitea-Signature", right}},
		{"JSON that is called a form", github, true, []string{"Content-Type", "application/x-www-form-urlencoded", "X-Hub-Signature-256", "sha256=" + right}},
		{"a form, wrong", form, false, []string{"Content-Type", "application/x-www-form-urlencoded", "X-Gitea-Signature", wrong}},
	} {
		b := newBench(t)
		w := b.post(test.payload, test.headers...)
		if ok := w.Code == 200; ok != test.ok || !ok && w.Code != 401 {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
		if n := len(b.spooled()); (n > 0) != test.ok {
			t.Errorf("%s: %d in the spool", test.name, n)
		}
		if log := b.log.String(); !test.ok && !strings.Contains(log, "level=WARN msg=\"webhook: rejected\" hook=forge") || strings.Contains(log, secret) {
			t.Errorf("%s: log: %s", test.name, log)
		}
	}

	b := newBench(t)
	b.hook().Secret = whsec
	want(t, "a decoded key", b.post(gitlab, standard(secret, gitlab, now)...), 200, "1 of 2")
	want(t, "the secret as it is", b.post(gitlab, standard(whsec, gitlab, now)...), 200, "1 of 2")
	want(t, "another key", b.post(gitlab, standard("x", gitlab, now)...), 401, "not authorized")
	b.hook().Secret = "whsec_%"
	want(t, "a key that can't be decoded", b.post(gitlab, standard("whsec_%", gitlab, now)...), 200, "1 of 2")
}

// The answer to a rejected request explains nothing.
func TestRejected(t *testing.T) {
	b := newBench(t)
	text := payload(t, "github-push.json")
	none := b.post(text)
	wrong := b.post(text, "X-Hub-Signature-256", "sha256="+hex.EncodeToString(make([]byte, sha256.Size)))
	if none.Body.String() != wrong.Body.String() || none.Body.String() != "not authorized\n" {
		t.Errorf("%q and %q", none.Body, wrong.Body)
	}
	if got := none.Header().Get("WWW-Authenticate"); got != `Basic realm="vext"` {
		t.Errorf("WWW-Authenticate: %s", got)
	}
	for range 100 {
		b.post(text)
	}
	if n := strings.Count(b.log.String(), "rejected"); n != 1 {
		t.Errorf("%d lines in the log within a second", n)
	}
	b.Now = func() time.Time { return now.Add(time.Second) }
	b.post(text)
	if log := b.log.String(); strings.Count(log, "rejected") != 2 || !strings.Contains(log, "not_logged=101") {
		t.Errorf("log: %s", log)
	}
}

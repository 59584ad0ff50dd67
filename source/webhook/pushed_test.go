package webhook

import (
	"slices"
	"strings"
	"testing"
)

// Whoever watches a repository is notified of each push to it, also of a tag or a deletion, and
// of nothing else.
func TestPushed(t *testing.T) {
	for _, test := range []struct {
		file, event, repositories string
		isWrong, isNotified       bool
	}{
		{file: "github-push.json", event: "push", isNotified: true},
		{file: "github-tag.json", event: "push", isNotified: true},
		{file: "github-branch-delete.json", event: "push", isNotified: true},
		{file: "github-push.json", event: "push", repositories: "acme/*", isNotified: true},
		{file: "github-push.json", event: "push", repositories: "tom/*"},
		{file: "github-push.json", event: "push", isWrong: true},
		{file: "github-ping.json", event: "ping"},
		{file: "gitlab-push.json", event: "Push Hook", isNotified: true},
		{file: "gitlab-tag.json", event: "Tag Push Hook", isNotified: true},
	} {
		b := newBench(t)
		if test.repositories != "" {
			b.hook().Repositories = []string{test.repositories}
		}
		var calls [][]string
		b.Pushed = func(names []string) { calls = append(calls, names) }
		text := payload(t, test.file)
		headers := []string{"X-GitHub-Event", test.event, "X-Hub-Signature-256", "sha256=" + hexOf(text)}
		if strings.HasPrefix(test.file, "gitlab") {
			headers = []string{"X-Gitlab-Event", test.event, "X-Gitlab-Token", secret}
		}
		if test.isWrong {
			headers[3] = "sha256=" + hexOf("x")
		}
		b.post(text, headers...)
		isURL := func(name string) bool { return strings.HasPrefix(name, "https://") }
		if (len(calls) == 1) != test.isNotified || test.isNotified && !slices.ContainsFunc(calls[0], isURL) {
			t.Errorf("%+v: %q", test, calls)
		}
	}
}

package forge

import (
	"cmp"
	"errors"

	"vext/internal/commit"
)

// A gitPush is what the push events of GitHub and GitLab have in common.
type gitPush struct {
	Ref     string          `json:"ref"`
	Before  string          `json:"before"`
	After   *string         `json:"after"`
	Commits list[gitCommit] `json:"commits"`
	Forced  bool            `json:"forced"` // not GitLab's
}

type gitCommit struct {
	ID        string        `json:"id"`
	Message   string        `json:"message"`
	Timestamp string        `json:"timestamp"` // the committer's
	URL       string        `json:"url"`
	Author    commit.Person `json:"author"`
	Committer commit.Person `json:"committer"` // not GitLab's
	Added     files         `json:"added"`
	Removed   files         `json:"removed"`
	Modified  files         `json:"modified"`
}

func (c gitCommit) usable() bool { return hash(c.ID) != "" }

// A githubPush is the push event of GitHub, whose form Gogs, Gitea and Forgejo use, too.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
type githubPush struct {
	gitPush
	RefType      string `json:"ref_type"`      // of the events create and delete
	Size         *int   `json:"size"`          // GitHub's, in its list of events
	TotalCommits *int   `json:"total_commits"` // Gitea's
	Compare      string `json:"compare"`
	CompareURL   string `json:"compare_url"` // of Gogs, Gitea and Forgejo
	Repository   struct {
		FullName string `json:"full_name"`
		HTMLURL  string `json:"html_url"`
		CloneURL string `json:"clone_url"`
		SSHURL   string `json:"ssh_url"`
		GitURL   string `json:"git_url"`
	} `json:"repository"` // its owner can set homepage to anything
}

func (p *Push) github(event string, data []byte) error {
	if event != "" && event != "push" {
		return other(event)
	}
	var w githubPush
	if err := decode(data, &w); err != nil {
		return err
	}
	if w.Ref == "" || w.After == nil || w.RefType != "" {
		return missing(event, "ref or after")
	}
	p.name(w.Repository.FullName, w.Repository.CloneURL, w.Repository.HTMLURL, w.Repository.SSHURL, w.Repository.GitURL)
	return p.git(&w.gitPush, cmp.Or(w.TotalCommits, w.Size), cmp.Or(w.Compare, w.CompareURL))
}

// A gitlabPush is GitLab's push event, from the hook of a project, a group or the
// system. It lists the 20 newest commits, and counts all.
// https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events
type gitlabPush struct {
	gitPush
	ObjectKind string `json:"object_kind"`
	EventName  string `json:"event_name"`
	Total      *int   `json:"total_commits_count"`
	Project    struct {
		Path    string `json:"path_with_namespace"`
		HTTPURL string `json:"git_http_url"`
		WebURL  string `json:"web_url"`
		SSHURL  string `json:"git_ssh_url"`
	} `json:"project"`
	Repository struct { // until version 8.5, without project
		HTTPURL string `json:"git_http_url"`
		SSHURL  string `json:"git_ssh_url"`
		URL     string `json:"url"`
	} `json:"repository"`
}

func (p *Push) gitlab(event string, data []byte) error {
	if event != "" && event != "Push Hook" && event != "System Hook" && event != "Tag Push Hook" {
		return other(event)
	}
	var w gitlabPush
	if err := decode(data, &w); err != nil {
		return err
	}
	p.name(w.Project.Path, w.Project.HTTPURL, w.Project.WebURL, w.Project.SSHURL,
		w.Repository.HTTPURL, w.Repository.SSHURL, w.Repository.URL)
	switch {
	case w.ObjectKind != "push" && w.EventName != "push":
		return other(w.ObjectKind + w.EventName)
	case w.Ref == "" || w.After == nil:
		return errors.New("ref or after is missing")
	}
	return p.git(&w.gitPush, w.Total, "")
}

// git adds the update of a push with total commits, nil when the payload does not count
// them.
func (p *Push) git(w *gitPush, total *int, url string) error {
	if isTag(w.Ref) {
		return other(w.Ref)
	}
	u, err := newUpdate(w.Ref, w.Before, *w.After)
	if err != nil {
		return err
	}
	d := described{
		skipped:     w.Commits.skipped,
		newestFirst: p.Kind != GitHub && p.Kind != GitLab,
		mayBeNone:   w.Forced || total != nil,
	}
	for _, c := range w.Commits.items {
		made := commit.ParseDate(c.Timestamp)
		d.commits = append(d.commits, commit.Commit{
			Revision: hash(c.ID), URL: c.URL, Message: c.Message,
			Author: c.Author, Committer: c.Committer, AuthorDate: made, Date: made,
			Files: commit.FilesOf(c.Modified, c.Added, c.Removed),
		})
	}
	if total != nil {
		u.Total = max(*total, 0)
	}
	u.Page = page(url)
	u.take(p, d)
	u.Incomplete = u.Incomplete || u.After != "" && u.isFull(p.Kind, total != nil)
	p.Updates = append(p.Updates, u)
	return nil
}

// isFull reports whether the update lists as many commits as the forge lists at most, so
// that there may be more.
//
// GitHub lists 2048 in a webhook, and 20 elsewhere, such as in GitHub Actions. Gogs and
// Gitea list FEED_MAX_COMMIT_NUM, by default 5. Gitea counts all in total_commits since
// version 1.18, but at most 10 of a new branch, old or new.
func (u *Update) isFull(kind Kind, counted bool) bool {
	switch {
	case kind == GitLab:
		return false
	case kind == GitHub:
		return u.Listed == 2048 || u.Listed == 20
	case !counted:
		return u.Listed >= 5
	}
	return u.Before == "" && u.Total >= 10
}

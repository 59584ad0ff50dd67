package forge

import (
	"errors"

	"vext/internal/commit"
)

// A gitlabPush is GitLab's push event, from the hook of a project, a group or the
// system. It lists the 20 newest commits, and counts all.
// https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events
type gitlabPush struct {
	ObjectKind string             `json:"object_kind"`
	EventName  string             `json:"event_name"`
	Ref        string             `json:"ref"`
	Before     string             `json:"before"`
	After      *string            `json:"after"`
	Commits    list[gitlabCommit] `json:"commits"`
	Total      *int               `json:"total_commits_count"`
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

// A gitlabCommit has no committer; the author takes its place.
type gitlabCommit struct {
	ID        string  `json:"id"`
	Message   string  `json:"message"`
	Timestamp string  `json:"timestamp"`
	URL       string  `json:"url"`
	Author    *person `json:"author"`
	Added     files   `json:"added"`
	Removed   files   `json:"removed"`
	Modified  files   `json:"modified"`
}

func (c gitlabCommit) usable() bool { return hash(c.ID) != "" }

func (p *Push) gitlab(event string, data []byte) error {
	switch event {
	case "", "Push Hook", "System Hook":
	default:
		return other(event)
	}
	var w gitlabPush
	if err := decode(data, &w); err != nil {
		return err
	}
	switch {
	case w.ObjectKind != "push" && w.EventName != "push":
		return other(w.ObjectKind + w.EventName)
	case w.Ref == "" || w.After == nil:
		return errors.New("ref or after is missing")
	case isTag(w.Ref):
		return other(w.Ref)
	}
	p.name(w.Project.Path, w.Project.HTTPURL, w.Project.WebURL, w.Project.SSHURL,
		w.Repository.HTTPURL, w.Repository.SSHURL, w.Repository.URL)
	u, err := newUpdate(w.Ref, w.Before, *w.After)
	if err != nil {
		return err
	}
	if w.Total != nil {
		u.Total = max(*w.Total, 0)
	}
	d := described{skipped: w.Commits.skipped, mayBeNone: w.Total != nil}
	for _, c := range w.Commits.items {
		d.commits = append(d.commits, commit.Commit{
			Revision: hash(c.ID), URL: c.URL, Message: c.Message, Author: c.Author.person(),
			AuthorDate: date(c.Timestamp), Date: date(c.Timestamp),
			Files: commit.FilesOf(c.Modified, c.Added, c.Removed),
		})
	}
	u.take(p, d)
	p.Updates = append(p.Updates, u)
	return nil
}

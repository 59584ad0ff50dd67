package forge

import "errors"

// A gitlabPush is GitLab's push event, from the hook of a project, a group or the
// system. It lists the 20 newest commits, and counts all.
// https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events
type gitlabPush struct {
	ObjectKind string             `json:"object_kind"`
	EventName  string             `json:"event_name"`
	Ref        string             `json:"ref"`
	Before     string             `json:"before"`
	After      *string            `json:"after"`
	Commits    list[githubCommit] `json:"commits"` // in the form of GitHub, without a committer
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
	u.take(p, described{commits: commits(w.Commits.items), skipped: w.Commits.skipped, mayBeNone: w.Total != nil})
	p.Updates = append(p.Updates, u)
	return nil
}

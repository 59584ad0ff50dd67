package forge

import (
	"cmp"
	"errors"

	"vext/internal/commit"
)

// A githubPush is the push event of GitHub, whose form Gogs, Gitea and Forgejo use, too.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
type githubPush struct {
	Ref          string             `json:"ref"`
	RefType      string             `json:"ref_type"` // of the events create and delete
	Before       string             `json:"before"`
	After        *string            `json:"after"`
	Forced       bool               `json:"forced"`
	Commits      list[githubCommit] `json:"commits"`
	Size         *int               `json:"size"`          // GitHub's, in its list of events
	TotalCommits *int               `json:"total_commits"` // Gitea's
	Compare      string             `json:"compare"`
	CompareURL   string             `json:"compare_url"` // of Gogs, Gitea and Forgejo
	Repository   struct {
		FullName string `json:"full_name"`
		HTMLURL  string `json:"html_url"`
		CloneURL string `json:"clone_url"`
		SSHURL   string `json:"ssh_url"`
		GitURL   string `json:"git_url"`
	} `json:"repository"` // its owner can set homepage to anything
}

type githubCommit struct {
	ID        string  `json:"id"`
	Message   string  `json:"message"`
	Timestamp string  `json:"timestamp"`
	URL       string  `json:"url"`
	Author    *person `json:"author"`
	Committer *person `json:"committer"`
	Added     files   `json:"added"`
	Removed   files   `json:"removed"`
	Modified  files   `json:"modified"`
}

func (c githubCommit) usable() bool { return hash(c.ID) != "" }

// commits returns the commits of a payload. It has one date, which is the committer's.
func commits(items []githubCommit) []commit.Commit {
	var all []commit.Commit
	for _, c := range items {
		all = append(all, commit.Commit{
			Revision: hash(c.ID), URL: c.URL, Message: c.Message,
			Author: c.Author.person(), Committer: c.Committer.person(),
			AuthorDate: date(c.Timestamp), Date: date(c.Timestamp),
			Files: commit.FilesOf(c.Modified, c.Added, c.Removed),
		})
	}
	return all
}

type person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

func (p *person) person() commit.Person {
	if p == nil {
		return commit.Person{}
	}
	return commit.Person{Name: p.Name, Email: p.Email}
}

func (p *Push) github(event string, data []byte) error {
	if event != "" && event != "push" {
		return other(event)
	}
	var w githubPush
	if err := decode(data, &w); err != nil {
		return err
	}
	isPush := w.Ref != "" && w.After != nil && w.RefType == ""
	switch {
	case !isPush && event == "":
		return other("an event without ref and after")
	case !isPush:
		return errors.New("ref or after is missing")
	case isTag(w.Ref):
		return other(w.Ref)
	}
	p.name(w.Repository.FullName, w.Repository.CloneURL, w.Repository.HTMLURL, w.Repository.SSHURL, w.Repository.GitURL)
	u, err := newUpdate(w.Ref, w.Before, *w.After)
	if err != nil {
		return err
	}
	total := w.TotalCommits
	if total == nil {
		total = w.Size
	}
	if total != nil {
		u.Total = max(*total, 0)
	}
	u.Page = page(cmp.Or(w.Compare, w.CompareURL))
	u.take(p, described{
		commits: commits(w.Commits.items), skipped: w.Commits.skipped,
		newestFirst: p.Kind != GitHub, mayBeNone: w.Forced || total != nil,
	})
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
	case kind == GitHub:
		return u.Listed == 2048 || u.Listed == 20
	case !counted:
		return u.Listed >= 5
	}
	return u.Before == "" && u.Total >= 10
}

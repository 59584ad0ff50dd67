package forge

import (
	"cmp"
	"errors"
	"strings"

	"vext/internal/commit"
)

// An azurePush is the event git.push of Azure DevOps, called "Code pushed"
// there. It lists the commits of all branches together, the newest first.
// https://learn.microsoft.com/azure/devops/service-hooks/events#code-pushed
type azurePush struct {
	EventType string `json:"eventType"`
	Resource  *struct {
		Commits    list[azureCommit] `json:"commits"`
		RefUpdates list[azureRef]    `json:"refUpdates"`
		Repository struct {
			Name      string `json:"name"`
			RemoteURL string `json:"remoteUrl"`
			SSHURL    string `json:"sshUrl"`
			Project   struct {
				Name string `json:"name"`
			} `json:"project"`
		} `json:"repository"`
	} `json:"resource"`
}

type azureRef struct {
	Name        string `json:"name"`
	OldObjectID string `json:"oldObjectId"`
	NewObjectID string `json:"newObjectId"`
}

func (r azureRef) usable() bool { return r.Name != "" }

type azureCommit struct {
	CommitID         string      `json:"commitId"`
	Comment          string      `json:"comment"`
	CommentTruncated bool        `json:"commentTruncated"`
	URL              string      `json:"url"`
	Author           azurePerson `json:"author"`
	Committer        azurePerson `json:"committer"`
}

func (c azureCommit) usable() bool { return hash(c.CommitID) != "" }

type azurePerson struct {
	commit.Person
	Date string `json:"date"`
}

func (p *Push) azure(event string, data []byte) error {
	var w azurePush
	if err := decode(data, &w); err != nil {
		return err
	}
	switch event = cmp.Or(event, w.EventType); {
	case event != "git.push":
		return other(event)
	case w.Resource == nil || len(w.Resource.RefUpdates.items) == 0:
		return errors.New("resource.refUpdates is missing: the subscription must send all resource details")
	}
	repository := &w.Resource.Repository
	if repository.Name != "" && repository.Project.Name != "" {
		p.name(repository.Project.Name + "/" + repository.Name)
	}
	p.name(repository.RemoteURL, repository.SSHURL)
	for _, r := range w.Resource.RefUpdates.items {
		if err := p.add(r.Name, r.OldObjectID, r.NewObjectID); err != nil {
			return err
		}
	}
	alive := p.alive()
	for i := range p.Updates {
		u := &p.Updates[i]
		d := described{newestFirst: true, skipped: w.Resource.Commits.skipped}
		for _, c := range w.Resource.Commits.items {
			// The payload does not say which commit is on which of several branches,
			// except for the newest of each.
			if alive > 1 && hash(c.CommitID) != u.After {
				continue
			}
			d.commits = append(d.commits, c.commit(repository.RemoteURL))
			if c.CommentTruncated {
				d.skipped++ // the trailer is at the end of a message
			}
		}
		u.take(p, d)
		u.Incomplete = u.Incomplete || alive > 1 && u.After != ""
	}
	return nil
}

// commit returns the commit of a repository. The URL in the payload may be that of the
// API, which is of no use to people.
func (c *azureCommit) commit(remote string) commit.Commit {
	described := commit.Commit{
		Revision: hash(c.CommitID), Message: c.Comment, URL: c.URL,
		Author: c.Author.Person, Committer: c.Committer.Person, AuthorDate: commit.ParseDate(c.Author.Date),
	}
	described.Date = cmp.Or(commit.ParseDate(c.Committer.Date), described.AuthorDate)
	if strings.HasPrefix(remote, "https://") {
		described.URL = strings.TrimSuffix(remote, "/") + "/commit/" + described.Revision
	}
	return described
}

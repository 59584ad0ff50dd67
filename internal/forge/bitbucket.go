package forge

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"vext/internal/commit"
)

// A cloudPush is the event repo:push of bitbucket.org. It lists the 5 newest
// commits of each branch, and says when there are more.
// https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push
type cloudPush struct {
	Push *struct {
		Changes list[cloudChange] `json:"changes"`
	} `json:"push"`
	Repository struct {
		FullName string `json:"full_name"`
		Links    links  `json:"links"`
	} `json:"repository"`
}

type cloudChange struct {
	Old       *cloudRef         `json:"old"` // null for a branch that is new
	New       *cloudRef         `json:"new"` // null for one that was deleted
	Forced    bool              `json:"forced"`
	Truncated bool              `json:"truncated"`
	Commits   list[cloudCommit] `json:"commits"`
	Links     links             `json:"links"`
}

func (c cloudChange) usable() bool { return c.ref() != nil && c.ref().Name != "" }

// ref returns the branch or tag that was changed.
func (c cloudChange) ref() *cloudRef { return cmp.Or(c.New, c.Old) }

type cloudRef struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Target struct {
		Hash string `json:"hash"`
	} `json:"target"`
}

// end returns the hash of the ref as other forges write it.
func (r *cloudRef) end() string {
	if r == nil {
		return strings.Repeat("0", 40)
	}
	return r.Target.Hash
}

type cloudCommit struct {
	Hash      string     `json:"hash"`
	Message   string     `json:"message"`
	Date      string     `json:"date"`
	Author    cloudActor `json:"author"`
	Committer cloudActor `json:"committer"` // Bitbucket does not send it yet
	Links     links      `json:"links"`
}

func (c cloudCommit) usable() bool { return hash(c.Hash) != "" }

type cloudActor struct {
	Raw string `json:"raw"` // as git writes it
}

type links struct {
	HTML link `json:"html"`
}

type link struct {
	Href string `json:"href"`
}

func (l link) usable() bool { return l.Href != "" }

func (p *Push) bitbucketCloud(event string, data []byte) error {
	if event != "" && event != "repo:push" {
		return other(event)
	}
	var w cloudPush
	if err := decode(data, &w); err != nil {
		return err
	}
	if w.Push == nil {
		return missing(event, "push")
	}
	p.name(w.Repository.FullName, w.Repository.Links.HTML.Href)
	for i := range w.Push.Changes.items {
		c := &w.Push.Changes.items[i]
		if ref := c.ref(); ref.Type != "branch" && ref.Type != "named_branch" { // Mercurial's
			continue
		}
		u, err := newUpdate("refs/heads/"+c.ref().Name, c.Old.end(), c.New.end())
		if err != nil {
			return err
		}
		d := described{skipped: c.Commits.skipped, newestFirst: true, mayBeNone: c.Forced}
		for _, c := range c.Commits.items {
			d.commits = append(d.commits, commit.Commit{
				Revision: hash(c.Hash), URL: c.Links.HTML.Href, Message: c.Message,
				Author: commit.ParsePerson(c.Author.Raw), Committer: commit.ParsePerson(c.Committer.Raw),
				AuthorDate: commit.ParseDate(c.Date), Date: commit.ParseDate(c.Date),
			})
		}
		u.Page = page(c.Links.HTML.Href)
		u.take(p, d)
		u.Incomplete = u.Incomplete || u.After != "" && (c.Truncated || w.Push.Changes.skipped > 0)
		p.Updates = append(p.Updates, u)
	}
	return nil
}

// A serverPush is the event repo:refs_changed of Bitbucket Server and Data Center. It
// only has hashes; newer versions also list up to 5 commits, or as many as configured, of
// all branches together.
// https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
type serverPush struct {
	EventKey   string `json:"eventKey"`
	Repository struct {
		Slug    string `json:"slug"`
		Project struct {
			Key string `json:"key"`
		} `json:"project"`
		Links struct {
			Clone list[link] `json:"clone"`
			Self  list[link] `json:"self"`
		} `json:"links"`
	} `json:"repository"`
	Changes list[serverChange] `json:"changes"`
	Commits list[serverCommit] `json:"commits"`
}

type serverChange struct {
	RefID    string `json:"refId"`
	FromHash string `json:"fromHash"`
	ToHash   string `json:"toHash"`
}

func (c serverChange) usable() bool { return c.RefID != "" }

type serverCommit struct {
	ID                 string      `json:"id"`
	Message            string      `json:"message"`
	Author             serverActor `json:"author"`
	AuthorTimestamp    int64       `json:"authorTimestamp"`
	Committer          serverActor `json:"committer"`
	CommitterTimestamp int64       `json:"committerTimestamp"`
}

func (c serverCommit) usable() bool { return hash(c.ID) != "" }

type serverActor struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"` // only with an account
	Email       string `json:"emailAddress"`
}

func (a serverActor) person() commit.Person {
	return commit.Person{Name: cmp.Or(a.DisplayName, a.Name), Email: a.Email}
}

func (p *Push) bitbucketServer(event string, data []byte) error {
	var w serverPush
	if err := decode(data, &w); err != nil {
		return err
	}
	switch event = cmp.Or(event, w.EventKey); {
	case event != "repo:refs_changed":
		return other(event)
	case len(w.Changes.items) == 0:
		return errors.New("changes is missing")
	case w.Repository.Slug == "" || w.Repository.Project.Key == "":
		return errors.New("repository is missing")
	}
	p.name(w.Repository.Project.Key + "/" + w.Repository.Slug)
	for _, l := range w.Repository.Links.Clone.items {
		p.name(l.Href)
	}
	for _, c := range w.Changes.items {
		if err := p.add(c.RefID, c.FromHash, c.ToHash); err != nil {
			return err
		}
	}
	alive := p.alive()
	for i := range p.Updates {
		u := &p.Updates[i]
		d := described{newestFirst: true}
		if alive == 1 && u.After != "" {
			d.commits = w.commits()
		}
		u.take(p, d)
		u.Incomplete = u.After != ""
	}
	return nil
}

func (w *serverPush) commits() []commit.Commit {
	page := ""
	if self := w.Repository.Links.Self.items; len(self) > 0 {
		page = strings.TrimSuffix(self[0].Href, "/browse") + "/commits/"
	}
	var commits []commit.Commit
	for _, c := range w.Commits.items {
		described := commit.Commit{
			Revision: hash(c.ID), Message: c.Message,
			Author: c.Author.person(), Committer: c.Committer.person(),
			AuthorDate: milliseconds(c.AuthorTimestamp), Date: milliseconds(c.CommitterTimestamp),
		}
		if page != "" {
			described.URL = page + described.Revision
		}
		commits = append(commits, described)
	}
	return commits
}

// milliseconds reads a date that is a number of milliseconds since 1970.
func milliseconds(n int64) time.Time {
	t := time.UnixMilli(n).UTC()
	if n <= 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

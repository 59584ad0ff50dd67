package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/forge"
	"vext/queue"
	"vext/spool"
)

// take takes a push whose sender is known.
func (h *Handler) take(ctx context.Context, hook *Hook, p *forge.Push) answer {
	repository := h.repository(p)
	if !h.Policy.HasRepository(hook.Repositories, repository) {
		h.Log.Warn("webhook: may not speak for this repository", "hook", hook.Name, "repository", repository)
		return answer{http.StatusForbidden, "not for this repository"}
	}
	f := *h.Filter
	f.Source = "webhook-" + hook.Name
	f.Spool.Seen(f.Source) // which Take does only for commits that ask
	alive := false
	for _, u := range p.Updates {
		alive = alive || u.After != ""
	}
	if !alive {
		h.Log.Info("webhook: ignored", "hook", hook.Name, "repository", repository, "why", "branch deleted")
		return answer{http.StatusAccepted, "nothing to take"}
	}
	free, ok := h.slot(ctx)
	if !ok {
		h.Log.Warn("webhook: too many requests at once", "hook", hook.Name, "repository", repository)
		return answer{http.StatusServiceUnavailable, "too many requests at once"}
	}
	commits, total := h.asking(hook, repository, p)
	names, isNew, err := f.Take(commits...)
	free()
	if err != nil {
		h.Log.Error("webhook: not spooled", "hook", hook.Name, "repository", repository, "err", err)
		return answer{http.StatusServiceUnavailable, "not stored; send it again"}
	}
	h.Log.Info("webhook: push", "hook", hook.Name, "repository", repository, "branch", commit.BranchName(p.Updates[0].Refname),
		"commits", total, "ask", len(names), "new", isNew)
	lookUpErr := h.lookUp(hook, &f, repository, p)
	if err := h.announce(hook, &f, repository, p); err != nil {
		h.Log.Error("webhook: not handed over to be announced", "hook", hook.Name, "repository", repository, "err", err)
		return answer{http.StatusServiceUnavailable, "not stored; send it again"}
	}
	if lookUpErr != nil {
		return answer{http.StatusServiceUnavailable, "not all commits were found; send it again"}
	}
	return answer{http.StatusOK, fmt.Sprintf("%d of %d commits ask for a reminder", len(names), total)}
}

// repository returns the name that the repository of a push has here: of one
// that is configured the configured name, whichever of its names that knows.
func (h *Handler) repository(p *forge.Push) string {
	for _, name := range p.Names {
		if one, ok := h.Policy.Names[strings.ToLower(commit.RepositoryName(name))]; ok {
			return one
		}
	}
	return h.Policy.Repository(p.Repository)
}

// asking returns the commits of the push that ask for a reminder, without
// those that the hook must not bring, and the number of all.
func (h *Handler) asking(hook *Hook, repository string, p *forge.Push) (asking []commit.Commit, total int) {
	for _, u := range p.Updates {
		for _, c := range u.Commits {
			total++
			if _, asks := h.Filter.Trailers.Request(c.Message); !asks {
				continue
			}
			c.Repository, c.Source = repository, commit.FromWebhook
			c.ID = c.MadeID() // whatever the payload says: it is no other commit's
			if why := h.passesOver(hook, &c); why != "" {
				h.Log.Warn("webhook: passed over", "hook", hook.Name, "repository", repository, "commit", c.Short(), "why", why)
				continue
			}
			asking = append(asking, c)
		}
	}
	return asking, total
}

// announce hands over all commits of the push that the hook may bring, to be
// announced.
func (h *Handler) announce(hook *Hook, f *filter.Filter, repository string, p *forge.Push) error {
	if !f.Announces() {
		return nil
	}
	var arrivals filter.Arrivals
	for i := range p.Updates {
		u := &p.Updates[i]
		commits := make([]commit.Commit, 0, len(u.Commits))
		for _, c := range u.Commits {
			if queue.MatchAddress(hook.Senders, c.Committer.Email) {
				c.Repository, c.Source = repository, commit.FromWebhook
				commits = append(commits, c)
			}
		}
		arrivals.AddUpdate(u, commits)
	}
	return f.Announce(&arrivals)
}

// passesOver returns why the hook must not bring a commit, "" when it may.
func (h *Handler) passesOver(hook *Hook, c *commit.Commit) string {
	switch to := h.Policy.Recipient(c).Email; {
	case !queue.MatchAddress(hook.Allow, to):
		return fmt.Sprintf("%q is not in the hook's allow", to)
	case !queue.MatchAddress(hook.Senders, c.Committer.Email):
		return fmt.Sprintf("%q is not in the hook's senders", c.Committer.Email)
	}
	return ""
}

// lookUp has the commits looked up that the payload did not describe. Where
// nobody can, the operator is told, and the push is not sent again for it.
func (h *Handler) lookUp(hook *Hook, f *filter.Filter, repository string, p *forge.Push) error {
	ctx, cancel := context.WithTimeout(context.Background(), lookUpTime) // whether the forge waits or not
	defer cancel()
	var errs error
	for i, u := range p.Updates {
		if !u.Incomplete {
			continue
		}
		err := ErrNotFollowed
		if h.LookUp != nil {
			err = h.LookUp(ctx, repository, u)
		}
		log := h.Log.With("hook", hook.Name, "repository", repository, "branch", commit.BranchName(u.Refname), "listed", u.Listed, "total", u.Total)
		switch {
		case err == nil:
			p.Updates[i].Commits = nil // who found the others announces all of them
		case !errors.Is(err, ErrNotFollowed):
			log.Error("webhook: commits not found", "err", err)
			errs = errors.Join(errs, err)
			p.Updates[i].Commits = nil // it is sent again; or the next look into the repository announces them
		case !queue.MatchBranch(h.Policy.BranchesOf(repository), u.Refname):
			log.Debug("webhook: incomplete, on a branch that does not count")
		default:
			log.Warn("webhook: incomplete, and the repository is not followed")
			f.Spool.Incomplete(spool.IncompletePush{
				Time: h.Now(), Hook: hook.Name, Repository: repository, Refname: u.Refname,
				Before: u.Before, After: u.After, Listed: u.Listed, Total: u.Total,
			})
		}
	}
	return errs
}

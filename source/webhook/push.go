package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"vext/filter"
	"vext/internal/commit"
	"vext/internal/forge"
	"vext/policy"
)

// pushed calls Pushed for a repository that the hook may name.
func (h *Handler) pushed(hook *Hook, p *forge.Push) {
	if h.Pushed != nil && p.Repository != "" && h.Policy.HasRepository(hook.Repositories, h.repository(p)) {
		h.Pushed(append([]string{p.Repository}, p.Names...))
	}
}

// take accepts the push of an authenticated request.
func (h *Handler) take(ctx context.Context, hook *Hook, p *forge.Push) answer {
	repository := h.repository(p)
	if !h.Policy.HasRepository(hook.Repositories, repository) {
		h.Log.Warn("webhook: not a repository of this hook", "hook", hook.Name, "repository", repository)
		return answer{http.StatusForbidden, "not for this repository"}
	}
	f := *h.Filter
	f.Source = sourceOf(hook)
	log := h.Log.With("hook", hook.Name, "repository", repository)
	if !slices.ContainsFunc(p.Updates, func(u forge.Update) bool { return u.After != "" }) {
		f.Spool.Seen(f.Source)
		log.Info("webhook: ignored", "why", "branch deleted")
		return answer{http.StatusAccepted, "nothing to take"}
	}
	free, ok := h.slot(ctx)
	if !ok {
		log.Warn("webhook: too many requests at once")
		return answer{http.StatusServiceUnavailable, "too many requests at once"}
	}
	free = sync.OnceFunc(free)
	defer free()
	total := h.keepSenders(hook, p, log)
	push := filter.ForgePush(p, repository, commit.FromWebhook)
	push.Counts = func(c *commit.Commit) bool {
		to := h.Policy.Person(c).Email
		allowed := policy.MatchAddress(hook.Allow, to)
		if !allowed {
			log.Warn("webhook: ignored", "commit", c.Short(), "why", fmt.Sprintf("%q is not in the hook's allow", to))
		}
		return allowed
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpTime) // even if the forge hangs up
	defer cancel()
	var lookUpErr error
	push.LookUp = func(u *forge.Update) bool {
		free() // LookUp has limits of its own
		found, err := h.lookUp(within, hook, &f, repository, u, log)
		lookUpErr = errors.Join(lookUpErr, err)
		return found || err != nil // after an error the push is sent again
	}
	accepted, err := f.Accept(push)
	if err != nil {
		log.Error("webhook: not stored", "err", err)
		return answer{http.StatusServiceUnavailable, "not stored; send it again"}
	}
	asking := len(accepted.Names)
	log.Info("webhook: push", "branch", commit.BranchName(p.Updates[0].Refname), "commits", total, "ask", asking, "new", accepted.New)
	if lookUpErr != nil {
		return answer{http.StatusServiceUnavailable, "not all commits were found; send it again"}
	}
	return answer{http.StatusOK, fmt.Sprintf("%d of %d commits ask for a reminder", asking, total)}
}

// repository returns the name of a push's repository: the configured name if any of its
// names is configured, otherwise the policy's.
func (h *Handler) repository(p *forge.Push) string {
	for _, name := range p.Names {
		if one, ok := h.Policy.Names[strings.ToLower(commit.RepositoryName(name))]; ok {
			return one
		}
	}
	return h.Policy.Repository(p.Repository)
}

// keepSenders removes the commits of committers whose commits the hook must not
// bring. It returns how many commits there were.
func (h *Handler) keepSenders(hook *Hook, p *forge.Push, log *slog.Logger) (total int) {
	for i := range p.Updates {
		u := &p.Updates[i]
		total += len(u.Commits)
		u.Commits = slices.DeleteFunc(u.Commits, func(c commit.Commit) bool {
			isStranger := !policy.MatchAddress(hook.Senders, c.Committer.Email)
			if isStranger && h.Filter.Trailers.Ask([]byte(c.Message)) {
				log.Warn("webhook: ignored", "commit", c.Short(), "why", fmt.Sprintf("%q is not in the hook's senders", c.Committer.Email))
			}
			return isStranger
		})
	}
	return total
}

// lookUp has the commits looked up that the payload does not describe. Where no
// repository is followed, it notes the push for the operator; sending it again would
// not help.
func (h *Handler) lookUp(ctx context.Context, hook *Hook, f *filter.Filter, repository string, u *forge.Update, log *slog.Logger) (found bool, err error) {
	err = ErrNotFollowed
	if h.LookUp != nil {
		err = h.LookUp(ctx, repository, *u)
	}
	log = log.With("branch", commit.BranchName(u.Refname), "listed", u.Listed, "total", u.Total)
	switch {
	case err == nil:
		return true, nil
	case !errors.Is(err, ErrNotFollowed):
		log.Error("webhook: commits not found", "err", err)
		return false, err
	case !policy.MatchBranch(h.Policy.BranchesOf(repository), u.Refname):
		log.Debug("webhook: incomplete, on a branch that does not count")
	default:
		log.Warn("webhook: incomplete, and the repository is not followed")
		f.Incomplete(hook.Name, repository, u)
	}
	return false, nil
}

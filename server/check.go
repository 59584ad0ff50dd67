package server

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"vext/health"
	"vext/outbox"
	"vext/source/follow"
	"vext/source/hook"
)

// Check returns the findings about all parts of vext. It sets what checker checks.
// The error is about the configuration or the state directory.
func (s *Server) Check(ctx context.Context, checker *health.Checker) ([]health.Finding, error) {
	q, err := s.Queue()
	if err != nil {
		return nil, err
	}
	if dir, err := os.Open(q.State); err == nil {
		dir.Close()
	} else if errors.Is(err, fs.ErrPermission) {
		return nil, NoStateError{err}
	}
	service, err := s.Service(q)
	if err != nil {
		return nil, err
	}
	checker.Queue, checker.Config, checker.Mail, checker.WithoutMail, checker.User = q, s.Config, service.Mail, service.WithoutMail, CurrentUser()
	findings := checker.Check(ctx)
	findings = append(findings, follow.Check(checker, func(state *follow.State) ([]string, error) { return brokenParts(ctx, state) })...)
	return append(findings, s.checkIRC(ctx, checker)...), nil
}

// brokenParts returns the files of a hook that differ from the installed ones.
func brokenParts(ctx context.Context, s *follow.State) (broken []string, err error) {
	parts, err := HookParts(ctx, s)
	for _, part := range parts {
		if part.State != hook.Installed {
			broken = append(broken, part.Path+": "+part.State)
		}
	}
	return broken, err
}

// checkIRC returns the findings about IRC, none if IRC is not used.
func (s *Server) checkIRC(ctx context.Context, checker *health.Checker) []health.Finding {
	if _, err := ircSettings(s.Config); err != nil {
		return []health.Finding{{Level: health.Critical, What: "irc", Text: err.Error(), Hint: ircHint}}
	}
	if !outbox.Exists(checker.Queue.State) {
		return nil
	}
	status, err := s.IRCStatus(ctx, checker.Queue.State)
	switch {
	case errors.Is(err, outbox.ErrInUse):
		return []health.Finding{{What: "irc", Text: "another vext is sending"}}
	case err != nil:
		return []health.Finding{{Level: health.Critical, What: "irc", Text: err.Error()}}
	}
	return checker.IRC(status.Running, status.Networks)
}

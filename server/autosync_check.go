package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"vext/health"
	"vext/internal/calendar"
	"vext/internal/config"
	"vext/source/autosync"
	"vext/source/autosync/control"
)

// offlineLong is how long a tree may be offline before vext check warns.
const offlineLong = 24 * time.Hour

// checkAutosync returns a finding for each [[autosync]], by what its process says.
func (s *Server) checkAutosync(ctx context.Context) []health.Finding {
	if len(s.Config.Autosync) == 0 {
		return nil
	}
	trees, errs := control.Reach(ctx)
	var findings []health.Finding
	for _, err := range errs {
		findings = append(findings, health.Finding{Level: health.Warning, What: "autosync", Text: err.Error()})
	}
	for i := range s.Config.Autosync {
		findings = append(findings, s.checkTree(&s.Config.Autosync[i], trees))
	}
	return findings
}

// keepsTreesOnly reports whether the configuration is that of a user who keeps trees in sync
// and has no state directory, err, because nothing else is done that needs one.
func (s *Server) keepsTreesOnly(err error) bool {
	c := s.Config
	return errors.As(err, new(NoStateError)) && len(c.Autosync) > 0 && IsOwn(c.Path) &&
		len(c.Reminders.Allow)+len(c.Repositories)+len(c.Routes)+len(c.Announce) == 0
}

func (s *Server) checkTree(table *config.Autosync, trees []control.Reached) health.Finding {
	f := health.Finding{What: "autosync " + table.Path}
	for _, t := range trees {
		if control.Contains(t.Tree.Path, table.Path) {
			f.Level, f.Text, f.Hint = treeHealth(t.Tree, s.Now())
			return f
		}
	}
	f.Level, f.Text, f.Hint = health.Warning, "no process of this user keeps it in sync", "start vext serve or vext autosync"
	return f
}

// treeHealth judges the state of a tree.
func treeHealth(t *autosync.Status, now time.Time) (level health.Level, text, advice string) {
	text = string(t.State)
	if t.Reason != "" {
		text += ": " + t.Reason
	}
	advice = "vext autosync status says more"
	switch {
	case t.State == autosync.Stopped:
		return health.Critical, text, "decide with the version control what is right, then vext autosync resume " + t.Path
	case t.State == autosync.Held:
		return health.Warning, text, "if that is meant: vext autosync now " + t.Path
	case t.State == autosync.Failing:
		return health.Warning, text, advice
	case t.State == autosync.Offline && now.Sub(t.LastPull) > offlineLong:
		return health.Warning, text, advice
	case len(t.Conflicts) > 0:
		return health.Warning, calendar.Verb(len(t.Conflicts), "conflict copy", "conflict copies") + " not looked at: " + strings.Join(t.Conflicts[:min(3, len(t.Conflicts))], ", "),
			"take what you need from it, and delete it"
	}
	return health.OK, text, ""
}

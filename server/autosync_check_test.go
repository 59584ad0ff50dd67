package server

import (
	"strings"
	"testing"
	"time"

	"vext/health"
	"vext/internal/config"
	"vext/source/autosync"
)

func TestTreeHealth(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, test := range []struct {
		status autosync.Status
		level  health.Level
		text   string
	}{
		{autosync.Status{State: autosync.Watching}, health.OK, "watching"},
		{autosync.Status{State: autosync.Stopped, Reason: "it was forced"}, health.Critical, "stopped: it was forced"},
		{autosync.Status{State: autosync.Held}, health.Warning, "held"},
		{autosync.Status{State: autosync.Failing}, health.Warning, "failing"},
		{autosync.Status{State: autosync.Offline, LastPull: now.Add(-time.Hour)}, health.OK, "offline"},
		{autosync.Status{State: autosync.Offline, LastPull: now.Add(-48 * time.Hour)}, health.Warning, "offline"},
		{autosync.Status{State: autosync.Watching, Conflicts: []string{"a (conflict)"}}, health.Warning, "1 conflict copy not looked at: a (conflict)"},
	} {
		level, text, _ := treeHealth(&test.status, now)
		if level != test.level || text != test.text {
			t.Errorf("%+v: %v, %q", test.status, level, text)
		}
	}
	s := &Server{Config: &config.Config{Autosync: []config.Autosync{{Path: "/none"}}}, Now: time.Now}
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if f := s.checkAutosync(t.Context()); len(f) != 1 || f[0].Level != health.Warning || !strings.Contains(f[0].Text, "no process") {
		t.Errorf("%+v", f)
	}
}

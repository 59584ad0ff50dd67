package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"vext/source/autosync"
)

// A reason of several sentences is one line and what to do, and stands there once.
func TestTreeReason(t *testing.T) {
	for _, test := range []struct {
		state  autosync.State
		reason string
		want   []string
	}{
		{autosync.Stopped, "main was overwritten. To keep both: git merge x. To follow: git reset", []string{
			"/srv/notes  stopped: main was overwritten", "  what to do     To keep both: git merge x",
			"                 To follow: git reset", "                 afterwards: vext autosync resume /srv/notes"}},
		{autosync.Stopped, `all files are gone (3): "vext autosync now" says that they are deleted`, []string{
			`/srv/notes  stopped: all files are gone (3): "vext autosync now" says that they are deleted`, "  waiting        1 file has changed: a"}},
		{autosync.Paused, "", []string{"/srv/notes  paused", "  what to do     to go on: vext autosync resume /srv/notes"}},
	} {
		s := autosync.Status{Path: "/srv/notes", State: test.state, Reason: test.reason, Waiting: autosync.Waiting{Number: 1, Files: []string{"a"}}}
		s.Errors = append(s.Errors, test.reason)
		var b bytes.Buffer
		printTree(&b, style{}, &shownTree{Status: s, Running: true}, time.Unix(1e9, 0), time.UTC)
		if want := strings.Join(test.want, "\n") + "\n"; !strings.HasPrefix(b.String(), want) || strings.Contains(b.String(), "  error ") {
			t.Errorf("%s is shown as\n%s\nwant\n%s", test.reason, b.String(), want)
		}
	}
}

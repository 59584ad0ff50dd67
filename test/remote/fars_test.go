package remote

import (
	"path/filepath"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/remotedaemon"
)

// A far is a kind of remote that reports changes at once.
type far struct {
	name    string
	options func(t testing.TB) remotedaemon.Options
}

// fars are those for which vext needs no polling.
var fars = []far{
	{"path", func(testing.TB) remotedaemon.Options { return remotedaemon.Options{} }},
	{"git-annex over ssh", func(testing.TB) remotedaemon.Options { return remotedaemon.Options{SSH: true, Annex: true} }},
	{"vext over ssh", func(t testing.TB) remotedaemon.Options {
		return remotedaemon.Options{SSH: true, Far: []string{filepath.Join(testkit.Programs(t), "vext")}}
	}},
}

// eachFar runs a test with each of fars.
func eachFar(t *testing.T, test func(t *testing.T, w *remotedaemon.World)) {
	t.Parallel()
	for _, f := range fars {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			test(t, remotedaemon.New(t, f.options(t)))
		})
	}
}

// still is how long a test waits for what must not come.
const still = 700 * time.Millisecond

package remote

import (
	"slices"
	"testing"
)

func TestPushes(t *testing.T) {
	r := &Remote{Push: []string{"refs/heads/main:refs/heads/prod", "+refs/heads/f/*", "v1:tags/v1", "^refs/heads/f/no", ":refs/heads/gone"}}
	got := r.pushes([]string{"refs/heads/main", "refs/heads/f/x", "refs/heads/other", "main", "1234", "refs/heads/v1", "refs/heads/gone"})
	want := []pushSpec{{"refs/heads/main", "refs/heads/prod"}, {"refs/heads/f/x", "refs/heads/f/x"}, {"refs/heads/v1", "refs/tags/v1"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// CHANGED pushes what is configured, never by force, and else is silent.
func TestChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.start()
	r.connected()
	commit := func() { shell(t, f.clone, "git commit -q --allow-empty -m mine") }
	commit()
	r.d.Command("CHANGED refs/heads/main")
	r.d.Command("CHANGED")
	r.quiet()
	gitFor(t, f.clone, "config", "remote.origin.vextPush", "true")
	r.d.Command("RELOAD")
	r.d.Command("CHANGED refs/heads/other")
	r.quiet()
	r.d.Command("CHANGED refs/heads/main")
	r.synced("1")
	f.equal()
	r.d.Command("CHANGED refs/heads/main")
	r.quiet() // the remote has it

	r.d.Command("PAUSE")
	r.expect("DISCONNECTED " + f.server)
	commit()
	r.d.Command("CHANGED refs/heads/main")
	r.quiet()
	r.d.Command("RESUME")
	r.connected()
	r.synced("1")
	f.equal()

	f.other("git pull -q origin main; git commit -q --allow-empty -m theirs; git push -q origin main")
	commit()
	r.d.Command("CHANGED refs/heads/main")
	r.synced("1") // what is there is fetched first
	r.expect("SYNCING "+f.server, "DONESYNCING "+f.server+" 0", "WARNING "+f.server+" git push: *")
	r.quiet()
	f.equal()
}

// A push goes to the URL for pushing, whatever the other one has, and also to a mirror.
func TestPushURL(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	away := f.server + ".away"
	gitFor(t, f.clone, "init", "-q", "--bare", away)
	gitFor(t, f.clone, "config", "remote.origin.pushurl", away)
	gitFor(t, f.clone, "config", "remote.origin.vextPush", "refs/heads/*")
	gitFor(t, f.clone, "config", "remote.origin.mirror", "true")
	r := f.start()
	r.connected()
	r.d.Command("CHANGED refs/heads/main refs/heads/gone --receive-pack=x refs/heads/* +refs/heads/main :refs/heads/main")
	r.synced("1")
	if got, want := gitFor(t, away, "rev-parse", "main"), gitFor(t, f.clone, "rev-parse", "main"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

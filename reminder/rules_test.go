package reminder

import (
	"path"
	"slices"
	"strings"
	"testing"

	"vext/policy"
)

// When the routes name other targets while a message is pending, the reminder goes to
// these, and not to the former. It goes by mail only if the routes say so.
func TestTargetRenamed(t *testing.T) {
	const jane, other = "irc://irc.example.org/jane,isnick", "irc://irc.example.org/#new"
	for _, test := range []struct {
		name      string
		from, to  []string
		before    func(*fakeOutbox) // the rules are changed
		first     string            // what the run after that says
		mails     int
		delivered string // targets
		events    []string
	}{
		{"one", []string{channel}, []string{other}, func(*fakeOutbox) {}, "1 sent another way", 0, "#new",
			[]string{"sent " + channel, "unsaid " + channel + " no longer a target", "fallback " + other}},
		{"one of two, the other is pending", []string{channel, jane}, []string{other, jane}, func(*fakeOutbox) {}, "1 sent another way", 0, "jane,isnick #new",
			[]string{"sent " + channel + ", " + jane, "unsaid " + channel + " no longer a target", "fallback " + other + ", " + jane}},
		{"one of two, the other was delivered", []string{channel, jane}, []string{other, jane}, func(o *fakeOutbox) { o.deliver("jane") }, "1 sent another way", 0, "jane,isnick #new",
			[]string{"sent " + channel + ", " + jane, "unsaid " + channel + " no longer a target", "fallback " + other + ", " + jane}},
		{"one of two, and none in its place", []string{channel, jane}, []string{jane}, func(o *fakeOutbox) { o.deliver("jane") }, "1 sent another way", 0, "jane,isnick",
			[]string{"sent " + channel + ", " + jane, "unsaid " + channel + " no longer a target", "fallback " + jane}},
		{"it was delivered", []string{channel}, []string{other}, func(o *fakeOutbox) { o.deliver("") }, "nothing to do", 0, "#src",
			[]string{"sent " + channel}},
		{"it was rejected", []string{channel}, []string{other}, func(o *fakeOutbox) { o.reject("", "banned") }, "1 sent another way", 0, "#new",
			[]string{"sent " + channel, "unsaid " + channel + " banned", "fallback " + other}},
		{"it is in flight", []string{channel}, []string{other}, func(o *fakeOutbox) { o.send() }, "nothing to do", 0, "#src",
			[]string{"sent " + channel}},
		{"to the mail", []string{channel}, []string{"mail"}, func(*fakeOutbox) {}, "1 sent another way", 1, "",
			[]string{"sent " + channel, "unsaid " + channel + " no longer a target", "fallback test:"}},
		{"alongside the mail", []string{"mail", channel}, []string{"mail", other}, func(*fakeOutbox) {}, "nothing to do", 1, "",
			[]string{"sent test:, " + channel, "unsaid " + channel + " no longer a target"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, out, irc := newIRC(t, test.from...)
			put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
			at(t, s, 0)
			test.before(irc)
			s.Queue.Policy.Routes = []policy.Route{way(t, test.to...)}
			mustRun(t, s, 0, test.first)
			irc.deliver("")
			at(t, s, 0)
			mustRun(t, s, 3, "nothing to do")
			var delivered []string
			for _, line := range irc.said {
				delivered = append(delivered, path.Base(strings.Fields(line)[0]))
			}
			if got := strings.Join(delivered, " "); got != test.delivered || len(out.mails) != test.mails {
				t.Errorf("delivered: %q, want %q; mails to %q", got, test.delivered, out.recipients())
			}
			if got := strings.Split(events(t, s, "a"), "\n"); !slices.Equal(got, test.events) {
				t.Errorf("history:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.events, "\n"))
			}
			expectNothing(t, s, irc)
		})
	}
}

// renamedBack returns a service with a reminder whose target the routes did not name for
// a while.
func renamedBack(t *testing.T) (*Service, *sender, *fakeOutbox) {
	s, out, irc := newIRC(t, channel)
	put(t, s, "a", "Jane <jane@example.org>", "MFC after: 0 days")
	mustRun(t, s, 0, "1 queued, 1 sent")
	for _, to := range []string{"irc://irc.example.org/#new", channel} {
		s.Queue.Policy.Routes = []policy.Route{way(t, to)}
		mustRun(t, s, 0, "1 sent another way")
	}
	return s, out, irc
}

// A target that the routes name again gets the message as if it had never been gone.
func TestTargetRenamedBack(t *testing.T) {
	s, out, irc := renamedBack(t)
	irc.deliver("")
	mustRun(t, s, 0, "nothing to do")
	if len(out.mails) > 0 || len(irc.said) != 1 || !strings.Contains(irc.said[0], "src") {
		t.Errorf("mails to %q; delivered: %q", out.recipients(), irc.said)
	}
	expectNothing(t, s, irc)
}

// A target that has bounced once bounces again, after the routes named it again.
func TestTargetRenamedBackBounces(t *testing.T) {
	s, out, irc := renamedBack(t)
	irc.reject("", "banned")
	mustRun(t, s, 0, "1 sent another way")
	if len(out.mails) != 1 || len(irc.said) > 0 {
		t.Errorf("mails to %q; delivered: %q", out.recipients(), irc.said)
	}
	expectNothing(t, s, irc)
}

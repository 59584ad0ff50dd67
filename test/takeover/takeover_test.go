package takeover

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// When the new version begins, and when it runs after that.
var (
	begin = time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC)
	later = []time.Time{
		time.Date(2026, 12, 1, 18, 0, 0, 0, time.UTC), time.Date(2026, 12, 14, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 12, 21, 12, 0, 0, 0, time.UTC), time.Date(2027, 1, 20, 12, 0, 0, 0, time.UTC),
	}
)

// wanted is where each commit is to arrive under the new version, by its
// subject: reminders by mail, in a channel or by a person; announcements in
// #commits.
var wanted = map[string][]string{
	"due-today":       {"mail"},
	"due-person":      {"jane"},
	"later-mail":      {"mail"},
	"later-person":    {"jane"},
	"snoozed-mail":    {"mail"},
	"deferred-mail":   {"mail"},
	"beside-mail":     {"#src"}, // the mail was sent before
	"waits-for-irc":   {"#ports"},
	"waits-too-long":  {"mail"},
	"told-unrecorded": nil, // in #net, before
	"spooled-due":     {"mail"},
	"spooled-later":   {"mail"},

	"widget-before":          nil,
	"widget-topic-before":    nil,
	"widget-announced":       {"#commits", "mail"},
	"widget-topic-announced": {"#commits"},
	"widget-spooled":         {"#commits", "mail"},
	"widget-topic-spooled":   {"#commits"},
	"widget-new":             {"#commits", "mail"},
	"widget-topic-new":       {"#commits"},
	"tools-before":           nil,
	"tools-topic-before":     nil,
	"tools-announced":        {"#commits", "mail"},
	"tools-topic-announced":  {"#commits"},
	"tools-missed":           {"#commits", "mail"},
	"tools-topic-missed":     {"#commits"},
	"tools-pushed":           {"#commits", "mail"},

	"sent-2024": nil, "cancelled-2024": nil, "sent-2025": nil, "snoozed-2025": nil, "copy-2025": nil,
	"cancelled-mail": nil, "quarantined-mail": nil,
}

// waiting is when each reminder is due that has not been sent when the new
// version begins; empty for what is in the spool.
var waiting = map[string]string{
	"told-unrecorded": "2026-11-29", "waits-for-irc": "2026-11-29", "waits-too-long": "2026-11-29", "deferred-mail": "2026-11-29",
	"due-today": "2026-11-30", "due-person": "2026-11-30", "widget-announced": "2026-11-30", "tools-announced": "2026-11-30",
	"later-mail": "2026-12-14", "later-person": "2026-12-14", "snoozed-mail": "2026-12-21",
	"widget-spooled": "", "spooled-due": "", "spooled-later": "",
}

// A state directory that the version at c78750e has left, see
// testdata/takeover/make.sh, is taken over: every reminder is sent once, by its
// route, and every commit announced once.
func TestTakeover(t *testing.T) {
	w := newWorld(t)
	w.checkHealth("irc") // which nobody serves yet
	w.checkList(waiting)
	w.checkFailed()
	for name, event := range map[string]string{"cancelled-mail": "cancelled", "beside-mail": "sent", "snoozed-mail": "snoozed", "quarantined-mail": "explained"} {
		if events := w.events(name); len(events) == 0 || events[len(events)-1] != event {
			t.Errorf("show %s: %q, want the last to be %q", name, events, event)
		}
	}

	stop := w.serve()
	w.await(func(found map[string][]string) bool {
		return found["tools-topic-missed"] != nil && found["widget-topic-new"] != nil && found["due-person"] != nil
	})
	// What was sent or announced comes again.
	for _, repeated := range []string{"sent-2024", "sent-2025", "beside-mail", "deferred-mail", "told-unrecorded", "widget-announced"} {
		w.filter(repeated)
	}
	// The hook that the earlier version installed runs the new program.
	w.push("tools-pushed")
	w.await(func(found map[string][]string) bool { return slices.Contains(found["tools-pushed"], "#commits") })
	stop()
	for _, at := range later {
		w.now = at
		w.vext("run")
	}

	found := w.found()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if want, got := wanted[name], found[name]; !slices.Equal(got, want) {
			t.Errorf("%s: found at %q, want %q", name, got, want)
		}
		delete(found, name)
	}
	if len(found) > 0 {
		t.Errorf("also found: %q", found)
	}
	if n := w.ops(); n != 1 {
		t.Errorf("the line of vext notify came %d times, want once", n)
	}
	w.checkHealth("")
	w.checkList(map[string]string{})
	w.checkFailed()
	for name, places := range wanted {
		isReminded := name == "told-unrecorded" || slices.ContainsFunc(places, func(p string) bool { return p != "#commits" })
		if !isReminded {
			continue
		}
		if events := w.events(name); len(slices.DeleteFunc(events, func(kind string) bool { return kind != "sent" })) != 1 {
			t.Errorf("show %s: %q, want it to be sent once", name, events)
		}
	}
	if t.Failed() {
		t.Logf("the log of vext serve:\n%s", w.log())
	}
}

// checkHealth checks that vext check finds nothing that is critical but for one
// thing, and nothing wrong with the history.
func (w *world) checkHealth(but string) {
	out, status := w.try("check", "--json")
	var findings []struct{ Level, What, Text string }
	if err := json.Unmarshal([]byte(out), &findings); err != nil || status > 2 || len(findings) < 5 {
		w.t.Errorf("vext check: status %d, %v\n%s", status, err, out)
	}
	for _, f := range findings {
		if (f.Level == "broken" || f.Level == "critical") && f.What != but || f.What == "history" {
			w.t.Errorf("vext check: %s: %s: %s", f.Level, f.What, f.Text)
		}
	}
}

// checkList checks which reminders vext list has, and for which day.
func (w *world) checkList(want map[string]string) {
	var items []struct{ Subject, Day, Due string }
	if err := json.Unmarshal([]byte(w.vext("list", "--json")), &items); err != nil {
		w.t.Fatal(err)
	}
	got := map[string]string{}
	for _, item := range items {
		got[item.Subject] = dashed(item.Day + item.Due)
	}
	if !maps.Equal(got, want) {
		w.t.Errorf("vext list: %q\nwant       %q", got, want)
	}
}

// dashed writes a day as 2026-11-30.
func dashed(day string) string {
	return regexp.MustCompile(`^(\d{4})(\d\d)(\d\d)$`).ReplaceAllString(day, "$1-$2-$3")
}

// checkFailed checks that what was quarantined still is, and nothing else.
func (w *world) checkFailed() {
	var items []struct{ Subject string }
	if err := json.Unmarshal([]byte(w.vext("list", "--failed", "--json")), &items); err != nil {
		w.t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(w.state, "failed", "*"))
	if len(items) != 1 || items[0].Subject != "quarantined-mail" || len(files) != 2 {
		w.t.Errorf("quarantined: %q, %q", items, files)
	}
}

// events returns the kinds of a commit's events.
func (w *world) events(name string) []string {
	var shown struct{ Events []struct{ Event string } }
	if err := json.Unmarshal([]byte(w.vext("show", "--json", w.hash(name))), &shown); err != nil {
		w.t.Fatal(err)
	}
	var kinds []string
	for _, e := range shown.Events {
		kinds = append(kinds, e.Event)
	}
	return kinds
}

// found returns where commits arrived, by their subjects, sorted.
func (w *world) found() map[string][]string {
	found := map[string][]string{}
	paths, _ := filepath.Glob(filepath.Join(w.dir, "mail", "new", "*")) // those in tmp may be incomplete
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			w.t.Fatal(err)
		}
		m, err := mail.ReadMessage(strings.NewReader(string(data)))
		if err != nil {
			w.t.Fatal(err)
		}
		if _, name, ok := strings.Cut(m.Header.Get("Subject"), "[MFC reminder] "); ok {
			found[name] = append(found[name], "mail")
		} else if to := m.Header.Get("To"); !strings.Contains(to, "postmaster@") {
			found[m.Header.Get("Subject")] = append(found[m.Header.Get("Subject")], to)
		}
	}
	for _, received := range w.received() {
		for name := range wanted {
			if regexp.MustCompile(`(^|[ "])` + name + `($|[ "])`).MatchString(received.Text) {
				found[name] = append(found[name], received.To)
			}
		}
	}
	for _, places := range found {
		slices.Sort(places)
	}
	return found
}

// ops returns how often the line came that waited for #ops.
func (w *world) ops() int {
	n := 0
	for _, received := range w.received() {
		if received.To == "#ops" && received.Text == "the backup failed" {
			n++
		}
	}
	return n
}

// await waits until enough has arrived.
func (w *world) await(isEnough func(found map[string][]string) bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !isEnough(w.found()); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain; found %s\nthe log of vext serve:\n%s", fmt.Sprint(w.found()), w.log())
		}
	}
}

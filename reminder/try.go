package reminder

import (
	"vext/internal/history"
	"vext/templates"
)

// TryTemplates executes every template with sample data, and returns the first
// error.
func TryTemplates(set *templates.Set) error {
	w := Words{
		Number: 1, Name: "Jane Miller", First: "Jane", Login: "jane", You: "you committed this", Subject: "foo: fix bar",
		Asked: "MFC after: 2 weeks", Others: "MFC after: 1 week", Word: "MFC", IsMerge: true, Period: "2 weeks", Wish: "after 2 weeks",
		Made: "Fri 20 Nov 2026", Age: "2 weeks", Short: "0123456789ab", Revision: "0123456789ab", URL: "https://example.org",
		Repository: "src", Branches: []string{"main"}, To: []string{"stable/15"}, With: []string{"r1"}, Merge: "git cherry-pick", Gone: "no longer on main",
		ID: "0123456789ab", Vext: "vext", Host: "localhost", Operator: "postmaster@example.org", Message: "foo: fix bar\n",
	}
	w.Facts = w.facts("Fri 20 Nov 2026, 2 weeks ago")
	for name, data := range map[string]any{
		templates.Reminder:      w,
		templates.ReminderIRC:   w,
		templates.Digest:        digestData{[]Words{w, w}, w.Host, w.Operator, w.OnHost},
		templates.Quarantined:   quarantinedData{Host: w.Host, State: "/", Total: 1, Vext: w.Vext, Items: []quarantinedItem{{Event: history.Event{Name: "a", Address: "b", Reason: "c"}, ID: "a"}}},
		templates.NotUnderstood: notUnderstoodData{w, "not a period"},
		templates.Month:         &Numbers{Host: w.Host},
		templates.Alerts:        alertData{w.Host, []alertItem{{"src", "https://example.org/src.git", w.Made, "it can't be reached"}}},
		templates.Limit:         limitData{w.Host, 20, []flood{{Address: "jane@example.org", Count: 1}}},
	} {
		if _, err := set.Text(name, data); err != nil {
			return err
		}
	}
	return nil
}

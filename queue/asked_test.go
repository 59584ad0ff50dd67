package queue

import (
	"strings"
	"testing"
	"time"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/history"
	"vext/spool"
)

const askedHash = "00112233445566778899aabbccddeeff00112233"

// ask puts a request into the spool that was made after its commit, as a source does, and
// returns its name.
func ask(t *testing.T, q *Queue, line, by string, date time.Time, to ...string) string {
	t.Helper()
	c := commit.Commit{
		Repository: "src", Refname: "refs/heads/main", Revision: askedHash, Source: commit.FromFollow,
		Message: "subject\n\nMFC after: 2 weeks\nMFC to: stable/13\n", Date: now.AddDate(0, -1, 0),
		Author:    commit.Person{Name: "Ann", Email: "ann@example.org"},
		Committer: commit.Person{Name: "Jane", Email: "jane@example.org"},
		Asked:     commit.Asked{Line: line, To: to, By: commit.ParsePerson(by), Date: date},
	}
	c.Asked.Clean()
	c.ID = c.MadeID()
	name := spool.DigestName([]byte(c.AskedID()))
	if _, err := q.Spool.Put(name, c.Mail()); err != nil {
		t.Fatal(err)
	}
	return name
}

// entries returns the messages in the queue, as "day branches".
func entries(t *testing.T, q *Queue) (list []string) {
	t.Helper()
	all, err := q.Entries(calendar.Day{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		m, err := q.Read(e)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, strings.TrimSpace(e.Day.String()+" "+strings.Join(commit.Values(m.AllTrailers(), "MFC to"), "; ")))
	}
	return list
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: the queue has %q, want %q", what, got, want)
	}
}

// A period counts from the request, and not from the commit, which is a month old.
func TestAskedNew(t *testing.T) {
	q := newQueue(t)
	name := ask(t, q, "MFC after: 1 week", "Ida <ida@example.org>", now)
	schedule(t, q)
	want(t, "a commit without a reminder", entries(t, q), "20261127 stable/13")
	events, err := q.Events(name)
	if err != nil || len(events) != 1 || events[0].By != "Ida <ida@example.org>" || events[0].Address != "jane@example.org" {
		t.Errorf("the history has %+v, %v", events, err)
	}
}

// A pending reminder gets the day of the later request; the branches add up.
func TestAskedAgain(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "own", hash: askedHash, from: "jane@example.org"})
	schedule(t, q)
	want(t, "the trailer alone", entries(t, q), "20261204")
	ask(t, q, "MFC after: 1 week", "ida", now, "stable/15")
	schedule(t, q)
	want(t, "asked", entries(t, q), "20261127 stable/13; stable/15")
	q.Now = now.Add(time.Hour)
	ask(t, q, "MFC after: 3 weeks", "bob", now.Add(time.Hour), "stable/14")
	schedule(t, q)
	want(t, "asked again", entries(t, q), "20261211 stable/13; stable/14, stable/15")
	ask(t, q, "MFC after: 1 week", "ida", now, "stable/15") // read once more
	schedule(t, q)
	want(t, "the first once more", entries(t, q), "20261211 stable/13; stable/14, stable/15")
	put(t, q, mail{id: "own", hash: askedHash, from: "jane@example.org"}, mail{id: "other", hash: askedHash, from: "jane@example.org"})
	schedule(t, q)
	want(t, "the trailer once more", entries(t, q), "20261211 stable/13; stable/14, stable/15")
}

// Of several requests in one run the last one counts.
func TestAskedTogether(t *testing.T) {
	q := newQueue(t)
	put(t, q, mail{id: "own", hash: askedHash, from: "jane@example.org"})
	ask(t, q, "MFC after: 3 weeks", "bob", now.Add(-time.Minute), "stable/14")
	ask(t, q, "MFC after: 1 week", "ida", now.Add(-time.Hour), "stable/15")
	became := schedule(t, q)
	want(t, "three at once", entries(t, q), "20261211 stable/13; stable/14, stable/15")
	n := 0
	for _, what := range became {
		if what == history.Duplicate {
			n++
		}
	}
	if n != 2 {
		t.Errorf("decisions %v, want two duplicates", became)
	}
}

// After a reminder was sent or cancelled, a new request gets one, and the old one none.
func TestAskedAfterwards(t *testing.T) {
	for _, kind := range []string{history.Sent, history.Cancelled} {
		q := newQueue(t)
		first := ask(t, q, "MFC after: now", "ida", now)
		schedule(t, q)
		items, err := q.Find(askedHash[:12], func(*Item) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		if err := q.record(&items[0], kind, "", items[0].Day.String()); err != nil {
			t.Fatal(err)
		}
		if err := q.Finish(items[0].Entry()); err != nil {
			t.Fatal(err)
		}
		ask(t, q, "MFC after: now", "ida", now)
		schedule(t, q)
		want(t, "the same after "+kind, entries(t, q))
		q.Now = now.Add(time.Hour)
		second := ask(t, q, "MFC after: 1 week", "ida", q.Now)
		schedule(t, q)
		want(t, "another after "+kind, entries(t, q), "20261127 stable/13")
		known, err := q.History.Lookup([]string{first, second}, []string{"src@" + askedHash})
		if err != nil || !known.Name(first).Done || known.Name(second).Done || known.Commit("src@"+askedHash).Trusted.Done {
			t.Errorf("after %s: the commit still counts as done, %v", kind, err)
		}
	}
}

// A mail from outside has no say in who asked, and for what.
func TestAskedForged(t *testing.T) {
	q := newQueue(t)
	text := "X-Vext-Asked: MFC after: now\nX-Vext-Asked-By: ida\nX-Vext-Asked-To: stable/1\n" + mail{id: "forged"}.String()
	if _, err := q.Spool.Put("forged", []byte(text)); err != nil {
		t.Fatal(err)
	}
	schedule(t, q)
	want(t, "a mail with the fields of a request", entries(t, q), "20261204")
}

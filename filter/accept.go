package filter

import (
	"bytes"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/forge"
	"vext/spool"
)

// A Push is what a source hands in at once: the commits of a mail, of a forge's
// push, or of one look into a repository.
type Push struct {
	// Walk calls take with each commit, those of a branch oldest first, and returns
	// how many it has looked at. It stops at an error of take, and returns it.
	Walk func(take func(*commit.Arrival) error) (int, error)
	// Past says that the commits were made before vext began to look for them. Their
	// requests count, but they are not announced.
	Past bool
	// Counts reports whether the request of a commit counts. Nil means that all do.
	Counts func(*commit.Commit) bool
	// Files returns the files that commits have changed, by revision. It is called
	// for a few commits that are announced; nil when the commits have their files.
	Files func(revisions []string) map[string]commit.Files
	// LookUp is called for each update of a forge's push that does not describe all
	// its commits, once those that it describes are stored. It reports whether all
	// commits of the update are taken from the repository instead; then the update
	// is not announced. It may be nil.
	LookUp func(*forge.Update) bool

	updates []forge.Update // of a forge's push
	// Of a mail: whether it has several commits, the mail as it came where it has
	// one, and which of the commits may be announced.
	many      bool
	original  []byte
	announced func(*commit.Commit) bool
}

// NewPush returns the push of some commits, those of a branch oldest first.
func NewPush(commits ...commit.Arrival) Push {
	return Push{Walk: func(take func(*commit.Arrival) error) (int, error) {
		for i := range commits {
			if err := take(&commits[i]); err != nil {
				return len(commits), err
			}
		}
		return len(commits), nil
	}}
}

// ForgePush returns the push that a forge describes. Its commits are those of a
// repository, under the name that it has here, and have come from a source, one of
// the From constants of package commit.
func ForgePush(p *forge.Push, repository, source string) Push {
	var commits []commit.Arrival
	for i := range p.Updates {
		u := &p.Updates[i]
		for j, c := range u.Commits {
			c.Repository, c.Source = repository, source
			arrival := commit.Arrival{Commit: c, Page: u.Page}
			if j == len(u.Commits)-1 {
				arrival.More = max(0, u.Total-u.Listed)
			}
			commits = append(commits, arrival)
		}
	}
	push := NewPush(commits...)
	push.updates = p.Updates
	return push
}

// Accepted says what has become of a push.
type Accepted struct {
	Commits int      // that were looked at
	Names   []string // of the requests in the spool
	New     int      // how many of them were not there before
}

// Accept stores what a push asks for: the commits whose trailers ask for a reminder,
// and, while somebody announces commits, all of them to be announced. All of it is
// on disk when Accept returns. After an error some of it may not be; the push is
// then to be handed in again, which changes nothing for what was stored.
func (f *Filter) Accept(p Push) (Accepted, error) {
	announces, err := f.Spool.Announces()
	if err != nil {
		return Accepted{}, err
	}
	in := intake{Filter: f, Push: &p, announces: announces && !p.Past}
	n, err := in.Walk(in.take)
	in.accepted.Commits = n
	if n > 0 || p.updates != nil {
		f.Spool.Seen(f.Source)
	}
	if err == nil {
		err = in.lookUp()
	}
	if err == nil && len(in.arrivals.list) > 0 {
		in.listFiles()
		err = in.store(spool.NewAnnouncement(in.now(), in.arrivals.lines()))
	} else if err == nil {
		err = in.store()
	}
	return in.accepted, err
}

// Wants reports whether Accept uses the commits on a branch even when their requests
// do not count.
func (f *Filter) Wants(repository, refname string) bool {
	announces, err := f.Spool.Announces()
	return (announces || err != nil) && (f.Announced == nil || f.Announced(repository, refname))
}

// Match returns what the message of a commit must match for Accept to use the commit
// at all. Nil means that it uses every commit; past is as in Push.
func (f *Filter) Match(past bool) func(message []byte) bool {
	announces, err := f.Spool.Announces()
	if !past && (announces || err != nil) {
		return nil
	}
	return f.Trailers.Ask
}

func (f *Filter) of(repository string) *commit.Trailers {
	if f.Of == nil {
		return f.Trailers
	}
	return f.Of(repository)
}

// An intake is a push on its way into the spool.
type intake struct {
	*Filter
	*Push
	announces bool            // commits of this push
	requests  []spool.Message // not stored yet
	arrivals  arrivals        // to be announced
	accepted  Accepted
}

// maxRequests bounds the requests that are held before they are stored.
const maxRequests = 500

func (in *intake) take(c *commit.Arrival) error {
	if in.announces && (in.Announced == nil || in.Announced(c.Repository, c.Refname)) && (in.announced == nil || in.announced(&c.Commit)) {
		in.arrivals.add(*c)
	}
	if _, asks := in.of(c.Repository).Request(c.Asking()); !asks || in.Counts != nil && !in.Counts(&c.Commit) {
		return nil
	}
	in.requests = append(in.requests, in.request(&c.Commit))
	if len(in.requests) < maxRequests {
		return nil
	}
	return in.store()
}

// store stores the requests, and an announcement if there is one.
func (in *intake) store(announcement ...spool.Message) error {
	isNew, err := in.Spool.PutAll(append(in.requests, announcement...)...)
	if err != nil {
		return err
	}
	for _, m := range in.requests {
		in.accepted.Names = append(in.accepted.Names, m.Name)
	}
	in.accepted.New += isNew - len(announcement)
	in.requests = in.requests[:0]
	return nil
}

// lookUp has the commits looked up that a forge did not describe.
func (in *intake) lookUp() error {
	for i := range in.updates {
		u := &in.updates[i]
		if in.LookUp == nil || !u.Incomplete {
			continue
		}
		if err := in.store(); err != nil { // LookUp can take long
			return err
		}
		if in.LookUp(u) {
			in.arrivals.remove(u.Refname)
		}
	}
	return nil
}

// maxWithFiles bounds the commits of a push whose files are looked up.
const maxWithFiles = 10

// listFiles completes the arrivals with the files that they changed.
func (in *intake) listFiles() {
	all := in.arrivals.list
	if in.Files == nil || len(all) > maxWithFiles {
		return
	}
	var revisions []string
	for i := range all {
		revisions = append(revisions, all[i].Revision)
	}
	files := in.Files(revisions)
	for i := range all {
		all[i].Files = files[all[i].Revision]
	}
}

// request returns the message of a commit that asks for a reminder. A commit that can't be
// forged gets another name when a forgeable one has taken its name.
func (in *intake) request(c *commit.Commit) spool.Message {
	if in.original != nil {
		return in.message(c, in.original)
	}
	if c.ID == "" || in.many || !commit.Forgeable(c.Source) {
		c.ID = c.MadeID()
	}
	m := in.message(c, c.Mail())
	if !c.Asked.IsZero() {
		m.Name = spool.DigestName([]byte(c.AskedID())) // beside what else there is of the commit
	} else if !commit.Forgeable(c.Source) && in.isForged(m.Name) {
		m.Name = spool.DigestName([]byte(c.Source + " " + c.ID))
	}
	return m
}

// isForged reports whether the message of that name in the spool is forgeable.
func (f *Filter) isForged(name string) bool {
	file, err := disk.Open(f.Spool.Path(name))
	if err != nil {
		return false
	}
	defer file.Close()
	mail := commit.ReadMail(file)
	return len(mail.Commits) == 0 || commit.Forgeable(mail.Commits[0].Source)
}

// message returns the message with a name made from its Message-ID or, if it has none, from
// its bytes.
func (f *Filter) message(c *commit.Commit, data []byte) spool.Message {
	if asking := *c; !c.Asked.IsZero() { // the request is looked for there
		asking.Message, c = c.Asking(), &asking
	}
	name := spool.Name(c.ID)
	switch {
	case c.ID == "" && c.Key() != "":
		name = spool.Name(c.MadeID())
	case c.ID == "":
		name = spool.DigestName(data)
	case c.Source == "" && commit.LooksMade(c.ID), c.Source == commit.FromJSON && commit.LooksMade(c.ID) && c.ID != c.MadeID():
		name = spool.DigestName([]byte(c.ID)) // not the name of a commit that may still arrive
	}
	request, _ := f.of(c.Repository).Request(c.Message)
	if usual, ok := f.Usual.Request(c.Message); (!ok || usual != request) && !request.ByConvention {
		data = stamp(data, commit.TrailerHeader, request.Key)
	}
	return spool.Message{Name: name, Data: data}
}

// stamp adds a field before the header of a message, but behind an mbox line.
func stamp(data []byte, name, value string) []byte {
	head := 0
	if bytes.HasPrefix(data, []byte("From ")) {
		head = bytes.IndexByte(data, '\n') + 1
	}
	field := name + ": " + value + "\n"
	return append(append(append([]byte(nil), data[:head]...), field...), data[head:]...)
}

// arrivals are the commits of a push that are to be announced, without their messages.
type arrivals struct {
	list []commit.Arrival
	last map[branch]int // index of the newest of each branch in the list

	counted int // revisions in all Counted
}

type branch struct{ repository, refname string }

const (
	// maxArrivals bounds how many commits are described. On a branch with more, the
	// newest replaces the one before it, which is only counted.
	maxArrivals = 5000
	// maxCounted bounds how many revisions of counted commits are kept, by which the
	// commits are recognised when they arrive again.
	maxCounted = 200_000
)

// add adds a commit, which is newer than those of its branch before.
func (a *arrivals) add(c commit.Arrival) {
	c.Message, c.Subject = "", strings.Clone(c.Subject) // Subject is a part of Message
	if a.last == nil {
		a.last = map[branch]int{}
	}
	at := branch{c.Repository, c.Refname}
	i, known := a.last[at]
	switch {
	case len(a.list) < maxArrivals:
		a.last[at] = len(a.list)
		a.list = append(a.list, c)
	case known:
		before := &a.list[i]
		c.More += before.More + 1
		c.Counted = append(before.Counted, c.Counted...)
		if before.Revision != "" && a.counted < maxCounted {
			a.counted++
			c.Counted = append(c.Counted, strings.Clone(before.Revision))
		}
		a.list[i] = c
	}
}

func (a *arrivals) remove(refname string) {
	a.list = slices.DeleteFunc(a.list, func(c commit.Arrival) bool { return c.Refname == refname })
}

func (a *arrivals) lines() []byte {
	var b bytes.Buffer
	for i := range a.list {
		c := &a.list[i]
		if c.Key() == "" && c.ID == "" { // something to recognise it by when it arrives again
			c.ID = spool.DigestName(c.Line())
		}
		b.Write(c.Line())
	}
	return b.Bytes()
}

// ParseArrivals reads the data of an announcement. If a line can't be read, it returns
// the others and an error.
func ParseArrivals(data []byte) (arrivals []commit.Arrival, err error) {
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		c, parseErr := commit.ParseArrival(line)
		if parseErr != nil {
			err = parseErr
			continue
		}
		arrivals = append(arrivals, c)
	}
	return arrivals, err
}

package filter

import (
	"vext/internal/commit"
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
	in := intake{Filter: f, Push: &p, announces: !p.Past && f.Announces()}
	n, err := in.Walk(in.take)
	in.accepted.Commits = n
	if n > 0 || p.updates != nil {
		f.Spool.Seen(f.Source)
	}
	if err == nil {
		err = in.lookUp()
	}
	if err == nil {
		err = in.storeRequests()
	}
	if err == nil && in.arrivals.Len() > 0 {
		in.listFiles()
		err = in.Announce(&in.arrivals)
	}
	return in.accepted, err
}

// Wants reports whether Accept uses the commits on a branch even when their requests
// do not count.
func (f *Filter) Wants(repository, refname string) bool {
	return f.Announces() && (f.Announced == nil || f.Announced(repository, refname))
}

// Match returns what the message of a commit must match for Accept to use the commit
// at all. Nil means that it uses every commit; past is as in Push.
func (f *Filter) Match(past bool) func(message []byte) bool {
	if !past && f.Announces() {
		return nil
	}
	return f.Trailers.Ask
}

// An intake is a push on its way into the spool.
type intake struct {
	*Filter
	*Push
	announces bool            // commits of this push
	requests  []spool.Message // not stored yet
	arrivals  Arrivals        // to be announced, not stored yet
	accepted  Accepted
}

// maxRequests bounds the requests that are held before they are stored.
const maxRequests = 500

// take takes one commit in.
func (in *intake) take(c *commit.Arrival) error {
	if in.announces && (in.Announced == nil || in.Announced(c.Repository, c.Refname)) && (in.announced == nil || in.announced(&c.Commit)) {
		in.arrivals.Add(*c)
	}
	if _, asks := in.Trailers.Request(c.Message); !asks || in.Counts != nil && !in.Counts(&c.Commit) {
		return nil
	}
	in.requests = append(in.requests, in.request(&c.Commit))
	if len(in.requests) < maxRequests {
		return nil
	}
	return in.storeRequests()
}

func (in *intake) storeRequests() error {
	isNew, err := in.Spool.PutAll(in.requests)
	if err != nil {
		return err
	}
	for _, m := range in.requests {
		in.accepted.Names = append(in.accepted.Names, m.Name)
	}
	in.accepted.New += isNew
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
		if err := in.storeRequests(); err != nil { // LookUp can take long
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
	all := in.arrivals.All()
	if in.Files == nil || len(all) == 0 || len(all) > maxWithFiles {
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

// request returns the message of a commit that asks for a reminder. What nobody can
// have forged does not lose its name to what anybody can have written.
func (in *intake) request(c *commit.Commit) spool.Message {
	if in.original != nil {
		return in.message(c, in.original)
	}
	if c.ID == "" || in.many || !commit.Forgeable(c.Source) {
		c.ID = c.MadeID()
	}
	m := in.message(c, c.Mail())
	if !commit.Forgeable(c.Source) && in.isForged(m.Name) {
		m.Name = spool.DigestName([]byte(c.Source + " " + c.ID))
	}
	return m
}

// Take accepts commits that are not announced.
//
// It goes when source/follow calls Accept.
func (f *Filter) Take(commits ...commit.Commit) (names []string, isNew int, err error) {
	var arrivals []commit.Arrival
	for _, c := range commits {
		arrivals = append(arrivals, commit.Arrival{Commit: c})
	}
	p := NewPush(arrivals...)
	p.Past = true
	accepted, err := f.Accept(p)
	return accepted.Names, accepted.New, err
}

package queue

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"vext/internal/calendar"
	"vext/internal/commit"
	"vext/internal/disk"
	"vext/internal/history"
	"vext/spool"
)

// A Decision is what Apply does with one message of the spool.
type Decision struct {
	Name  string
	Event history.Event // to be recorded; its Kind is the decision
	Day   calendar.Day  // for history.Queued

	// Commit is set by PlanPast.
	Commit *commit.Commit

	file     string   // its name in the spool, if that is not Name
	copyOf   []string // keys of the commits from which it was cherry-picked
	stays    bool     // it can't be moved out of the spool
	replaces *Entry   // a claim in the queue that this message replaces
	young    bool     // a mail that waits for another source of its commit
	needsDay bool     // only its day is missing, and a person may have set one
	asked    commit.Asked
	added    bool // branches were added to asked, of a request that it replaces
}

// Progress is called with the number of messages that were read so far.
type Progress func(done, total int)

// Plan decides about every message in the spool and changes nothing. A message that
// can't be read because of the machine is in the error and not in the plan; the rest
// of the plan is valid.
func (q *Queue) Plan(progress Progress) ([]Decision, error) {
	plan, err := q.ReadSpool(progress)
	_, compareErr := q.compare(&plan)
	return plan, errors.Join(err, compareErr)
}

// ReadSpool is the part of Plan that reads the messages, and decides about each as if
// it were the only one.
func (q *Queue) ReadSpool(progress Progress) ([]Decision, error) {
	files, err := q.Spool.Requests()
	if err != nil {
		return nil, err
	}
	return q.readAll(files, progress)
}

// Subjects returns the names and keys of which Compare needs the index.
func Subjects(plan []Decision) (names, keys []string) {
	for i := range plan {
		d := &plan[i]
		names, keys = append(names, d.Name), append(append(keys, d.Event.Key), d.copyOf...)
		if d.isTrusted() {
			names = append(names, d.otherName())
		}
	}
	return names, keys
}

// compare is Compare with an index that it reads and returns.
func (q *Queue) compare(plan *[]Decision) (known *history.Index, err error) {
	if len(*plan) == 0 {
		return nil, nil
	}
	if known, err = q.History.Lookup(Subjects(*plan)); err != nil {
		*plan = nil
		return nil, err // duplicates can't be found
	}
	return known, q.Compare(plan, known)
}

// Compare is the part of Plan that compares the decisions with each other, with the
// history and with the queue.
func (q *Queue) Compare(plan *[]Decision, known *history.Index) error {
	if len(*plan) == 0 {
		return nil
	}
	// A file that can't be moved is recorded once and stays.
	*plan = slices.DeleteFunc(*plan, func(d Decision) bool { return d.stays && known.Name(d.Name).Failed != nil })
	waiting, err := q.waiting()
	if err != nil {
		// It may be in a day that can't be read: decide in a later run.
		*plan = slices.DeleteFunc(*plan, func(d Decision) bool {
			return known.Name(d.Name).Queued != nil || known.Commit(d.Event.Key).All.Queued != nil
		})
	}
	q.findDuplicates(*plan, known, waiting)
	return err
}

// readAll reads files of the spool, concurrently, and decides about each as if it were
// the only one.
func (q *Queue) readAll(files []fs.DirEntry, progress Progress) ([]Decision, error) {
	decisions := make([]Decision, len(files))
	errs := make([]error, len(files))
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i := range files {
		workers.Go(func() error {
			decisions[i], errs[i] = q.decide(files[i])
			return nil
		})
		if progress != nil && i%1000 == 0 {
			progress(i, len(files))
		}
	}
	workers.Wait()
	if progress != nil {
		progress(len(files), len(files))
	}
	plan := decisions[:0]
	for i, d := range decisions {
		if errs[i] == nil {
			plan = append(plan, d)
		}
	}
	return plan, errors.Join(errs...)
}

// decide decides about a file of the spool as if it were the only one.
func (q *Queue) decide(file fs.DirEntry) (Decision, error) {
	d := Decision{Name: file.Name()}
	d.Event = history.Event{Time: history.Stamp(q.Now), Name: d.Name, Kind: history.Failed}
	if reason := strayReason(file); reason != "" {
		d.Event.Reason = reason
		if d.stays = !isMovable(q.Spool.Path(d.Name)); d.stays {
			d.Event.Reason += "; it belongs to another user and stays where it is: " + q.Spool.Path(d.Name)
		}
		return d, nil
	}
	m, err := q.Read(Entry{Name: d.Name, dir: q.Spool.Dir()})
	if err != nil {
		d.Event.Reason = err.Error()
		if IsNotUnderstood(err) {
			err = nil
		}
		return d, err
	}
	q.judge(&d, m)
	return d, nil
}

// judge decides about a message as if it were the only one.
func (q *Queue) judge(d *Decision, m *Message) {
	d.Event = q.Describe(d.Name, m)
	d.Event.Time, d.Event.Kind = history.Stamp(q.Now), history.Failed
	if reason := q.Policy.Ignores(&m.Commit); reason != "" {
		d.Event.Kind, d.Event.Reason = history.Ignored, reason
		return
	}
	var err error
	if d.Day, err = q.DayOf(m); err != nil {
		d.Event.Reason = "\"" + d.Event.Asked + "\": " + err.Error() + "\nto give it a day: vext snooze ID 2 weeks"
		d.Event.Cause = history.CausePeriod
		d.needsDay = q.Policy.Denies(&m.Commit) == ""
		return
	}
	if d.asked = m.Asked; !d.isAsked() {
		d.copyOf = originals(&m.Commit)
	}
	if reason := q.Policy.Denies(&m.Commit); reason != "" {
		d.Event.Reason = reason
		return
	}
	d.Event.Kind, d.Event.Due = history.Queued, d.Day.String()
	if d.isAsked() {
		d.Event.By = m.Asked.Who()
	}
	d.young = d.cameByMail() && q.isYoung(m.Received)
}

// DayOf returns the day on which a message is due. The error says why its request is
// not understood.
func (q *Queue) DayOf(m *Message) (calendar.Day, error) {
	if m.Request.Err != nil {
		return calendar.Day{}, m.Request.Err
	}
	from := &m.Commit
	if !m.Asked.IsZero() {
		from = &commit.Commit{Date: m.Asked.Date}
	}
	return from.Due(m.Request.Period, m.Received, q.Now, q.Zone)
}

// isYoung reports whether a mail received at that time waits for another source of its
// commit.
func (q *Queue) isYoung(received time.Time) bool {
	age := q.Now.Sub(received)
	return age >= 0 && age < q.Policy.Hold
}

// waiting returns the day of each message in the queue, by name.
func (q *Queue) waiting() (map[string]calendar.Day, error) {
	entries, err := q.Entries(calendar.Day{})
	waiting := make(map[string]calendar.Day, len(entries))
	for _, e := range entries {
		waiting[e.Name] = e.Day
	}
	return waiting, err
}

// maxBatch bounds how many events are appended to the history at once. Each batch
// costs one sync.
const maxBatch = 5000

// Apply records a plan in the history, and then moves the messages. What can't be
// recorded is not moved. It returns the decisions that it applied.
func (q *Queue) Apply(plan []Decision) (done []Decision, err error) {
	plan = slices.DeleteFunc(slices.Clone(plan), func(d Decision) bool { return d.Event.Kind == Held })
	if len(plan) == 0 {
		return nil, nil
	}
	if err := q.prepare(); err != nil {
		return nil, err
	}
	if err := canWrite(q.Spool.Dir(), q.dir(), q.failed(), q.done()); err != nil {
		return nil, err
	}
	var errs []error
	days := map[calendar.Day]bool{}
	for part := range slices.Chunk(plan, maxBatch) {
		events := make([]history.Event, 0, len(part))
		for i := range part {
			if r := part[i].replaces; r != nil {
				events = append(events, history.Event{
					Time: part[i].Event.Time, Kind: history.Replaced, Name: r.Name,
					Reason: part[i].replacedReason(),
				})
			}
			events = append(events, part[i].Event)
		}
		if err := q.History.Append(events...); err != nil {
			errs = append(errs, err)
			break
		}
		for i := range part {
			if err := q.apply(&part[i], days); err != nil {
				errs = append(errs, err)
				continue
			}
			done = append(done, part[i])
		}
	}
	for day := range days {
		errs = append(errs, disk.SyncDir(q.dayDir(day)))
	}
	return done, errors.Join(append(errs, disk.SyncDir(q.Spool.Dir()))...)
}

// canWrite checks that files can be moved out of and into directories. Otherwise every
// run would record a move again.
func canWrite(dirs ...string) error {
	for _, dir := range dirs {
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return &fs.PathError{Op: "write to", Path: dir, Err: err}
		}
		if !disk.SameFileSystem(dirs[0], dir) {
			return fmt.Errorf("%s is on another file system than %s: a rename can't cross", dir, dirs[0])
		}
	}
	return nil
}

func (q *Queue) apply(d *Decision, days map[calendar.Day]bool) error {
	path := q.Spool.Path(cmp.Or(d.file, d.Name))
	switch d.Event.Kind {
	case history.Queued:
		if d.replaces != nil {
			if err := q.Finish(q.entry(d.replaces.Day, d.replaces.Name)); err != nil {
				return err
			}
			days[d.replaces.Day] = true
		}
		if !days[d.Day] {
			if err := disk.MakeDir(q.dayDir(d.Day)); err != nil {
				return err
			}
			days[d.Day] = true
		}
		return q.moveAsked(d, path, q.entry(d.Day, d.Name))
	case history.Failed:
		if d.stays {
			return nil
		}
		return q.Spool.Quarantine(path, d.Name, d.Event.Reason)
	case history.Ignored: // kept, because the policy may be wrong
		return q.Finish(Entry{Name: d.Name, dir: q.Spool.Dir()})
	default:
		return disk.Remove(path)
	}
}

// readMail is commit.ReadMail with read errors, which ReadMail takes for the end of the
// mail.
func readMail(r io.Reader) (*commit.Mail, error) {
	e := &errorReader{r: r}
	return commit.ReadMail(e), e.err
}

type errorReader struct {
	r   io.Reader
	err error
}

func (e *errorReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && err != io.EOF {
		e.err = err
	}
	return n, err
}

// PlanPast decides about commits of the past as Plan would if they were in the spool.
// The decision about a commit that was due before today is history.Missed.
func (q *Queue) PlanPast(commits []commit.Commit) ([]Decision, error) {
	plan := make([]Decision, 0, len(commits))
	for i := range commits {
		c := &commits[i]
		request, asks, err := q.Policy.Request(c)
		if err != nil {
			return nil, err
		}
		if !asks {
			continue
		}
		m := &Message{Commit: *c, Request: request, Received: q.Now}
		m.Repository = q.Policy.Repository(m.Repository)
		d := Decision{Name: spool.Name(c.MadeID()), Commit: c}
		q.judge(&d, m)
		if q.isPast(&d) { // whoever the recipient would have been
			d.Event.Kind, d.Event.Due, d.Event.Reason = history.Queued, d.Day.String(), ""
		}
		plan = append(plan, d)
	}
	isUndecided, err := q.undecided()
	if err != nil {
		return nil, err
	}
	known, err := q.compare(&plan)
	for i := range plan {
		d := &plan[i]
		switch {
		case isUndecided(d):
			d.duplicate("it is in the spool, or quarantined")
		case d.Event.Kind == history.Failed && (known.Name(d.Name).IsKnown() || known.Commit(d.Event.Key).All.IsKnown()):
			d.duplicate("a person has decided about it")
		case d.Event.Kind == history.Queued && q.isPast(d):
			d.Event.Kind = history.Missed
		}
	}
	return plan, err
}

// undecided returns a function that reports whether a decision is about a commit that
// is in the spool or quarantined. A forgeable message counts only when it is
// quarantined and has the same recipient and request.
func (q *Queue) undecided() (func(*Decision) bool, error) {
	spooled, err := q.Spooled()
	failed, failedErr := q.Quarantined()
	there := &commit.Index[*Item]{}
	all := append(spooled, failed...)
	for i := range all {
		there.Add(all[i].Key, &all[i])
	}
	isUndecided := func(d *Decision) (found bool) {
		there.Find(d.Event.Key, func(item *Item) bool {
			found = !commit.Forgeable(item.Source) ||
				item.Place == InQuarantine && d.isTo(request{address: item.Address}) && item.Asked == d.Event.Asked
			return !found
		})
		return found
	}
	return isUndecided, errors.Join(err, failedErr)
}

func (q *Queue) isPast(d *Decision) bool {
	return d.Day != (calendar.Day{}) && d.Day.Before(q.Today())
}

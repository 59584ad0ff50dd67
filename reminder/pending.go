package reminder

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vext/internal/disk"
	"vext/notify"
	"vext/queue"
)

// outboxLost is the reason of a bounce when the outbox no longer knows the message: its
// database was removed, or was damaged and replaced.
const outboxLost = "the outbox has lost it"

// pendingPath is a JSON array with the keys of the reminders that the outbox had not
// delivered when a run last asked. It does not exist when there are none.
func pendingPath(state string) string { return filepath.Join(state, "outbox.pending") }

// ArePending reports whether a run has noted pending reminders in a state directory.
func ArePending(state string) bool {
	_, err := os.Lstat(pendingPath(state))
	return err == nil
}

// readPending reads which messages were pending.
func (r *run) readPending() {
	r.noted = nil
	data, err := disk.ReadFile(pendingPath(r.Queue.State))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(data, &r.noted)
	}
	if err != nil {
		r.Log.Error("cannot read which reminders are pending in the outbox", "file", pendingPath(r.Queue.State), "err", err)
		r.noted = append(r.noted, "") // no key, so that notePending replaces the file
	}
}

// maxPause is less than the outbox knows what it has delivered.
const maxPause = 60 * 24 * time.Hour

// lost returns a bounce for each message that was pending, and that the outbox no longer
// knows. After a long pause that can be one that it has delivered.
func (r *run) lost(ctx context.Context) (bounces []notify.Bounce, err error) {
	last, _ := queue.Runs(r.Queue.State)
	if len(r.noted) == 0 || !last.IsZero() && r.Queue.Now.Sub(last) > maxPause {
		return nil, nil
	}
	known, err := r.Outbox.Outcomes(ctx, r.noted...)
	if err != nil {
		return nil, err
	}
	for _, key := range r.noted {
		if _, ok := known[key]; !ok {
			bounces = append(bounces, notify.Bounce{Key: key, Reason: outboxLost})
		}
	}
	return bounces, nil
}

// notePending writes the keys of all pending reminders. The next run compares them in lost.
func (r *run) notePending(keys []string) error {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	if slices.Equal(keys, r.noted) {
		return nil
	}
	if err := r.writePending(keys); err != nil {
		return err
	}
	r.noted = keys
	return nil
}

func (r *run) writePending(keys []string) error {
	if len(keys) == 0 {
		return disk.Remove(pendingPath(r.Queue.State))
	}
	data, err := json.Marshal(keys)
	tmp, tmpErr := r.tmp()
	if err := errors.Join(err, tmpErr); err != nil {
		return err
	}
	return disk.Replace(tmp, pendingPath(r.Queue.State), data)
}

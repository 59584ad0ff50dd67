package mail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"vext/internal/disk"
	"vext/notify"
)

// maildir delivers into a Maildir (maildir(5)). A mail's file name is made
// from its key, so that a mail that is delivered again after a crash is not
// there twice.
type maildir struct{ dir string }

func (d *maildir) String() string { return "maildir:" + d.dir }

// Send implements notify.Sender.
func (d *maildir) Send(_ context.Context, m *notify.Mail) error {
	name := m.Key + ".vext"
	err := d.deliver(name, unixLines(m.Data))
	if errors.Is(err, fs.ErrNotExist) { // the first mail
		if err = d.make(); err == nil {
			err = d.deliver(name, unixLines(m.Data))
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return &notify.UnavailableError{Err: fmt.Errorf("%s: %w", d, err)}
	}
	return nil
}

// deliver writes a mail, unless it is there: unread, or moved to cur/ with
// flags behind its name.
func (d *maildir) deliver(name string, data []byte) error {
	seen, err := os.ReadDir(filepath.Join(d.dir, "cur"))
	if err != nil {
		return err
	}
	for _, f := range seen {
		if strings.HasPrefix(f.Name(), name) {
			return nil
		}
	}
	return disk.WriteNew(filepath.Join(d.dir, "tmp"), filepath.Join(d.dir, "new", name), data)
}

func (d *maildir) make() error {
	for _, dir := range []string{d.dir, filepath.Join(d.dir, "tmp"), filepath.Join(d.dir, "new"), filepath.Join(d.dir, "cur")} {
		if err := disk.MakeDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// Check implements notify.Sender.
func (d *maildir) Check(context.Context) error {
	for _, dir := range []string{filepath.Join(d.dir, "new"), d.dir, filepath.Dir(d.dir)} {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("%s: %s can't be written to: %w", d, dir, err)
		}
		return nil
	}
	return fmt.Errorf("%s: %s: %w", d, filepath.Dir(d.dir), fs.ErrNotExist)
}

// Close implements notify.Sender.
func (d *maildir) Close() error { return nil }

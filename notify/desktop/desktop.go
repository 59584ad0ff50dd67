// Package desktop shows notifications on the desktop of the user, by D-Bus, as the
// specification of freedesktop.org has it.
package desktop

import (
	"context"
	"errors"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
)

// ErrNoBus says that the user has no session bus, because nobody is logged in at a desktop.
var ErrNoBus = errors.New("no session bus: neither DBUS_SESSION_BUS_ADDRESS nor a bus in XDG_RUNTIME_DIR")

// callTime bounds each call of the service that shows notifications.
const callTime = 3 * time.Second

// The service, and the name of its interface.
const (
	service = "org.freedesktop.Notifications"
	object  = dbus.ObjectPath("/org/freedesktop/Notifications")
)

// address returns that of the session bus. The library would start a bus where there is
// none.
func address() string {
	if a := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" {
		return a
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		path := filepath.Join(dir, "bus")
		if _, err := os.Stat(path); err == nil {
			return "unix:path=" + dbus.EscapeBusAddressValue(path)
		}
	}
	return ""
}

// Show shows a notification. It connects each time, because a bus may come and go.
func Show(ctx context.Context, title, body string) error {
	return ShowNotice(ctx, Notice{Title: title, Body: body})
}

// A Notice is a notification with more than a text.
type Notice struct {
	Title, Body string
	Urgent      bool   // it stays until the person has closed it
	Folder      string // that a click opens; "" for none
}

// openTime is how long a click on a notification opens its folder.
const openTime = 10 * time.Minute

// ShowNotice shows a notification. Of one with a folder it waits until the person has
// clicked on it or closed it, but not for longer than 10 minutes.
func ShowNotice(ctx context.Context, n Notice) error {
	at := address()
	if at == "" {
		return ErrNoBus
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	conn, err := connect(ctx, at)
	if err != nil {
		return err
	}
	defer conn.Close()
	d := desk{conn.Object(service, object), conn}
	capabilities := d.capabilities(ctx)
	if slices.Contains(capabilities, "body-markup") {
		n.Body = html.EscapeString(n.Body)
	}
	if n.Folder == "" || !slices.Contains(capabilities, "actions") {
		_, err := d.show(ctx, n, nil)
		return err
	}
	return d.showAndOpen(ctx, n)
}

// connect connects to the bus.
func connect(ctx context.Context, at string) (*dbus.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	conn, err := dbus.Dial(at, dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(limited, func() { conn.Close() })
	err = conn.Auth(nil)
	if err == nil {
		err = conn.Hello()
	}
	if !stop() || err != nil {
		conn.Close()
		return nil, errors.Join(err, limited.Err())
	}
	return conn, nil
}

// A desk is the service that shows notifications.
type desk struct {
	to   dbus.BusObject
	conn *dbus.Conn
}

// show has a notice shown, and returns its number.
func (d desk) show(ctx context.Context, n Notice, actions []string) (id uint32, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	hints := map[string]dbus.Variant{}
	if n.Urgent {
		hints["urgency"] = dbus.MakeVariant(byte(2))
	}
	if actions == nil {
		actions = []string{}
	}
	const replacesNone, defaultTime = uint32(0), int32(-1)
	err = d.to.CallWithContext(ctx, service+".Notify", 0, "vext", replacesNone, "", n.Title, n.Body, actions, hints, defaultTime).Store(&id)
	return id, err
}

// showAndOpen has a notice shown, and opens its folder when the person clicks on it.
func (d desk) showAndOpen(ctx context.Context, n Notice) error {
	signals := make(chan *dbus.Signal, 10)
	d.conn.Signal(signals)
	defer d.conn.RemoveSignal(signals)
	if err := d.conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface(service)); err != nil {
		return err
	}
	id, err := d.show(ctx, n, []string{"default", "Open the folder"})
	if err != nil {
		return err
	}
	for {
		select {
		case s, isOpen := <-signals:
			if !isOpen { // the bus has ended
				return nil
			}
			var which uint32
			if len(s.Body) == 0 || dbus.Store(s.Body[:1], &which) != nil || which != id {
				continue
			}
			switch s.Name {
			case service + ".ActionInvoked":
				return d.open(ctx, n.Folder)
			case service + ".NotificationClosed":
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// fileManager is the service that shows folders.
const fileManager = "org.freedesktop.FileManager1"

// open has the file manager show a folder.
func (d desk) open(ctx context.Context, folder string) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at := url.URL{Scheme: "file", Path: folder}
	return d.conn.Object(fileManager, "/org/freedesktop/FileManager1").
		CallWithContext(ctx, fileManager+".ShowFolders", 0, []string{at.String()}, "").Err
}

// capabilities returns what the service can do.
func (d desk) capabilities(ctx context.Context) (all []string) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	d.to.CallWithContext(ctx, service+".GetCapabilities", 0).Store(&all)
	return all
}

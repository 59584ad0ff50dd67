package desktop

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"vext/internal/testkit"
)

// startBus starts a session bus, and has the environment name it.
func startBus(t *testing.T) {
	t.Helper()
	testkit.Program(t, "dbus-daemon")
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address", "--address=unix:path="+filepath.Join(testkit.Scratch(t), "bus"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(line))
}

// A fakeDesk stands in for the service of a desktop, and for its file manager.
type fakeDesk struct {
	capabilities []string
	shown        chan [3]string // application, title, body
	urgent       chan bool
	opened       chan string
	conn         *dbus.Conn
	emits        chan [][]any // signals after a notice, name first
}

func (d *fakeDesk) GetCapabilities() ([]string, *dbus.Error) { return d.capabilities, nil }

func (d *fakeDesk) Notify(app string, _ uint32, _, title, body string, _ []string, hints map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	d.shown <- [3]string{app, title, body}
	d.urgent <- hints["urgency"].Value() == byte(2)
	go func() { // after the answer
		if len(d.emits) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
		for _, e := range <-d.emits {
			d.conn.Emit(object, service+"."+e[0].(string), e[1:]...)
		}
	}()
	return 1, nil
}

func (d *fakeDesk) ShowFolders(uris []string, _ string) *dbus.Error {
	d.opened <- uris[0]
	return nil
}

func startDesk(t *testing.T, capabilities ...string) *fakeDesk {
	t.Helper()
	conn, err := dbus.Connect(address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d := &fakeDesk{capabilities, make(chan [3]string, 10), make(chan bool, 10), make(chan string, 10), conn, make(chan [][]any, 1)}
	if err := conn.Export(d, object, service); err != nil {
		t.Fatal(err)
	}
	if reply, err := conn.RequestName(service, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(reply, err)
	}
	return d
}

func TestShow(t *testing.T) {
	startBus(t)
	if err := Show(t.Context(), "nobody listens", ""); err == nil {
		t.Error("no error without a service")
	}
	for _, test := range []struct{ capability, want string }{{"body", "a <b> & c"}, {"body-markup", "a &lt;b&gt; &amp; c"}} {
		d := startDesk(t, test.capability)
		if err := Show(t.Context(), "2 new commits", "a <b> & c"); err != nil {
			t.Fatal(err)
		}
		if got := <-d.shown; got != [3]string{"vext", "2 new commits", test.want} {
			t.Errorf("%q", got)
		}
		startBus(t)
	}
}

// A click on a notice opens its folder. Other notices, and their end, do not count.
func TestOpenFolder(t *testing.T) {
	for _, test := range []struct {
		emits [][]any
		want  string
	}{
		{[][]any{{"ActionInvoked", uint32(7), "default"}, {"NotificationClosed", uint32(7), uint32(2)}, {"ActionInvoked", uint32(1), "default"}}, "file:///home/jane/a%20b"},
		{[][]any{{"NotificationClosed", uint32(1), uint32(2)}}, ""},
	} {
		startBus(t)
		d := startDesk(t, "actions")
		if err := d.conn.Export(d, "/org/freedesktop/FileManager1", fileManager); err != nil {
			t.Fatal(err)
		}
		if _, err := d.conn.RequestName(fileManager, dbus.NameFlagDoNotQueue); err != nil {
			t.Fatal(err)
		}
		d.emits <- test.emits
		if err := ShowNotice(t.Context(), Notice{Title: "1 conflict", Urgent: true, Folder: "/home/jane/a b"}); err != nil {
			t.Error(err)
		}
		opened := ""
		if len(d.opened) > 0 {
			opened = <-d.opened
		}
		if opened != test.want || !<-d.urgent {
			t.Errorf("opened %q, want %q", opened, test.want)
		}
	}
}

// Without a bus, or with one that does not answer, nothing is shown, and nothing starts one.
func TestNoBus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	dir := testkit.Scratch(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := Show(t.Context(), "x", "y"); !errors.Is(err, ErrNoBus) {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := Show(ctx, "x", "y"); err == nil || ctx.Err() != nil {
		t.Errorf("%v, %v", err, ctx.Err())
	}
}

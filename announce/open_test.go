package announce

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// One process at a time has the seen.
func TestSeenStoreInUse(t *testing.T) {
	d := newDesk(t)
	if _, err := OpenSeenStore(d.state, d.now, d.Log); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
	if broken := BrokenSeenStores(d.state); broken != nil {
		t.Errorf("set aside %v", broken)
	}
}

// pageSize is that of a database that is made on this machine.
var pageSize = os.Getpagesize()

// garbage is what no page begins with, and far is of numbers that point behind
// the end of every file here.
var garbage, far = []byte{0xa5, 0x17, 0xff}, []byte{0, 0, 0, 0x20}

// overwrite repeats what over a part of a file.
func overwrite(what, data []byte, from, to int) []byte {
	copy(data[from:min(to, len(data))], bytes.Repeat(what, len(data)))
	return data
}

// spoil remembers what takes many pages, and changes the file of the seen
// while nobody has it.
func spoil(d *desk, change func([]byte) []byte) (spoiled []byte) {
	d.t.Helper()
	var told []identity
	for i := range 1000 {
		told = append(told, identity{repository: "src", revision: fmt.Sprintf("r%d", i+1), branch: "main"})
	}
	if err := d.Seen.remember(d.now, told, nil); err != nil {
		d.t.Fatal(err)
	}
	d.Seen.Close()
	d.Seen = nil
	path := filepath.Join(d.state, memoryName)
	data, err := os.ReadFile(path)
	if err == nil {
		spoiled = change(data)
		err = os.WriteFile(path, spoiled, 0o640)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return spoiled
}

// A seen that can't be read is set aside, and one that can't be had is not.
func TestSeenStoreBroken(t *testing.T) {
	for name, change := range map[string]func(data []byte) []byte{
		"no database":       func([]byte) []byte { return []byte("this is no database\n") },
		"garbage":           func(data []byte) []byte { return overwrite(garbage, data, 0, len(data)) },
		"no meta pages":     func(data []byte) []byte { return overwrite(garbage, data, 0, 2*pageSize) },
		"no other pages":    func(data []byte) []byte { return overwrite(garbage, data, 2*pageSize, len(data)) },
		"zeros":             func(data []byte) []byte { return append(data[:2*pageSize], make([]byte, len(data)-2*pageSize)...) },
		"cut off":           func(data []byte) []byte { return data[:2*pageSize] },
		"cut off later":     func(data []byte) []byte { return data[:8*pageSize] },
		"cut off in a page": func(data []byte) []byte { return data[:pageSize+17] },
	} {
		d := newDesk(t)
		data := spoil(d, change)
		d.restart()
		broken := BrokenSeenStores(d.state)
		if len(broken) != 1 || filepath.Base(broken[0]) != "notices.db.broken-20261120T120000Z" || strings.Count(d.log.String(), "level=ERROR") != 1 {
			t.Fatalf("%s: set aside %v: %s", name, broken, d.log)
		}
		if kept, err := os.ReadFile(broken[0]); err != nil || !bytes.HasPrefix(kept, data) {
			t.Errorf("%s: not kept as it was: %v", name, err)
		}
		d.hand(arrival(hashA, "s"))
		d.tells(name, "src: jane src main 0a1b2c3d4e5f s")
	}
	d := newDesk(t)
	d.Seen.Close()
	path := filepath.Join(d.state, memoryName)
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o750)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSeenStore(d.state, d.now, d.Log); err == nil || len(BrokenSeenStores(d.state)) > 0 {
		t.Errorf("a directory: %v, set aside %v", err, BrokenSeenStores(d.state))
	}
}

// Whichever page is wrong, it starts and announces; a page that nobody uses, or
// one of the two that say where all begins, may be.
func TestSeenStoreBrokenPage(t *testing.T) {
	broken, pages := 0, 2
	for page := 0; page < pages; page++ {
		for what, from := range map[string]int{string(garbage): 0, "\x01" + string(garbage): 16, string(far): 16, "\x02": 1000} { // from its head, what it says of its items, these
			d := newDesk(t)
			data := spoil(d, func(data []byte) []byte {
				return overwrite([]byte(what), data, page*pageSize+from, (page+1)*pageSize)
			})
			pages = len(data) / pageSize
			d.restart()
			broken += len(BrokenSeenStores(d.state))
			d.keep(t.Context())
			d.hand(arrival(hashA, "s"))
			d.tells(fmt.Sprintf("page %d from %d: %q", page, from, what), "src: jane src main 0a1b2c3d4e5f s")
		}
	}
	if broken == 0 || broken > 4*pages {
		t.Errorf("%d set aside, of %d pages", broken, pages)
	}
}

// A page that is noted as free and lies behind the end is none to write to.
func TestSeenStoreBrokenFreelist(t *testing.T) {
	d := newDesk(t)
	spoil(d, func(data []byte) []byte {
		for page := 2 * pageSize; page < len(data); page += pageSize { // its number, flags, and count
			if binary.NativeEndian.Uint16(data[page+8:]) != 0x10 {
				continue
			}
			count := binary.NativeEndian.Uint16(data[page+10:])
			binary.NativeEndian.PutUint16(data[page+10:], count+1)
			binary.NativeEndian.PutUint64(data[page+16+8*int(count):], 1<<30)
		}
		return data
	})
	d.restart()
	if len(BrokenSeenStores(d.state)) != 1 {
		t.Error(d.log)
	}
	d.hand(arrival(hashA, "s"))
	d.tells("afterwards", "src: jane src main 0a1b2c3d4e5f s")
}

// What was remembered before it was noted how a commit came is still known, and
// silences nothing that a trusted way brings and a stranger could have named.
func TestSeenStoreOlderForm(t *testing.T) {
	d := newDesk(t)
	older := func(id identity) {
		err := d.Seen.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketTold).Put(id.key(), id.told(d.now)[:8]) })
		if err != nil {
			t.Fatal(err)
		}
	}
	c := arrival(hashA, "s")
	older(identity{repository: "src", revision: hashA, branch: "main"})
	d.restart()
	d.hand(c)
	d.tells("the same", "")
	c.Source = ""
	d.hand(c)
	d.tells("as a mail", "")
	other := arrival(strings.Repeat("1", 40), "s")
	older(identity{revision: other.Revision})
	d.hand(other)
	d.tells("of no repository", "src: jane src main 111111111111 s")
	d.now = d.now.Add(memoryTime + time.Minute)
	if err := d.Seen.expire(d.now.Add(-memoryTime)); err != nil {
		t.Fatal(err)
	}
	d.hand(c)
	d.tells("a month later", "src: jane src main 0a1b2c3d4e5f s")
}

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

// One process at a time can open the seen store.
func TestSeenStoreInUse(t *testing.T) {
	d := newFixture(t)
	if _, err := OpenSeenStore(d.state, d.now, d.Log); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
	if broken := DamagedSeenStores(d.state); broken != nil {
		t.Errorf("renamed %v", broken)
	}
}

// pageSize is the page size of databases on this machine.
var pageSize = os.Getpagesize()

// garbage is an invalid page header. far holds numbers that point beyond the end of
// the file.
var garbage, far = []byte{0xa5, 0x17, 0xff}, []byte{0, 0, 0, 0x20}

// overwrite fills a part of a file with repetitions of what.
func overwrite(what, data []byte, from, to int) []byte {
	copy(data[from:min(to, len(data))], bytes.Repeat(what, len(data)))
	return data
}

// spoil records enough for many pages, and changes the file of the seen store while
// it is closed.
func spoil(d *fixture, change func([]byte) []byte) (spoiled []byte) {
	d.t.Helper()
	var announced []identity
	for i := range 1000 {
		announced = append(announced, identity{repository: "src", revision: fmt.Sprintf("r%d", i+1), branch: "main"})
	}
	if err := d.Seen.record(d.now, announced, nil); err != nil {
		d.t.Fatal(err)
	}
	d.Seen.Close()
	d.Seen = nil
	path := filepath.Join(d.state, seenName)
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

// A damaged seen store is renamed; one in use is not.
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
		d := newFixture(t)
		data := spoil(d, change)
		d.restart()
		broken := DamagedSeenStores(d.state)
		if len(broken) != 1 || filepath.Base(broken[0]) != "announced.db.damaged-20261120T120000Z" || strings.Count(d.log.String(), "level=ERROR") != 1 {
			t.Fatalf("%s: renamed %v: %s", name, broken, d.log)
		}
		if kept, err := os.ReadFile(broken[0]); err != nil || !bytes.HasPrefix(kept, data) {
			t.Errorf("%s: not kept as it was: %v", name, err)
		}
		d.arrive(arrival(hashA, "s"))
		d.expect(name, "src: jane src main 0a1b2c3d4e5f s")
	}
	d := newFixture(t)
	d.Seen.Close()
	path := filepath.Join(d.state, seenName)
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o750)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSeenStore(d.state, d.now, d.Log); err == nil || len(DamagedSeenStores(d.state)) > 0 {
		t.Errorf("a directory: %v, renamed %v", err, DamagedSeenStores(d.state))
	}
}

// Whichever page is damaged, the Announcer starts and announces.
func TestSeenStoreBrokenPage(t *testing.T) {
	broken, pages := 0, 2
	for page := 0; page < pages; page++ {
		for what, from := range map[string]int{string(garbage): 0, "\x01" + string(garbage): 16, string(far): 16, "\x02": 1000} { // from its head, what it says of its items, these
			d := newFixture(t)
			data := spoil(d, func(data []byte) []byte {
				return overwrite([]byte(what), data, page*pageSize+from, (page+1)*pageSize)
			})
			pages = len(data) / pageSize
			d.restart()
			broken += len(DamagedSeenStores(d.state))
			d.clean(t.Context())
			d.arrive(arrival(hashA, "s"))
			d.expect(fmt.Sprintf("page %d from %d: %q", page, from, what), "src: jane src main 0a1b2c3d4e5f s")
		}
	}
	if broken == 0 || broken > 4*pages {
		t.Errorf("%d renamed, of %d pages", broken, pages)
	}
}

// A free page beyond the end of the file is not written to.
func TestSeenStoreBrokenFreelist(t *testing.T) {
	d := newFixture(t)
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
	if len(DamagedSeenStores(d.state)) != 1 {
		t.Error(d.log)
	}
	d.arrive(arrival(hashA, "s"))
	d.expect("afterwards", "src: jane src main 0a1b2c3d4e5f s")
}

// Entries of older versions, without a source, are still found, and do not silence a
// trusted source.
func TestSeenStoreOlderForm(t *testing.T) {
	d := newFixture(t)
	older := func(id identity) {
		err := d.Seen.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketTold).Put(id.key(), id.encode(d.now)[:8]) })
		if err != nil {
			t.Fatal(err)
		}
	}
	c := arrival(hashA, "s")
	older(identity{repository: "src", revision: hashA, branch: "main"})
	d.restart()
	d.arrive(c)
	d.expect("the same", "")
	c.Source = ""
	d.arrive(c)
	d.expect("as a mail", "")
	other := arrival(strings.Repeat("1", 40), "s")
	older(identity{revision: other.Revision})
	d.arrive(other)
	d.expect("of no repository", "src: jane src main 111111111111 s")
	d.now = d.now.Add(keepSeen + time.Minute)
	if err := d.Seen.expire(d.now.Add(-keepSeen)); err != nil {
		t.Fatal(err)
	}
	d.arrive(c)
	d.expect("a month later", "src: jane src main 0a1b2c3d4e5f s")
}

// The file of an earlier version, which had another name, is taken over.
func TestSeenStoreFormerName(t *testing.T) {
	d := newFixture(t)
	c := arrival(hashA, "s")
	d.arrive(c)
	d.expect("first", "src: jane src main 0a1b2c3d4e5f s")
	d.Seen.Close()
	if err := os.Rename(filepath.Join(d.state, seenName), filepath.Join(d.state, formerSeenName)); err != nil {
		t.Fatal(err)
	}
	d.Seen = nil
	d.restart()
	d.arrive(c)
	d.expect("after the rename", "")
	if _, err := os.Stat(filepath.Join(d.state, formerSeenName)); err == nil {
		t.Error("the former file is still there")
	}
}

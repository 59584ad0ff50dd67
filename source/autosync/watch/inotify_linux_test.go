package watch

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// raw returns a report as the kernel writes it.
func raw(wd int32, mask uint32, name string) []byte {
	padded := make([]byte, (len(name)+16)/16*16)
	if name == "" {
		padded = nil
	}
	copy(padded, name)
	data := binary.NativeEndian.AppendUint32(nil, uint32(wd))
	for _, n := range []uint32{mask, 0, uint32(len(padded))} {
		data = binary.NativeEndian.AppendUint32(data, n)
	}
	return append(data, padded...)
}

func TestParseReports(t *testing.T) {
	data := slices.Concat(
		raw(1, unix.IN_CREATE|unix.IN_ISDIR, "dir"), raw(2, unix.IN_CLOSE_WRITE, "a name of 16 byt"), raw(2, unix.IN_MOVED_FROM, "\xff"),
		raw(-1, unix.IN_Q_OVERFLOW, ""), raw(3, unix.IN_UNMOUNT, ""), raw(3, unix.IN_IGNORED, ""), raw(4, unix.IN_DELETE_SELF, ""), raw(5, unix.IN_ATTRIB, "x"))
	want := []report{
		{1, "dir", true, arrived}, {2, "a name of 16 byt", false, changed}, {2, "\xff", false, left},
		{-1, "", false, overflow}, {3, "", false, unmounted}, {3, "", false, ended}, {4, "", false, selfGone}, {5, "x", false, attributes},
	}
	if got, err := parseReports(nil, data); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v\nwant %v", got, err, want)
	}
	for _, cut := range []int{1, 15, 17, len(data) - 1} {
		if _, err := parseReports(nil, data[:cut]); err == nil {
			t.Errorf("%d bytes: no error", cut)
		}
	}
}

func FuzzParseReports(f *testing.F) {
	f.Add(raw(1, unix.IN_CREATE, "a"))
	f.Fuzz(func(t *testing.T, data []byte) { parseReports(nil, data) })
}

package commit

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestUTF16(t *testing.T) {
	for _, test := range []struct{ charset, in, want string }{
		{"UTF-16", "\x00M\x00F\x04\x2d", "MFЭ"},
		{"utf-16le", "M\x00F\x00\x2d\x04", "MFЭ"},
		{"utf-16", "\xff\xfeM\x00", "M"},
		{"utf-16le", "\xfe\xff\x00M", "M"},
		{"utf-16be", "\xd8\x3d\xde\x00\x00M", "😀M"},
		{"utf-16be", "\x00M\xd8\x3d", "M\ufffd"},
		{"utf-16be", "\x00M\x00", "M\ufffd"},
		{"utf-16be", "", ""},
	} {
		for _, in := range []io.Reader{strings.NewReader(test.in), iotest.OneByteReader(strings.NewReader(test.in))} {
			r, err := charsetReader(test.charset, in)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(iotest.OneByteReader(r)); string(got) != test.want || err != nil {
				t.Errorf("%s %q: %q, %v; want %q", test.charset, test.in, got, err, test.want)
			}
		}
	}
}

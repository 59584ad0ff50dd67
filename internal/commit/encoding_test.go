package commit

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Malformed mails are read. Each of these hid a trailer once.
func TestMistakes(t *testing.T) {
	const text = "foo: fix bar\n\nMFC after: 1 week\n"
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	trailers, _ := NewTrailers()
	for name, rest := range map[string]string{
		"empty charset":               "Content-Type: text/plain; charset=\n\n" + text,
		"charset of two words":        "Content-Type: text/plain; charset=us ascii\n\n" + text,
		"charset with a remark":       "Content-Type: text/plain; charset=utf-8 (Unicode)\n\n" + text,
		"no semicolon":                "Content-Type: text/plain charset=utf-8\n\n" + text,
		"type of the time before":     "Content-Type: text\n\n" + text,
		"quoted-printable, remark":    "Content-Transfer-Encoding: quoted-printable (so)\n\nfoo\n\nMFC=20after: 1 week\n",
		"quoted-printable, control":   "Content-Transfer-Encoding: quoted-printable\n\nfoo\f\n\nMFC=20after: 1 week\n",
		"quoted-printable, not so":    "Content-Transfer-Encoding: quoted-printable\n\n100 %=3 =zz\n\nMFC after: 1 week\n",
		"base64, foreign byte":        "Content-Transfer-Encoding: base64\n\n" + encoded[:5] + "!\n" + encoded[5:],
		"base64, two blocks":          "Content-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte("foo\n")) + "\n" + encoded,
		"base64, cut off":             "Content-Transfer-Encoding: base64\n\n" + strings.TrimRight(encoded, "="),
		"base64, a list's footer":     "Content-Transfer-Encoding: base64\n\n" + encoded + "\n____\nlist footer\n",
		"heading with equals signs":   "\nfoo\n" + strings.Repeat("=", 30) + "\n" + text,
		"heading with dashes":         "\nfoo\n" + strings.Repeat("-", 50) + "\n" + text,
		"a list in the message":       "\nAdded:\n- x\n" + text,
		"the driver re(4)":            "Subject: re: Add support for RTL8125\n\n" + text,
		"unknown transfer encoding":   "Content-Transfer-Encoding: none\n\n" + text,
		"a part without a boundary":   "Content-Type: multipart/mixed\n\n" + text,
		"the MIME of another charset": "Content-Type: text/plain; charset=x-unknown\n\n" + text,
	} {
		m := ReadMail(strings.NewReader("From: ida@example.org\nMessage-ID: <a@b>\n" + rest))
		asks := false
		for _, c := range m.Commits {
			_, ok := trailers.Request(c.Message)
			asks = asks || ok
		}
		if !asks {
			t.Errorf("%s: %q, %+v", name, m.Ignored, m.Commits)
		}
	}
}

func TestBase64Reader(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Zm9v": "foo", "Zm9vYg==": "foob", "Zm9vYmE=": "fooba", "Zm\n9\tv!": "foo", "Zm8=Zm9v": "fofoo", "Z": "", "Zg": "f",
	} {
		for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			got, err := io.ReadAll(wrap(&base64Reader{r: wrap(strings.NewReader(in))}))
			if string(got) != want || err != nil {
				t.Errorf("%q: %q, %v; want %q", in, got, err, want)
			}
		}
	}
}

// A line that is longer than any field, and all of it a name, is skipped.
func TestEndlessFieldName(t *testing.T) {
	for _, n := range []int{maxField - 1, maxField, maxField + 1, maxLine - 1, maxLine} {
		m := ReadMail(strings.NewReader("From: x@y\n" + strings.Repeat("a", n) + ": 1\nMessage-ID: <a@b>\n\nfoo\n\nMFC after: 1 week\n"))
		if len(m.Commits) != 1 || m.Commits[0].ID != "a@b" {
			t.Errorf("%d bytes: %q, %+v", n, m.Ignored, m.Commits)
		}
	}
}

// The cost of a huge header is linear in its size.
func TestHostileHeader(t *testing.T) {
	header := strings.Repeat("a:\n", 200_000) + strings.Repeat("from: x@y\nx-git-"+strings.Repeat("z", 9)+": 1\n", 50_000)
	m := ReadMail(strings.NewReader(header + "Message-ID: <a@b>\n\nfoo\n\nMFC after: 1 week\n"))
	if len(m.Commits) != 1 || m.Commits[0].ID != "a@b" || m.Commits[0].Sender != "x@y" {
		t.Errorf("%q, %+v", m.Ignored, m.Commits)
	}
	if n := len(m.Header.fields); n > maxFields+200 {
		t.Errorf("%d fields", n)
	}
}

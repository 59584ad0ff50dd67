package backport

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const hashA, hashB = "0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"

func TestReferences(t *testing.T) {
	for message, want := range map[string]string{
		"(cherry picked from commit " + hashA + ")":                                            "p" + hashA,
		"(Cherry Picked From Commit " + hashA + ")":                                            "p" + hashA,
		"(cherry picked from commit " + hashA + ")\n(cherry picked from commit " + hashB + ")": "p" + hashA + " p" + hashB,
		"MFC of " + hashA[:10] + ", a: change":                                                 "p" + hashA[:10],
		"MFC r123, r124 and r125: a: change":                                                   "pr123 pr124 pr125",
		"MFS r123:":                                                                            "pr123",
		"[ Upstream commit " + hashA + " ]":                                                    "p" + hashA,
		"commit " + hashA + " upstream.":                                                       "p" + hashA,
		"commit " + hashA + " was wrong":                                                       "",
		"This reverts commit " + hashA + ".":                                                   "r" + hashA,
		"This reverts commit " + hashA + ", reversing":                                         "r" + hashA,
		"This does not revert commit " + hashA:                                                 "",
		"Fixes: " + hashA[:12] + " (\"a: change\")":                                            "f" + hashA[:12],
		"fixes " + hashA[:7]:                                                                   "f" + hashA[:7],
		"Fixes: " + hashA[:6]:                                                                  "",
		"Fixes #1234567":                                                                       "",
		"Fixes: https://bugs.example.org/1234567":                                              "",
		"Fixes a bug in " + hashA:                                                              "",
		"Follow-up for " + hashA:                                                               "f" + hashA,
		"Follow-up to: " + hashA:                                                               "f" + hashA,
		"Fixup " + hashA[:8]:                                                                   "f" + hashA[:8],
		"This fixes r456.":                                                                     "fr456",
		"MFC with:\t" + hashA[:8] + ", " + hashB[:8]:                                           "w" + hashA[:8] + " w" + hashB[:8],
		"X-MFC-With: r12":                                                                      "wr12",
		"MFC after: 1 week":                                                                    "",
		"MFC to: stable/15":                                                                    "",
		"> (cherry picked from commit " + hashA + ")":                                          "",
		"    (cherry picked from commit " + hashA + ")":                                        "",
		"see (cherry picked from commit " + hashA + ")":                                        "",
		"Prefixes: " + hashA:                                                                   "",
		"(cherry picked from commit " + hashA + ")\r\n":                                        "p" + hashA,
	} {
		if got := words(newReader(Default).references([]byte(message))); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}

func words(refs []reference) string {
	var all []string
	for _, ref := range refs {
		all = append(all, string(ref.relation)+ref.revision)
	}
	return strings.Join(all, " ")
}

// Whatever a message says, its references are bounded, no reference comes twice, and the
// cache preserves them.
func FuzzReferences(f *testing.F) {
	f.Add("(cherry picked from commit " + hashA + ")\nFixes: " + hashB[:12] + "\n")
	f.Add("MFC r1, r2 and r3\nThis reverts commit " + hashA + ", reversing\nchanges made to " + hashB + ".\n")
	f.Add("git-svn-id: svn+ssh://svn.example.org/src/head@123 0-0\ncommit " + hashA + " upstream.")
	r := newReader(Default)
	f.Fuzz(func(t *testing.T, message string) {
		refs := r.references([]byte(message))
		if len(refs) > maxReferences {
			t.Errorf("%d references", len(refs))
		}
		for i, ref := range refs {
			if revisionOf(ref.revision) != ref.revision || slices.Contains(refs[:i], ref) {
				t.Errorf("%q", ref.revision)
			}
		}
		c := indexed{hash: hashA, refs: refs, number: svnNumber([]byte(message))}
		if got := reread(t, c); words(got.refs) != words(refs) || got.number != c.number {
			t.Errorf("from the cache: %v, and before: %v", got, c)
		}
	})
}

// Whatever a line of the cache has, it is refused, or read as what can be written and read.
func FuzzCacheLine(f *testing.F) {
	f.Add(hashA + " 0,1 1000 zz am r123 p" + hashB + " fr12")
	f.Add(hashA + "  1000 1 - -")
	f.Fuzz(func(t *testing.T, line string) {
		if c, ok := parseIndexed(line, 2); ok && !strings.Contains(line, "\n") {
			if got := reread(t, c); fmt.Sprint(got) != fmt.Sprint(c) {
				t.Errorf("%q: %v, and then %v", line, c, got)
			}
		}
	})
}

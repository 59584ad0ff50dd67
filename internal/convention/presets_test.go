package convention

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vext/internal/commit"
	"vext/internal/convention/asking"
)

// branchesOf has some branches of each project.
var branchesOf = map[string][]string{
	"freebsd-src":   {"main", "stable/9", "stable/13", "stable/14", "stable/15", "releng/14.3", "releng/15.0", "vendor/zlib"},
	"freebsd-ports": {"main", "2026Q2", "2026Q3", "2026Q4"},
	"dragonfly":     {"master", "DragonFly_RELEASE_6_2", "DragonFly_RELEASE_6_4"},
	"linux":         {"master", "linux-2.6.32.y", "linux-3.3.y", "linux-5.15.y", "linux-6.6.y", "linux-6.12.y", "linux-6.18.y"},
	"mesa":          {"main", "staging/23.3", "staging/24.0", "staging/24.1", "24.1"},
	"qemu":          {"master", "staging", "stable-8.2", "stable-9.2", "stable-10.0"},
	"qt":            {"dev", "6.5", "6.8", "6.9", "6.10", "6.10.1", "wip/x"},
	"postgresql":    {"master", "REL9_5_STABLE", "REL9_6_STABLE", "REL_13_STABLE", "REL_14_STABLE", "REL_15_STABLE", "REL_16_STABLE", "REL_17_STABLE"},
	"asterisk":      {"master", "18", "20", "21", "22", "23", "certified/20.7", "releases/22"},
	"plain":         {"main", "stable/1", "stable/2"},
}

// What commits of each project ask for: the period, the branches, and what else there is.
// "" is no request; a period in brackets is that of the convention.
var asked = []struct{ convention, message, period, targets, rest string }{
	{"freebsd-src", "MFC after:\t1 week", "1 week", "stable/15 stable/14", ""},
	{"freebsd-src", "MFC after: 3 days\nMFC to: stable/14", "3 days", "stable/14", ""},
	{"freebsd-src", "MFC after: 3 days\nX-MFC-To: stable/13, stable/15", "3 days", "stable/15 stable/13", ""},
	{"freebsd-src", "MFC after: 3 days\nMFC to:\t14.3", "3 days", "releng/14.3", ""},
	{"freebsd-src", "MFC after: 3 days\nMFC-to: 13-STABLE", "3 days", "stable/13", ""},
	{"freebsd-src", "MFC after: 3 days\nMFC to: 16", "3 days", "stable/16", ""}, // not there yet
	{"freebsd-src", "MFC after: 3 days\nMFC to: stable/14 (if possible)", "3 days", "stable/14", ""},
	{"freebsd-src", "MFC after: 2 weeks\nX-MFC-With: r335765\nMFC with: f3ab0d86e807", "2 weeks", "stable/15 stable/14", "with r335765 f3ab0d86e807"},
	{"freebsd-src", "MFC after: 2 weeks\nX-MFC with: r364303 (which missed this)", "2 weeks", "stable/15 stable/14", "with r364303"},
	{"freebsd-src", "MFC to: stable/14", "", "stable/14", ""},
	{"freebsd-src", "Pick-to: 6.8", "", "stable/15 stable/14", ""},
	{"freebsd-src", "Cc: stable@vger.kernel.org", "", "stable/15 stable/14", ""},

	{"freebsd-ports", "MFH: 2026Q4", "[3 days]", "2026Q4", ""},
	{"freebsd-ports", "MFH:\t\t2026Q4 (blanket, build fix)", "[3 days]", "2026Q4", ""},
	{"freebsd-ports", "MFH: No", "", "2026Q4", ""},
	{"freebsd-ports", "MFH: r123456", "", "2026Q4", ""},

	{"dragonfly", "MFC: After 3 days.", "3 days", "DragonFly_RELEASE_6_4", ""},
	{"dragonfly", "MFC: 1 week\nMFC to: 6.2", "1 week", "DragonFly_RELEASE_6_2", ""},
	{"dragonfly", "MFC: 2006/04/03", "3 Apr 2006", "DragonFly_RELEASE_6_4", ""},
	{"dragonfly", "MFC: 296348", "", "DragonFly_RELEASE_6_4", ""},

	{"linux", "Cc: stable@vger.kernel.org", "[1 week]", "linux-6.18.y linux-6.12.y linux-6.6.y", ""},
	{"linux", "Cc: <stable@vger.kernel.org> # 3.3.x", "[1 week]", "linux-6.18.y linux-6.12.y linux-6.6.y", "from 3.3"},
	{"linux", "CC: stable@kernel.org # v6.6+", "[1 week]", "linux-6.18.y linux-6.12.y linux-6.6.y", "from 6.6"},
	{"linux", "Cc: stable@vger.kernel.org # >= 6.12", "[1 week]", "linux-6.18.y linux-6.12.y", "from 6.12"},
	{"linux", "Cc: stable@vger.kernel.org # 6.12.x", "[1 week]", "linux-6.18.y linux-6.12.y", "from 6.12"},
	{"linux", "Cc: <stable@vger.kernel.org>\n  # 6.12+", "[1 week]", "linux-6.18.y linux-6.12.y", "from 6.12"},
	{"linux", "Cc: stable@vger.kernel.org # after -rc4", "[1 week]", "linux-6.18.y linux-6.12.y linux-6.6.y", "tag -rc4"},
	{"linux", "Cc: <stable@vger.kernel.org> # after 4 weeks in mainline", "4 weeks", "linux-6.18.y linux-6.12.y linux-6.6.y", ""},
	{"linux", "Cc: <stable@vger.kernel.org> # after 6 weeks in a stable mainline release", "6 weeks", "linux-6.18.y linux-6.12.y linux-6.6.y", "tag release"},
	{"linux", "Cc: <stable@vger.kernel.org> # 6.12+ after -rc3", "[1 week]", "linux-6.18.y linux-6.12.y", "from 6.12, tag -rc3"},
	{"linux", "Cc: <stable@vger.kernel.org> # see patch description, needs adjustments for <= 6.3", "[1 week]", "linux-6.18.y linux-6.12.y linux-6.6.y", ""},
	{"linux", "Cc: <stable@vger.kernel.org> # 3.3.x: a1f84a3: sched: Check for idle\n" +
		"Cc: <stable@vger.kernel.org> # 3.3.x: 1b9508f: sched: Rate-limit newidle\n" +
		"Cc: <stable@vger.kernel.org> # 3.3.x: fd21073: sched: Fix affinity logic\n" +
		"Cc: <stable@vger.kernel.org> # 3.3.x", "[1 week]", "linux-6.18.y linux-6.12.y linux-6.6.y",
		"from 3.3, needs a1f84a3 1b9508f fd21073"},
	{"linux", "Cc: <stable+noautosel@kernel.org> # reason goes here", "", "linux-6.18.y linux-6.12.y linux-6.6.y", ""},
	{"linux", "Cc: linux-stable@vger.kernel.org", "", "linux-6.18.y linux-6.12.y linux-6.6.y", ""},
	{"linux", "Cc: Ida <ida@example.org>\nFixes: 0123456789ab (\"sched: x\")", "", "linux-6.18.y linux-6.12.y linux-6.6.y", ""},
	{"linux", "Cc: stable@vger.kernel.org\nBackport-after: 3 weeks", "3 weeks", "linux-6.18.y linux-6.12.y linux-6.6.y", ""},

	{"mesa", "Cc: mesa-stable", "[1 week]", "staging/24.1 staging/24.0", ""},
	{"mesa", "Cc: 24.1 mesa-stable", "[1 week]", "staging/24.1", ""},
	{"mesa", "CC: \"24.0\" \"24.1\" <mesa-stable@lists.freedesktop.org>", "[1 week]", "staging/24.1 staging/24.0", ""},
	{"mesa", "Backport-to: 24.1", "[1 week]", "staging/24.1", ""},
	{"mesa", "Backport-to: 24.*", "[1 week]", "staging/24.1 staging/24.0", ""},
	{"mesa", "Backport-to: none", "", "staging/24.1 staging/24.0", ""},
	{"mesa", "Cc: ida@example.org", "", "staging/24.1 staging/24.0", ""},

	{"qemu", "Cc: qemu-stable@nongnu.org", "[1 week]", "stable-10.0 stable-9.2", ""},
	{"qemu", "Cc: QEMU Stable <qemu-stable@nongnu.org>", "[1 week]", "stable-10.0 stable-9.2", ""},
	{"qemu", "Cc: qemu-devel@nongnu.org", "", "stable-10.0 stable-9.2", ""},

	{"qt", "Pick-to: 6.10 6.9 6.8", "[1 week]", "6.10 6.9 6.8", ""},
	{"qt", "Pick-to: 6.8\nPick-to: 6.5", "[1 week]", "6.8 6.5", ""},
	{"qt", "Pick-to: 6.11", "[1 week]", "6.11", ""},
	{"qt", "Change-Id: I0123456789abcdef", "", "6.10 6.9", ""},

	{"postgresql", "Backpatch-through: 14", "[1 week]", "REL_17_STABLE REL_16_STABLE REL_15_STABLE REL_14_STABLE", "from 14"},
	{"postgresql", "Backpatch-through: 9.5, where the bug came in", "[1 week]", "REL_17_STABLE REL_16_STABLE REL_15_STABLE REL_14_STABLE REL_13_STABLE", "from 9.5"},
	{"postgresql", "Backpatch-through: 17", "[1 week]", "REL_17_STABLE", "from 17"},
	{"postgresql", "Discussion: https://example.org/14", "", "REL_17_STABLE REL_16_STABLE REL_15_STABLE REL_14_STABLE REL_13_STABLE", ""},

	{"asterisk", "cherry-pick-to: 22", "[1 week]", "22", ""},
	{"asterisk", "cherry-pick-to: 20\ncherry-pick-to: 21\ncherry-pick-to: certified/20.7", "[1 week]", "21 certified/20.7 20", ""},
	{"asterisk", "cherry-pick-to: none", "", "23 22 21", ""},

	{"plain", "Backport-after: 2 weeks", "2 weeks", "", ""},
	{"plain", "Backport-after: 2 weeks\nBackport-to: stable/2\nBackport-with: 0123456789ab", "2 weeks", "stable/2", "with 0123456789ab"},
	{"plain", "Backport-to: stable/2", "", "stable/2", ""},
}

func TestAsk(t *testing.T) {
	for _, test := range asked {
		c, err := Load(test.convention)
		if err != nil {
			t.Fatal(err)
		}
		message := "foo: fix bar\n\nWhy.\n\n" + test.message + "\nSigned-off-by: Ida <ida@example.org>\n"
		r, ok := c.Ask(message)
		if got := words(r, ok); got != test.period {
			t.Errorf("%s: %q: asks for %q (%v), want %q", test.convention, test.message, got, r.Err, test.period)
		}
		branches := branchesOf[test.convention]
		if got := strings.Join(c.Targets(r, branches), " "); got != test.targets {
			t.Errorf("%s: %q: to %q, want %q", test.convention, test.message, got, test.targets)
		}
		if got := rest(r); got != test.rest {
			t.Errorf("%s: %q: %q, want %q", test.convention, test.message, got, test.rest)
		}
		if c.Asks([]byte(message)) != ok {
			t.Errorf("%s: %q: Asks differs from Ask", test.convention, test.message)
		}
		// The filter finds the same.
		usual, err := commit.NewTrailers()
		if err != nil {
			t.Fatal(err)
		}
		set, err := asking.With(usual, test.convention)
		if err != nil {
			t.Fatal(err)
		}
		if own, asks := set.Request(message); asks != ok || own != r.Request {
			t.Errorf("%s: %q: the filter finds %+v", test.convention, test.message, own)
		}
	}
}

func words(r Request, ok bool) string {
	switch {
	case !ok:
		return ""
	case r.ByDefault:
		return "[" + r.Period.String() + "]"
	}
	return r.Period.String()
}

func rest(r Request) string {
	var all []string
	if r.Oldest != "" {
		all = append(all, "from "+r.Oldest)
	}
	if r.AfterTag != "" {
		all = append(all, "tag "+r.AfterTag)
	}
	if len(r.Needs) > 0 {
		line := "needs"
		for _, p := range r.Needs {
			line += " " + p.Revision
		}
		all = append(all, line)
	}
	if len(r.With) > 0 {
		all = append(all, "with "+strings.Join(r.With, " "))
	}
	return strings.Join(all, ", ")
}

// The word for the subject of a reminder is the project's.
func TestWord(t *testing.T) {
	for name, test := range map[string][2]string{
		"linux":       {"Cc: stable@vger.kernel.org", "Backport"},
		"qt":          {"Pick-to: 6.8", "Pick"},
		"freebsd-src": {"MFC after: 1 week", "MFC"},
	} {
		c, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if r, _ := c.Ask(test[0]); r.Word() != test[1] {
			t.Errorf("%s: %q", name, r.Word())
		}
	}
}

func TestReached(t *testing.T) {
	for _, test := range []struct {
		waits string
		tags  []string
		want  bool
	}{
		{"", nil, true},
		{"-rc4", nil, false},
		{"-rc4", []string{"v6.18-rc3"}, false},
		{"-rc4", []string{"v6.18-rc3", "v6.18-rc4"}, true},
		{"-rc4", []string{"v6.18-rc10"}, true},
		{"-rc4", []string{"v6.18"}, true},
		{"-rc4", []string{"next"}, false},
		{Release, []string{"v6.18-rc7"}, false},
		{Release, []string{"v6.18-rc7", "v6.18"}, true},
	} {
		if got := Reached(test.waits, test.tags); got != test.want {
			t.Errorf("%q, %q: %v", test.waits, test.tags, got)
		}
	}
}

// What is wrong in a table is said in one line.
func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"verbs = 1": "line 1: unknown key verbs",
		"verb = 1":  "line 1, column 8: ",
		"[[trailer]]\nname = \"A\"\nvalue = \"x\"":            `trailer "A": value: "x" is none of`,
		"[[trailer]]\nname = \"a:b\"\nvalue = \"targets\"":    "not a trailer's name",
		"[[trailer]]\nname = \"\"\nvalue = \"period\"":        "not a trailer's name",
		"branch = [\"stable\"]":                               "branch: \"stable\": needs one %s",
		"period = \"soon\"":                                   "period: \"soon\": not a period",
		"supported = -1":                                      "supported: -1:",
		"[[trailer]]\nname = \"A\"\nvalue = \"targets\"\nx=1": "unknown key trailer.x",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// No message of a stranger makes Ask or Targets fail, and both stay bounded.
func FuzzAsk(f *testing.F) {
	for _, test := range asked {
		f.Add(test.message)
	}
	var all []*Convention
	for _, name := range Names() {
		c, err := Load(name)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, c)
	}
	f.Fuzz(func(t *testing.T, message string) {
		message = strings.ReplaceAll(message, "\r", "\n") // as commit.Commit has it
		for _, c := range all {
			r, ok := c.Ask(message)
			if c.Asks([]byte(message)) != ok {
				t.Errorf("%s: Asks differs from Ask: %v", c.Name, ok)
			}
			targets := c.Targets(r, branchesOf[c.Name])
			if len(r.Targets) > maxTargets || len(r.Needs) > maxCommits || len(r.With) > maxCommits {
				t.Errorf("%s: %d targets, %d needs, %d with", c.Name, len(r.Targets), len(r.Needs), len(r.With))
			}
			if sorted := slices.Compact(slices.Sorted(slices.Values(targets))); len(sorted) != len(targets) {
				t.Errorf("%s: %q: a branch twice", c.Name, fmt.Sprint(targets))
			}
		}
	})
}

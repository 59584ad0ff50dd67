package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
)

// A madeCommit is a commit of a made history.
type madeCommit struct {
	hash, message string
	at            time.Time
}

// A madeHistory is a bare repository with main and stable/15. Its commits change no files:
// only what their messages say is compared.
type madeHistory struct {
	t            *testing.T
	dir, tree    string
	main, stable []madeCommit
	at           time.Time
}

func (h *madeHistory) git(stdin string, args ...string) string {
	h.t.Helper()
	cmd := exec.Command(testkit.Program(h.t, "git"), append([]string{"--git-dir=" + h.dir}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	date := fmt.Sprintf("%d +0000", h.at.Unix())
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date,
		"GIT_AUTHOR_NAME=Jane", "GIT_AUTHOR_EMAIL=jane@example.org", "GIT_COMMITTER_NAME=Jane", "GIT_COMMITTER_EMAIL=jane@example.org")
	out, err := cmd.Output()
	check(h.t, err)
	return strings.TrimSpace(string(out))
}

// commit adds a commit to a branch.
func (h *madeHistory) commit(branch *[]madeCommit, parent, message string) string {
	h.at = h.at.Add(5 * time.Hour)
	args := []string{"commit-tree", h.tree}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	hash := h.git(message, args...)
	*branch = append(*branch, madeCommit{hash, message, h.at})
	return hash
}

// makeHistory makes n commits on main, of which some ask, fix and revert others, and picks
// some of them.
func makeHistory(t *testing.T, n int) *madeHistory {
	h := &madeHistory{t: t, dir: filepath.Join(t.TempDir(), "src.git"), at: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}
	h.git("", "init", "--quiet", "--bare", "--initial-branch=main", h.dir)
	h.tree = h.git("", "mktree")
	random := rand.New(rand.NewPCG(13, 1))
	var start []madeCommit
	base := h.commit(&start, "", "start")
	tip, reverted := base, 0
	for i := range n {
		message := fmt.Sprintf("a: change %d\n\nBecause of %d.\n\n", i, i)
		if i > 0 {
			other := h.main[random.IntN(i)].hash
			switch random.IntN(10) {
			case 0, 1:
				message += fmt.Sprintf("Fixes:\t%s (\"a: change\")\n", other[:12])
			case 2:
				message += "MFC-with: " + other + "\n"
			case 3:
				message += "MFC with: " + other[:10] + "\n"
			case 4:
				reverted++
				message = fmt.Sprintf("Revert %d\n\nThis reverts commit %s.\n\n", i, other)
			}
		}
		if random.IntN(2) == 0 {
			message += fmt.Sprintf("MFC after:\t%d %s\n", 1+random.IntN(3), []string{"days", "weeks", "day", "week", "month"}[random.IntN(5)])
		}
		tip = h.commit(&h.main, tip, message)
	}
	h.git("", "update-ref", "refs/heads/main", tip)
	tip = base
	for i := 0; i < n; i++ {
		if random.IntN(3) != 0 {
			continue
		}
		message := h.main[i].message + "\n(cherry picked from commit " + h.main[i].hash + ")\n"
		if i+1 < n && random.IntN(6) == 0 { // two in one
			i++
			message += "(cherry picked from commit " + h.main[i].hash + ")\n"
		}
		tip = h.commit(&h.stable, tip, message)
	}
	h.git("", "update-ref", "refs/heads/stable/15", tip)
	return h
}

// The rules of FreeBSD's git-mfc, of June 2026.
var (
	mfcPicked   = regexp.MustCompile(`(?m)^\(cherry picked from commit ([0-9a-f]{40})`)
	mfcReverted = regexp.MustCompile(`(?m)^This reverts commit ([0-9a-f]{40})\.`)
	mfcFixes    = regexp.MustCompile(`(?m)^(?:Fixes|MFC-with|MFC with):\s*([0-9a-f]{7,40})\b`)
	mfcAfter    = regexp.MustCompile(`(?m)^MFC after:\s*([0-9]+) (day|week|month)s?$`)
)

// mfc returns the commits that git-mfc --pending, --baking and --dangling list.
func (h *madeHistory) mfc(now time.Time) (pending, baking, dangling []string) {
	picked, reverted := map[string]bool{}, map[string]bool{}
	for _, c := range h.stable {
		for _, m := range mfcPicked.FindAllStringSubmatch(c.message, -1) {
			picked[m[1]] = true
		}
	}
	for _, c := range h.main {
		for _, m := range mfcReverted.FindAllStringSubmatch(c.message, -1) {
			reverted[m[1]] = true
		}
	}
	for _, c := range h.main {
		if picked[c.hash] || reverted[c.hash] {
			continue
		}
		if m := mfcAfter.FindStringSubmatch(c.message); m != nil {
			n, _ := strconv.Atoi(m[1])
			days := n * map[string]int{"day": 1, "week": 7, "month": 30}[m[2]]
			if c.at.Add(time.Duration(days) * 24 * time.Hour).After(now) {
				baking = append(baking, c.hash)
			} else {
				pending = append(pending, c.hash)
			}
		}
		for _, m := range mfcFixes.FindAllStringSubmatch(c.message, -1) {
			fixed := slices.IndexFunc(h.main, func(c madeCommit) bool { return strings.HasPrefix(c.hash, m[1]) })
			if picked[h.main[fixed].hash] && !slices.Contains(dangling, c.hash) {
				dangling = append(dangling, c.hash)
			}
		}
	}
	return pending, baking, dangling
}

// pending returns what vext pending lists, commits and their fixes.
func (h *madeHistory) pending(now time.Time, flags ...string) map[string]bool {
	h.t.Helper()
	args := append([]string{"pending", "-C", h.dir, "--json", "--now", now.Format(time.RFC3339)}, flags...)
	cmd := exec.Command(filepath.Join(testkit.Programs(h.t), "vext"), args...)
	cmd.Env = append(os.Environ(), "VEXT_CONFIG="+os.DevNull, "VEXT_STATE="+h.t.TempDir())
	out, err := cmd.Output()
	check(h.t, err)
	var items []struct {
		Revision string
		Fixes    []struct{ Revision string }
	}
	check(h.t, json.Unmarshal(out, &items))
	all := map[string]bool{}
	for _, item := range items {
		all[item.Revision] = true
		for _, fix := range item.Fixes {
			all[fix.Revision] = true
		}
	}
	return all
}

// Everything that git-mfc lists is in vext pending.
func TestPendingAsGitMFC(t *testing.T) {
	testkit.Program(t, "git")
	h := makeHistory(t, 300)
	now := h.main[len(h.main)-1].at
	pending, baking, dangling := h.mfc(now)
	if len(pending) < 20 || len(baking) < 5 || len(dangling) < 5 {
		t.Fatalf("the history has %d pending, %d baking, %d dangling", len(pending), len(baking), len(dangling))
	}
	all := h.pending(now)
	for what, list := range map[string][]string{"pending": pending, "baking": baking, "dangling": dangling} {
		for _, hash := range list {
			if !all[hash] {
				t.Errorf("%s: %s is missing\n%s", what, hash, h.git("", "log", "-1", "--format=%B", hash))
			}
		}
	}
	// A month is one of the calendar here, and 30 days there.
	ready := h.pending(now, "--ready")
	for _, hash := range pending {
		if !ready[hash] && !strings.Contains(h.git("", "log", "-1", "--format=%B", hash), "month") {
			t.Errorf("%s is not ready", hash)
		}
	}
}

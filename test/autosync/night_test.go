package autosync

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/machines"
)

// nightTime is how long the night lasts; VEXT_TEST_NIGHT sets another time ("2h").
const nightTime = 10 * time.Minute

// Three machines edit, rename and delete at random, with git used by hand in between, peers
// cut off, killed and started again, a full disk and a wrong clock. At the end all are
// equal, and every line that anybody has written is in the history of the server.
func TestNight(t *testing.T) {
	if testing.Short() {
		t.Skip("it lasts ten minutes")
	}
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("VEXT_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	lasts := nightTime
	if s := os.Getenv("VEXT_TEST_NIGHT"); s != "" {
		var err error
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("VEXT_TEST_SEED=%d VEXT_TEST_NIGHT=%s", seed, lasts)
	n := &night{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), lines: map[string]string{}, counts: map[string]int{}, begun: time.Now(),
		w: machines.New(t, machines.Options{Machines: 3, SSH: true, Table: nightTable, Files: map[string]string{"start": "start\n"}}),
	}
	n.smallDisk(n.w.All[2])
	t.Cleanup(n.report) // while that disk is there
	n.w.All[1].Programs = testkit.ClockedPrograms(t)
	n.w.Start()
	for end := n.begun.Add(lasts); time.Now().Before(end) && !t.Failed(); {
		for calm := time.Now().Add(calmEvery); time.Now().Before(end) && time.Now().Before(calm) && !t.Failed(); {
			n.step()
			time.Sleep(time.Duration(n.random.IntN(400)) * time.Millisecond)
		}
		n.calm()
	}
	n.w.Stop()
	n.w.Check()
}

const (
	nightTable = "quiet = \"300ms\"\npush_after = \"500ms\"\npull_every = \"3s\"\nlongest = \"5s\"\n"
	// calmEvery is the time after which everything is brought back, and must become equal.
	calmEvery = 100 * time.Second
	// calmPatience is how long that may take: a pause after failures may be over a minute
	// long, and other tests take all of the machine.
	calmPatience = 4 * time.Minute
)

// A night is the state of the test.
type night struct {
	t       *testing.T
	w       *machines.World
	random  *rand.Rand
	written int
	lines   map[string]string // each line, and where it was written
	cut     bool              // the server is away
	full    bool              // the small disk is full
	bigs    int               // big files that were written
	counts  map[string]int
	begun   time.Time
	done    []string // what was done, and when
}

// diskSize is the size of that disk. It becomes full by being made smaller.
const diskSize = "1g"

// smallDisk puts the tree of a machine on a disk that can be filled.
func (n *night) smallDisk(m *machines.Machine) {
	if os.Getuid() != 0 {
		return
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+diskSize, "tmpfs", m.Home+"/run").CombinedOutput(); err != nil {
		n.t.Logf("no disk of its own: %s", out)
		return
	}
	n.t.Cleanup(func() { exec.Command("umount", "-l", m.Home+"/run").Run() })
	m.Sh("chmod 700 ../run; cp -a . ../run/tree")
	if err := os.RemoveAll(m.Tree); err != nil {
		n.t.Fatal(err)
	}
	m.Tree = m.Home + "/run/tree"
	m.Configure(nightTable, "")
}

// step does one random thing.
func (n *night) step() {
	m := n.w.All[n.random.IntN(3)]
	kinds := []struct {
		weight int
		name   string
		do     func(*machines.Machine)
	}{
		{40, "edit", n.edit}, {10, "create", n.create}, {6, "rename", n.rename}, {5, "remove", n.remove},
		{3, "directory", n.directory}, {1, "big", n.big}, {3, "hand", n.hand}, {2, "kill", n.kill},
		{2, "restart", n.restart}, {2, "cut", n.cutOff}, {1, "full", n.fill}, {1, "clock", n.clock}, {2, "mode", n.mode},
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	pick := n.random.IntN(total)
	for _, k := range kinds {
		if pick -= k.weight; pick < 0 {
			n.counts[k.name]++
			k.do(m)
			return
		}
	}
}

// line returns a line that nobody has written before.
func (n *night) line(m *machines.Machine, name string) string {
	n.written++
	return fmt.Sprintf("line %d of %s in %s", n.written, m.Name, filepath.Base(name))
}

// keep notes that a line is on a disk.
func (n *night) keep(m *machines.Machine, name, line string) { n.lines[line] = m.Name + ": " + name }

// files returns the files of a tree.
func (n *night) files(m *machines.Machine) []string {
	out, _ := m.Try("find . -name .git -prune -o -type f -print | sed 's,^./,,' | LC_ALL=C sort")
	return strings.Split(out, "\n")
}

// pick returns a file that is no copy of a conflict: whoever edits a copy on two machines
// makes copies of copies.
func (n *night) pick(m *machines.Machine) string {
	files := slices.DeleteFunc(n.files(m), func(name string) bool { return strings.Contains(name, " (conflict ") })
	if len(files) == 0 {
		return ""
	}
	return files[n.random.IntN(len(files))]
}

// pickAny returns any file.
func (n *night) pickAny(m *machines.Machine) string {
	files := n.files(m)
	return files[n.random.IntN(len(files))]
}

// edit adds a line to a file, at its end or somewhere: as an editor does, which writes
// another file and renames it, or in place.
func (n *night) edit(m *machines.Machine) {
	name := n.pick(m)
	data, err := os.ReadFile(m.Path(name))
	if err != nil || name == "" || len(data) > 1<<16 {
		return
	}
	all, line := strings.SplitAfter(string(data), "\n"), n.line(m, name)
	at := n.random.IntN(len(all) + 1)
	if n.random.IntN(2) == 0 {
		at = len(all) - 1
	}
	text := strings.Join(all[:at], "") + line + "\n" + strings.Join(all[at:], "")
	path := m.Path(name)
	how := n.random.IntN(3)
	if n.full && m == n.w.All[2] {
		how = 1 // writing in place would lose what is there
	}
	switch how {
	case 0:
		err = os.WriteFile(path, []byte(text), 0o644)
	case 1:
		temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".swp")
		if err = os.WriteFile(temporary, []byte(text), 0o644); err == nil {
			err = os.Rename(temporary, path)
		}
		os.Remove(temporary)
	case 2:
		var f *os.File
		if f, err = os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			_, err = f.WriteString(line + "\n")
			f.Close()
		}
	}
	n.note(m, "edit %q by way %d: %q: %v", name, how, line, err)
	// Behind what a full disk has cut off without a line end, such as a big file, it is no line
	// of its own, which is what checkLines looks for.
	if err == nil && slices.Contains(strings.Split(m.Read(name), "\n"), line) {
		n.keep(m, name, line)
	}
}

func (n *night) create(m *machines.Machine) {
	names := []string{"notes", "a/notes", "a/b/notes", "photos/p", "é/ü", "with blank/x"}
	name := fmt.Sprintf("%s%d.md", names[n.random.IntN(len(names))], n.random.IntN(30))
	if _, err := os.Lstat(m.Path(name)); err == nil {
		return
	}
	line := n.line(m, name)
	n.note(m, "create %q: %q", name, line)
	if os.MkdirAll(filepath.Dir(m.Path(name)), 0o755) == nil && os.WriteFile(m.Path(name), []byte(line+"\n"), 0o644) == nil {
		n.keep(m, name, line)
	}
}

func (n *night) rename(m *machines.Machine) {
	from := n.pick(m)
	to := fmt.Sprintf("moved/%d%s", n.random.IntN(40), filepath.Ext(from))
	if _, err := os.Lstat(m.Path(to)); err != nil && os.MkdirAll(m.Path("moved"), 0o755) == nil {
		n.note(m, "rename %q to %q: %v", from, to, os.Rename(m.Path(from), m.Path(to)))
	}
}

// remove removes a file whose content is committed: what was never committed cannot be in
// the history.
func (n *night) remove(m *machines.Machine) {
	name := n.pickAny(m)
	if n.isCommitted(m, name) {
		n.note(m, "remove %q: %v", name, os.Remove(m.Path(name)))
	}
}

func (n *night) isCommitted(m *machines.Machine, name string) bool {
	_, err := m.Try("git diff --quiet HEAD -- " + quote(name) + " && git cat-file -e HEAD:" + quote(name))
	return err == nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// directory renames a directory.
func (n *night) directory(m *machines.Machine) {
	name := filepath.Dir(n.pick(m))
	if name == "." || strings.HasPrefix(name, "dir") {
		return
	}
	to := fmt.Sprintf("dir%d", n.random.IntN(10))
	n.note(m, "rename directory %q to %q: %v", name, to, os.Rename(m.Path(name), m.Path(to)))
}

// maxBigs bounds the space that a long night takes.
const maxBigs = 100

func (n *night) big(m *machines.Machine) {
	if n.bigs++; n.bigs > maxBigs {
		return
	}
	n.note(m, "big")
	m.Try(fmt.Sprintf("head -c 1000000 /dev/urandom >big%d", n.random.IntN(2)))
}

func (n *night) mode(m *machines.Machine) {
	name, mode := n.pick(m), 0o644|os.FileMode(n.random.IntN(2))*0o111
	n.note(m, "mode %v of %q: %v", mode, name, os.Chmod(m.Path(name), mode))
}

// hand is a person who uses git. It loses nothing by itself: no reset --hard, no force.
func (n *night) hand(m *machines.Machine) {
	scripts := []string{
		"git add -A; git commit -qm 'by hand'", "git commit -qam 'by hand'", "git status", "git gc -q", "git fetch -q",
		"git pull -q --no-rebase --no-edit || git merge --abort", "git push -q",
		"git pull -q --rebase || git rebase --abort", "git tag -f by-hand", "git pack-refs --all", "git commit -q --amend --no-edit",
		"git commit -q --allow-empty -m empty", "git checkout -q --detach; sleep 1; git checkout -q main",
	}
	script := scripts[n.random.IntN(len(scripts))]
	out, err := m.Try(script)
	n.note(m, "%s: %v %s", script, err, out)
}

func (n *night) kill(m *machines.Machine) {
	if m.Running() {
		n.note(m, "kill")
		m.Kill()
	}
	if n.random.IntN(2) == 0 {
		n.note(m, "start")
		m.Launch()
	}
}

func (n *night) restart(m *machines.Machine) {
	n.note(m, "restart")
	if m.Running() {
		m.Stop()
	}
	m.Launch()
}

// cutOff takes the server away, or brings it back.
func (n *night) cutOff(m *machines.Machine) {
	n.note(m, "server away: %t", !n.cut)
	if n.cut {
		n.w.SSH.Restart()
	} else {
		n.w.SSH.Stop()
	}
	n.cut = !n.cut
}

// fill fills the disk of the third machine, or makes room again.
func (n *night) fill(*machines.Machine) {
	m := n.w.All[2]
	if m.Tree == m.Home+"/tree" {
		return
	}
	size := diskSize
	if !n.full {
		size = "$(df -k --output=used .. | tail -n 1 | tr -d ' ')k"
	}
	out, err := m.Try("mount -o remount,size=" + size + " " + filepath.Dir(m.Tree))
	n.note(m, "full: %t %s %v", !n.full, out, err)
	n.full = !n.full
}

// clock starts the second machine again with another time of day.
func (n *night) clock(*machines.Machine) {
	m := n.w.All[1]
	n.note(m, "clock")
	if m.Running() {
		m.Stop()
	}
	m.Env = append(m.Env, testkit.AtTime(time.Now().Add(time.Duration(n.random.IntN(200)-100)*time.Hour)))
	m.Launch()
}

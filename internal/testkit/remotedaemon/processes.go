package remotedaemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mark is a variable that the daemons of a world and what they start have in their
// environment.
const mark = "VEXT_TEST_WORLD"

// A Process is one that a daemon has started, or the daemon.
type Process struct {
	PID, Parent int
	Command     string
	IsZombie    bool
}

// Processes returns the processes of the world that run, also those whose parent has
// ended, and the zombies that they have not waited for. The far side's do not count.
func (w *World) Processes() []Process {
	var all, zombies []Process
	ours := map[int]bool{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		var state string
		var parent int
		fmt.Sscan(rest, &state, &parent)
		p := Process{PID: pid, Parent: parent, IsZombie: state == "Z"}
		if p.IsZombie {
			zombies = append(zombies, p)
			continue
		}
		env, _ := os.ReadFile(dir + "/environ")
		if !strings.Contains("\x00"+string(env), "\x00"+mark+"="+w.Dir+"\x00") {
			continue
		}
		line, _ := os.ReadFile(dir + "/cmdline")
		p.Command = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		ours[pid] = true
		all = append(all, p)
	}
	for _, z := range zombies {
		if ours[z.Parent] {
			all = append(all, z)
		}
	}
	return all
}

package remote

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// sshTimes are the pauses and limits of what goes through ssh.
type sshTimes struct {
	connect time.Duration // for the TCP connection and ssh's greeting
	alive   time.Duration // between ServerAlive messages: a dead link is found after three, in less than 30 s
	ready   time.Duration // from the login to READY
	poll    time.Duration // for one list of refs
	check   time.Duration // for a master to answer, after a session has failed
	idle    time.Duration // after which a master without a session ends
	recheck time.Duration // from a change that git-annex reports to a second look
	look    time.Duration // between looks at what it does not report

	lookFull time.Duration // between looks where all is reported, should the far side have stopped
}

var defaultSSHTimes = sshTimes{
	connect: 20 * time.Second, alive: 9 * time.Second, ready: time.Minute, poll: 2 * time.Minute,
	check: 5 * time.Second, idle: time.Minute, recheck: time.Second, look: 2 * time.Minute, lookFull: 10 * time.Minute,
}

// An sshLink is how one remote is reached by ssh.
type sshLink struct {
	sshAddress
	program    sshProgram
	uploadPack string // the far side's git-upload-pack
	masters    *sshMasters
	// What ssh -G says:
	canShare   bool     // a master of ours can be used
	ownMaster  []string // options for when the user's configuration shares connections itself
	identities []string // files of private keys
}

// openSSH finds out how git would reach a remote by ssh. It returns nil when git would not.
// git runs a git command in the clone.
func (m *sshMasters) openSSH(ctx context.Context, git func(context.Context, ...string) (string, error), r *Remote) (*sshLink, error) {
	address, ok, err := parseSSH(r.URL)
	if err != nil || !ok {
		return nil, err
	}
	list, err := git(ctx, "config", "-z", "--list")
	if err != nil {
		return nil, err
	}
	config := map[string]string{}
	for entry := range strings.SplitSeq(list, "\x00") {
		key, value, _ := strings.Cut(entry, "\n")
		config[key] = value
	}
	l := &sshLink{sshAddress: address, program: chooseSSH(os.LookupEnv, config), uploadPack: "git-upload-pack", masters: m}
	if program := config["remote."+r.Name+".uploadpack"]; program != "" {
		l.uploadPack = program
	}
	return l, l.ask(ctx)
}

// ask asks ssh for its configuration of the host. It decides a variant of auto as git does:
// only OpenSSH knows -G.
func (l *sshLink) ask(ctx context.Context) error {
	if l.program.variant != variantSSH && l.program.variant != variantAuto {
		return nil
	}
	ssh := l.program
	ssh.variant = variantSSH
	args, _ := ssh.args(l.sshAddress, []string{"-G"})
	ctx, cancel := context.WithTimeout(ctx, l.masters.times.connect)
	defer cancel()
	out, err := sshOutput(ctx, ssh.cmd(args...))
	if ctx.Err() != nil {
		return fmt.Errorf("ssh -G %s: %w", l.host, ctx.Err())
	}
	l.canShare = err == nil
	if l.program.variant == variantAuto {
		l.program.variant = variantSimple
		if err == nil {
			l.program.variant = variantSSH
		}
	}
	persists, hasPath := false, false
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "controlpath":
			hasPath = value != "none"
		case "controlpersist":
			persists = value != "no" && value != "false"
		case "identityfile":
			l.identities = append(l.identities, value)
		}
	}
	if hasPath {
		l.canShare = false
		if !persists { // else a session of ours would be the master of the user's, and end them
			l.ownMaster = []string{"-o", "ControlMaster=no"}
		}
	}
	return nil
}

// options returns the options of every ssh to a remote; master may be nil. Options that the
// user's own command has come first, and count.
func (l *sshLink) options(master *sshMaster) []string {
	if l.program.variant != variantSSH {
		return nil
	}
	seconds := func(d time.Duration) string { return strconv.Itoa(max(1, int(d/time.Second))) }
	options := append([]string{
		"-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=" + seconds(l.masters.times.connect),
		"-o", "ServerAliveInterval=" + seconds(l.masters.times.alive), "-o", "ServerAliveCountMax=2",
	}, l.ownMaster...)
	if l.canShare {
		options = append(options, "-o", "ClearAllForwardings=yes") // they are for the user's own sessions
	}
	if master != nil {
		options = append(options, "-o", "ControlMaster=no", "-S", master.socketOption())
	}
	return options
}

// start starts a command on the far side.
func (l *sshLink) start(master *sshMaster, command string) (*process, error) {
	args, err := l.program.args(l.sshAddress, l.options(master), command)
	if err != nil {
		return nil, err
	}
	return startProcess(l.program.cmd(args...))
}

// environ returns the variables with which git runs its ssh through a master, and never asks
// for anything. Without a master git connects itself. done is called when git has ended.
func (l *sshLink) environ(ctx context.Context) (env []string, done func()) {
	if l.program.variant != variantSSH {
		return nil, func() {}
	}
	master, err := l.masters.acquire(ctx, l)
	if err != nil {
		master = nil // git says it better
	}
	command := l.program.command
	if !l.program.isShell {
		command = quote(command)
	}
	for _, option := range l.options(master) {
		command += " " + quote(option)
	}
	return []string{"GIT_SSH_COMMAND=" + command, "GIT_SSH_VARIANT=ssh"}, func() { l.masters.release(master, false) }
}

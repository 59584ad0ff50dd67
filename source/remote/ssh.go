package remote

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
)

// An sshAddress is where a URL of ssh leads.
type sshAddress struct {
	host string // as ssh gets it, with the user if the URL has one
	port string // "" for what ssh's configuration says
	path string
}

var sshSchemes = []string{"ssh", "git+ssh", "ssh+git"}

// parseSSH splits a URL of ssh, or host:path, as git does (connect.c). It returns false for
// any other URL.
func parseSSH(url string) (sshAddress, bool, error) {
	scheme, rest, isURL := strings.Cut(url, "://")
	separator := "/"
	switch colon := strings.IndexByte(url, ':'); {
	case isURL && !slices.Contains(sshSchemes, scheme):
		return sshAddress{}, false, nil
	case isURL:
		rest = unescape(rest)
	case colon < 0, strings.Contains(url[:colon], "/"), isHelper(url):
		return sshAddress{}, false, nil // a path
	default:
		rest, separator = url, ":"
	}
	_, end := brackets(rest)
	at := strings.Index(rest[end:], separator)
	if at < 0 {
		return sshAddress{}, true, errors.New("the URL has no path")
	}
	a := sshAddress{path: strings.TrimPrefix(rest[end+at:], ":")}
	if len(a.path) > 1 && a.path[1] == '~' { // ssh://host/~user/path
		a.path = a.path[1:]
	}
	a.host, a.port = splitPort(rest[:end+at])
	switch {
	case a.host == "" || a.host[0] == '-':
		return a, true, fmt.Errorf("strange hostname %q blocked", a.host)
	case strings.HasPrefix(a.path, "-"):
		return a, true, fmt.Errorf("strange pathname %q blocked", a.path)
	}
	return a, true, nil
}

// isHelper reports whether a URL is one of a remote helper: ext::command.
func isHelper(url string) bool {
	name, _, ok := strings.Cut(url, "::")
	return ok && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("+-.", r)
	})
}

// brackets returns where the brackets around an IPv6 address, or a host and a port, begin
// and where the second one is. Both are 0 without brackets.
func brackets(s string) (start, end int) {
	start = strings.Index(s, "@[") + 1
	if !strings.HasPrefix(s[start:], "[") {
		return 0, 0
	}
	if end = strings.IndexByte(s[start:], ']'); end < 0 {
		return 0, 0
	}
	return start, start + end
}

// splitPort splits host:port, [host]:port or [host:port].
func splitPort(s string) (host, port string) {
	host, after := s, s
	start, end := brackets(s)
	if end > 0 {
		host, after = s[:start]+s[start+1:end], s[end+1:]
	}
	if i := strings.IndexByte(after, ':'); i >= 0 && (after[i+1:] == "" || isPort(after[i+1:])) {
		if port = after[i+1:]; end == 0 {
			host = s[:i]
		}
	}
	if h, p, _ := strings.Cut(host, ":"); port == "" && isPort(p) {
		return h, p
	}
	return host, port
}

func isPort(s string) bool {
	n, err := strconv.Atoi(strings.TrimLeft(s, " \t"))
	return err == nil && n >= 0 && n < 65536
}

// unescape decodes percent-encoding, and leaves what is none, and %00, as it is.
func unescape(s string) string {
	var b strings.Builder
	for ; s != ""; s = s[1:] {
		if s[0] == '%' && len(s) > 2 {
			if n, err := strconv.ParseUint(s[1:3], 16, 8); err == nil && n > 0 {
				b.WriteByte(byte(n))
				s = s[2:]
				continue
			}
		}
		b.WriteByte(s[0])
	}
	return b.String()
}

// quote makes s one word for any shell, as git quotes a path for the far side.
func quote(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}

// An sshProgram is the ssh that git would run.
type sshProgram struct {
	command string
	isShell bool   // command is for sh, and not the path of a program
	variant string // variantSSH...
}

// The variants of ssh, by the options that they know (ssh.variant in git-config(1)).
const (
	variantAuto          = "auto"
	variantSSH           = "ssh"
	variantPlink         = "plink"
	variantPutty         = "putty"
	variantTortoisePlink = "tortoiseplink"
	variantSimple        = "simple" // no options, no port
)

// chooseSSH chooses the ssh as git does. lookup finds variables of the environment, and
// config has keys of git's configuration. The variant may be auto.
func chooseSSH(lookup func(string) (string, bool), config map[string]string) sshProgram {
	p := sshProgram{command: "ssh"}
	fromConfig, isConfigured := config["core.sshcommand"]
	if v, ok := lookup("GIT_SSH_COMMAND"); ok {
		p = sshProgram{command: v, isShell: true}
	} else if isConfigured {
		p = sshProgram{command: fromConfig, isShell: true}
	} else if v, ok := lookup("GIT_SSH"); ok {
		p.command = v
	}
	variant, ok := lookup("GIT_SSH_VARIANT")
	if !ok {
		variant, ok = config["ssh.variant"]
	}
	if ok {
		p.variant = variantSSH
		if slices.Contains([]string{variantAuto, variantPlink, variantPutty, variantTortoisePlink, variantSimple}, variant) {
			p.variant = variant
		}
		return p
	}
	name := p.command
	if p.isShell {
		name = firstWord(name)
	}
	switch name = strings.TrimSuffix(strings.ToLower(path.Base(name)), ".exe"); name {
	case variantSSH, variantPlink, variantTortoisePlink:
		p.variant = name
	default:
		p.variant = variantAuto
	}
	return p
}

// firstWord returns the first word of a shell command.
func firstWord(command string) string {
	var word strings.Builder
	var quoted byte
	command = strings.TrimLeft(command, " \t\n")
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case quoted == 0 && strings.IndexByte(" \t\n", c) >= 0:
			return word.String()
		case c == quoted:
			quoted = 0
		case quoted == 0 && (c == '\'' || c == '"'):
			quoted = c
		case c == '\\' && quoted != '\'' && i+1 < len(command):
			i++
			word.WriteByte(command[i])
		default:
			word.WriteByte(c)
		}
	}
	return word.String()
}

// cmd prepares a run of the program, by a shell where git would use one. The shell becomes
// the program where that is plainly ssh, because only the process that is started gets a
// signal when this one is killed.
func (p sshProgram) cmd(args ...string) *exec.Cmd {
	cmd := exec.Command(p.command, args...)
	if p.isShell && strings.ContainsAny(p.command, "|&;<>()$`\\\"' \t\n*?[#~=%") {
		script := p.command + ` "$@"`
		first := firstWord(p.command)
		if path.Base(first) == "ssh" && !strings.Contains(first, "=") && !strings.ContainsAny(p.command, "|&;<>()`\n") {
			script = "exec " + script
		}
		cmd = exec.Command("sh", append([]string{"-c", script, p.command}, args...)...)
	}
	cmd.Env = append(os.Environ(), "SSH_ASKPASS_REQUIRE=never")
	if p.variant == variantSSH {
		cmd.Env = append(cmd.Env, "GIT_PROTOCOL=version=2")
	}
	return cmd
}

// args returns the arguments with which git would run a command at an address.
func (p sshProgram) args(a sshAddress, options []string, command ...string) ([]string, error) {
	args := slices.Clone(options)
	switch p.variant {
	case variantSSH:
		args = append(args, "-o", "SendEnv=GIT_PROTOCOL")
	case variantTortoisePlink:
		args = append(args, "-batch")
	}
	if a.port != "" {
		switch p.variant {
		case variantSSH:
			args = append(args, "-p", a.port)
		case variantSimple:
			return nil, errors.New("ssh variant 'simple' does not support setting port")
		default:
			args = append(args, "-P", a.port)
		}
	}
	return append(append(args, a.host), command...), nil
}

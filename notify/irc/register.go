package irc

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lrstanley/girc"
)

// A registration is the state of the registration with a server, and its result.
type registration struct {
	nick       string
	nickNumber int       // of the pattern
	nickTried  time.Time // when the wanted nick was last requested
	user, host string    // as the server shows us; "" for unknown

	offered     map[string]string // those of our capabilities, with their values
	labels      bool              // labeled-response and echo-message are on
	loggedIn    bool
	welcomed    time.Time // zero before
	motd        bool      // the message of the day is over
	nickServ    bool      // NickServ has answered, or is not used
	isReady     bool
	nickLen     int
	lineLen     int          // of messages; 0 for unknown
	chanLimit   map[byte]int // channels by the character they begin with
	casemapping string       // of names
}

// registrationWait is how long to wait for the end of the message of the day, and for an
// answer of NickServ.
const registrationWait = 5 * time.Second

// nickServ is the nick of the service by which vext logs in.
const nickServ = "NickServ"

// maxNicks bounds how many nicks of the pattern are tried.
const maxNicks = 100

// wanted are the capabilities that confirm messages, all of which are needed
// for that (IRCv3, labeled-response and echo-message).
var wanted = []string{"batch", "labeled-response", "echo-message"}

// messageTags is what some servers require for labels.
const messageTags = "message-tags"

var errNoSASL = errors.New("sasl: the server does not offer it; vext sends nothing without a login")

// register begins the registration (RFC 2812, section 3.1). CAP comes first, so that the
// server waits with its welcome until we have chosen (IRCv3, capability negotiation).
func (l *link) register() error {
	password, user := l.settings.ServerPassword, l.settings.User
	if l.server.Password != "" {
		password = l.server.Password
	}
	if l.server.User != "" && girc.IsValidUser(l.server.User) {
		user = l.server.User
	}
	l.nick, l.nickNumber = l.settings.nick(l.number, l.maxNickLen()), l.number
	lines := []string{"CAP LS 302", "NICK " + l.nick, "USER " + user + " 0 * :" + l.settings.Realname}
	if password != "" {
		lines = slices.Insert(lines, 1, "PASS :"+password)
	}
	for _, line := range lines {
		if err := l.write(line); err != nil {
			return err
		}
	}
	return nil
}

// negotiate handles what belongs to the registration, and reports whether e did.
func (l *link) negotiate(e *girc.Event) (bool, error) {
	switch e.Command {
	case "CAP":
		return true, l.capability(e)
	case "AUTHENTICATE":
		if !l.welcomed.IsZero() {
			return true, nil
		}
		return true, l.authenticate(e)
	case girc.RPL_SASLSUCCESS, girc.ERR_SASLALREADY:
		l.loggedIn = true
		return true, l.write("CAP END")
	case girc.RPL_NICKLOCKED, girc.ERR_SASLFAIL, girc.ERR_SASLTOOLONG, girc.ERR_SASLABORTED, girc.RPL_SASLMECHS:
		return true, &serverError{"sasl: rejected", e.Last()}
	case girc.ERR_NICKNAMEINUSE, girc.ERR_NICKCOLLISION, girc.ERR_UNAVAILRESOURCE:
		if l.welcomed.IsZero() {
			return true, l.nextNick()
		}
	case "432", girc.ERR_PASSWDMISMATCH, girc.ERR_YOUREBANNEDCREEP: // 432: an invalid nick
		if l.welcomed.IsZero() {
			return true, &serverError{"registration rejected", e.Last()}
		}
	case girc.RPL_WELCOME:
		return true, l.welcome(e)
	case girc.RPL_ISUPPORT:
		l.isupport(e.Params)
		return true, nil
	case girc.RPL_ENDOFMOTD, girc.ERR_NOMOTD:
		l.motd = true
		return true, nil
	case "396": // RPL_VISIBLEHOST
		if len(e.Params) > 1 {
			l.host = e.Params[1]
		}
		return true, nil
	}
	return false, nil
}

// capability handles the server's side of CAP.
func (l *link) capability(e *girc.Event) error {
	if len(e.Params) < 3 {
		return nil
	}
	switch e.Params[1] {
	case "LS":
		if !l.welcomed.IsZero() {
			return nil
		}
		if l.offered == nil {
			l.offered = map[string]string{}
		}
		for _, one := range strings.Fields(e.Last()) {
			if name, value, _ := strings.Cut(one, "="); name == "sasl" || name == messageTags || slices.Contains(wanted, name) {
				l.offered[name] = value
			}
		}
		if len(e.Params) > 3 { // more of it follows
			return nil
		}
		return l.request()
	case "ACK":
		l.labels = l.labels || hasAll(strings.Fields(e.Last()), wanted)
		if l.settings.SASL != "" && !l.loggedIn {
			return l.write("AUTHENTICATE " + l.settings.SASL)
		}
		return l.write("CAP END")
	case "NAK":
		if l.settings.SASL != "" && !l.loggedIn {
			return &serverError{"sasl: the server refuses the capability", e.Last()}
		}
		return l.write("CAP END")
	case "DEL":
		for _, name := range strings.Fields(e.Last()) {
			l.labels = l.labels && !slices.Contains(wanted, name)
		}
	}
	return nil
}

// request requests the capabilities that the server offers.
func (l *link) request() error {
	offered := slices.Collect(maps.Keys(l.offered))
	var ask []string
	if hasAll(offered, wanted) {
		ask = append(ask, wanted...)
		if slices.Contains(offered, messageTags) {
			ask = append(ask, messageTags)
		}
	}
	if mechanism := l.settings.SASL; mechanism != "" {
		list, ok := l.offered["sasl"]
		if !ok {
			return errNoSASL
		}
		if list != "" && !slices.Contains(strings.Split(list, ","), mechanism) {
			return fmt.Errorf("sasl: the server offers %s, and not %s", list, mechanism)
		}
		ask = append(ask, "sasl")
	}
	if len(ask) == 0 {
		return l.write("CAP END")
	}
	return l.write("CAP REQ :" + strings.Join(ask, " "))
}

func hasAll(list, all []string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return !slices.Contains(list, s) })
}

// saslChunk is the length of a part of an answer; one that is shorter is the
// last (IRCv3, SASL).
const saslChunk = 400

func (l *link) authenticate(e *girc.Event) error {
	var mechanism girc.SASLMech = &girc.SASLExternal{}
	if l.settings.SASL == "PLAIN" {
		mechanism = &girc.SASLPlain{User: l.settings.Account, Pass: l.settings.Password}
	}
	answer := mechanism.Encode(e.Params)
	if answer == "" {
		return &serverError{"sasl: an unknown challenge", e.Last()}
	}
	for len(answer) >= saslChunk {
		if err := l.write("AUTHENTICATE " + answer[:saslChunk]); err != nil {
			return err
		}
		answer = answer[saslChunk:]
	}
	if answer == "" {
		answer = "+"
	}
	return l.write("AUTHENTICATE " + answer)
}

// nextNick requests the next nick of the pattern.
func (l *link) nextNick() error {
	if l.nickNumber++; l.nickNumber > l.number+maxNicks {
		return errors.New("all nicks are taken")
	}
	l.nick = l.settings.nick(l.nickNumber, l.maxNickLen())
	return l.write("NICK " + l.nick)
}

// maxNickLen returns how long a nick may be, in bytes. Until the server announces it, that is
// what every server allows, or the length of the configured nick.
func (l *link) maxNickLen() int {
	if l.nickLen > 0 {
		return l.nickLen
	}
	return max(minNickLen, len(l.settings.nick(0, usualNickLen)))
}

// welcome handles RPL_WELCOME.
func (l *link) welcome(e *girc.Event) error {
	now := l.client.Now()
	if len(e.Params) > 0 && e.Params[0] != "*" { // * until the server has read our NICK
		l.nick = e.Params[0]
	}
	l.welcomed, l.nickTried, l.nickServ = now, now, true
	if l.settings.SASL != "" && !l.loggedIn {
		return errNoSASL
	}
	if l.settings.NickServ {
		l.nickServ = false
		l.await(awaitNickServ)
		return l.write("PRIVMSG " + nickServ + " :IDENTIFY " + strings.TrimSpace(l.settings.Account+" "+l.settings.Password))
	}
	return nil
}

// isupport reads the parameters of RPL_ISUPPORT.
func (l *link) isupport(params []string) {
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		n, err := strconv.Atoi(value)
		switch {
		case name == "CHANLIMIT":
			for _, part := range strings.Split(value, ",") {
				prefixes, limit, _ := strings.Cut(part, ":")
				if n, err := strconv.Atoi(limit); err == nil {
					l.setLimit(prefixes, n)
				}
			}
		case name == "CASEMAPPING":
			l.casemapping = value
		case err != nil || n <= 0:
		case name == "MAXCHANNELS":
			if l.chanLimit == nil {
				l.setLimit("#&+!", n)
			}
		case name == "NICKLEN":
			l.nickLen = n
		case name == "LINELEN":
			l.lineLen = min(max(n, 512), 4096)
		}
	}
}

func (l *link) setLimit(prefixes string, n int) {
	if l.chanLimit == nil {
		l.chanLimit = map[byte]int{}
	}
	for i := range len(prefixes) {
		l.chanLimit[prefixes[i]] = n
	}
}

// foldings are the capitals besides those of letters, by CASEMAPPING. An unknown mapping is
// taken for rfc1459 (RFC 2812, section 2.2).
var foldings = map[string]string{"ascii": "", "rfc1459-strict": `[\]`, rfc1459: `[\]^`}

const rfc1459 = "rfc1459"

// fold returns a name as the server compares it.
func (l *link) fold(name string) string {
	capitals, ok := foldings[l.casemapping]
	if !ok {
		capitals = foldings[rfc1459]
	}
	return strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune(capitals, r) {
			return r + '{' - '['
		}
		return r
	}, name))
}

func isChannel(name string) bool { return name != "" && strings.ContainsRune("#&+!", rune(name[0])) }

// isMe reports whether something came from us.
func (l *link) isMe(e *girc.Event) bool {
	return e.Source != nil && l.fold(e.Source.Name) == l.fold(l.nick)
}

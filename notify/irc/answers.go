package irc

import (
	"fmt"

	"github.com/lrstanley/girc"
)

// A verdict decides what becomes of a line that a server did not deliver.
type verdict int

const (
	temporary verdict = iota // the line is retried without end
	permanent                // the server will never accept the line: it is rejected
	unclear                  // it is retried, and rejected after maxUnclear such answers in a row
	alone                    // it is retried at once, by itself: the answer was to it or to another line
)

// ofSeveral returns the verdict on each of several lines when one of them got v.
func (v verdict) ofSeveral() verdict {
	if v == permanent {
		return alone
	}
	return temporary
}

// maxUnclear is the number of unknown answers in a row after which a line counts as
// rejected. With the backoff of a recipient that takes 85 minutes.
const maxUnclear = 10

// A rejection is why a line was not delivered. The zero value stands for none.
type rejection struct {
	text    string // for a person
	verdict verdict
}

// and combines two rejections of one line. A temporary one wins.
func (r rejection) and(other rejection) rejection {
	if r.text != "" && r.verdict == temporary || other.text == "" {
		return r
	}
	return other
}

// An answer is the meaning of an error, to JOIN or to a message.
type answer struct {
	words   string
	verdict verdict
}

// Numerics with a meaning of their own.
const (
	errNoSuchNick      = "401"
	errNoSuchChannel   = "403"
	errTooManyChannels = "405"
	errNotOnChannel    = "442"
	errBanned          = "474"
	errBadKey          = "475"
	standardReply      = "FAIL" // IRCv3, standard replies: FAIL COMMAND CODE [CONTEXT...] :TEXT
)

// answers are the errors that servers send in answer to PRIVMSG, NOTICE and
// JOIN, numerics and codes of FAIL, as ngIRCd, InspIRCd, UnrealIRCd, Solanum,
// Hybrid and Ergo use them. An answer about the channel, the person, the rate or
// our account is temporary, because these can change. An answer about the message
// itself is permanent. An answer that is not in this table is unclear.
var answers = map[string]answer{
	"263":              {"the server is too busy", temporary},
	"400":              {"the server could not do it", temporary}, // among others a bouncer without its network
	errNoSuchNick:      {"nobody of this nick is there", temporary},
	errNoSuchChannel:   {"there is no such channel", temporary},
	"404":              {"we may not speak in the channel", temporary},
	errTooManyChannels: {"no connection has room for another channel", temporary},
	"406":              {"nobody of this nick is there", temporary},
	"407":              {"the server takes the target for several targets", permanent},
	"408":              {"the channel wants no colours", temporary},
	"411":              {"the server sees no recipient", permanent},
	"412":              {"the server sees no text", permanent},
	"413":              {"the server takes the target for a mask", permanent},
	"414":              {"the server takes the target for a mask", permanent},
	"415":              {"the server takes the target for a mask", permanent},
	"417":              {"the line is too long for the server", permanent},
	"421":              {"the server does not know the command", permanent},
	"437":              {"the channel is unavailable for now", temporary},
	"439":              {"the server takes no other targets for now", temporary},
	errNotOnChannel:    {"we are not in the channel", temporary},
	"461":              {"the server misses a parameter of the message", permanent},
	"470":              {"the channel forwards to another", temporary},
	"471":              {"the channel is full", temporary},
	"473":              {"the channel is for invited only", temporary},
	errBanned:          {"banned from the channel", temporary},
	errBadKey:          {"the key of the channel is wrong", temporary},
	"476":              {"no channel can have this name", temporary},
	"477":              {"the channel wants a registered nick", temporary},
	"480":              {"the channel takes no more joins for now", temporary},
	"482":              {"only operators may speak in the channel", temporary},
	"484":              {"the connection is restricted", temporary},
	"486":              {"the person wants a registered nick", temporary},
	"489":              {"the channel wants TLS", temporary},
	"492":              {"the server takes the text for CTCP", permanent},
	"494":              {"a mode of our own keeps us from speaking to the person", temporary},
	"520":              {"the channel is for operators only", temporary},
	"531":              {"the person takes no messages from us", temporary},
	"707":              {"the server takes no other targets for now", temporary},
	"716":              {"the person takes no messages from us", temporary},
	"926":              {"the server forbids the channel", temporary},
	"936":              {"the text has a word that is forbidden there", permanent},

	"ACCOUNT_REQUIRED":        {"the server wants a registered nick", temporary},
	"INVALID_UTF8":            {"the text is not UTF-8 for the server", permanent},
	"INVALID_PARAMS":          {"the server does not understand the message", permanent},
	"NEED_MORE_PARAMS":        {"the server misses a parameter of the message", permanent},
	"RATE_LIMITED":            {"the server takes no more for now", temporary},
	"TEMPORARILY_UNAVAILABLE": {"the server can't do it for now", temporary},
	"UNKNOWN_COMMAND":         {"the server does not know the command", permanent},
}

// answerTo returns what an error means. code is a numeric or a code of FAIL, and text
// that of the server.
func answerTo(code, text string) rejection {
	a, known := answers[code]
	if !known {
		a = answer{"refused", unclear}
	}
	if !isNumeric(code) {
		code = standardReply + " " + code
	}
	return rejection{fmt.Sprintf("%s (%s %s)", a.words, code, text), a.verdict}
}

// unasked are numerics in the range of errors that are none. Servers send them
// unprompted, or together with an error: RPL_TARGNOTIFY, RPL_UMODEGMSG,
// RPL_KNOCK, and the numerics of MONITOR and of logging in.
var unasked = map[string]bool{
	"710": true, "711": true, "717": true, "718": true, "730": true, "731": true, "732": true, "733": true,
	"900": true, "901": true, "903": true, "908": true,
}

// isError reports whether a command says that something was not done. These are
// IRCv3's FAIL (not WARN and NOTE), "try again", and the numerics of errors, including
// those beyond RFC 2812.
func isError(command string) bool {
	if command == standardReply || command == "263" {
		return true
	}
	if !isNumeric(command) || unasked[command] {
		return false
	}
	switch command[0] {
	case '4', '5', '9':
		return true
	case '7': // 700 to 706 are answers to HELP and the like
		return command > "706"
	}
	return false
}

func isNumeric(command string) bool {
	return len(command) == 3 && command[0] >= '0' && command[0] <= '9'
}

// joinErrors can be the answer to a JOIN while messages to the channel are in flight as well.
var joinErrors = []string{
	errNoSuchChannel, errTooManyChannels, "437", "470", "471", "473", errBanned, errBadKey, "476", "489",
}

// nickErrors can be the answer to a NICK.
var nickErrors = []string{
	"431", "432", girc.ERR_NICKNAMEINUSE, "435", girc.ERR_NICKCOLLISION, girc.ERR_UNAVAILRESOURCE, "438", "447", "484",
}

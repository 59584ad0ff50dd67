package xmpp

import (
	"cmp"
	"errors"
	"slices"

	"vext/notify"
)

// Conditions of errors (RFC 6120, section 8.3.3) that are about a message or its address,
// and so end it at once.
var faults = []string{"bad-request", "jid-malformed"}

// finals are conditions that will not pass by themselves: after maxTries a message bounces.
// All others are retried.
var finals = []string{
	"feature-not-implemented", "forbidden", "gone", "item-not-found", "not-acceptable", "not-allowed", "not-authorized", "policy-violation",
	"redirect", "registration-required", "remote-server-not-found", "service-unavailable", "subscription-required",
}

// reasons are what conditions mean when somebody joins a room (XEP-0045, section 7.2).
var reasons = map[string]string{
	"forbidden":             "banned from the room",
	"item-not-found":        "the room does not exist, or is locked",
	"not-acceptable":        "the room wants another nick; set nick under [xmpp]",
	"not-allowed":           "the room does not exist, and may not be created",
	"not-authorized":        "wrong or missing password of the room",
	"registration-required": "the room is for its members only",
	"service-unavailable":   "the room is full",
	"conflict":              "somebody in the room has the nick",
}

// roomError returns why a room does not let us in.
func roomError(p Presence) error {
	text := reasons[p.Error]
	if text == "" {
		text = p.Text
	} else if p.Text != "" {
		text += ": " + p.Text
	}
	return &stanzaError{cmp.Or(p.Error, "undefined-condition"), text}
}

// meanings are what conditions mean when a message comes back and nobody says more.
var meanings = map[string]string{
	"forbidden":               "we may not send there",
	"gone":                    "the address exists no longer",
	"item-not-found":          "there is no such address; that of a room ends in ?join",
	"not-acceptable":          "the message is not accepted there",
	"not-allowed":             "sending there is not allowed",
	"policy-violation":        "the server forbids the message",
	"remote-server-not-found": "the server of the address was not found",
	"remote-server-timeout":   "the server of the address does not answer",
	"resource-constraint":     "the server takes no more for now",
	"service-unavailable":     "there is no such account, or it takes no messages",
}

// messageError returns why a message has come back.
func messageError(m Message) error {
	return &stanzaError{m.Error, cmp.Or(m.Text, meanings[m.Error])}
}

// notInside is the condition of a message to a room that we are not in.
const notInside = "not-acceptable"

func hasCondition(err error, conditions ...string) bool {
	var e *stanzaError
	return errors.As(err, &e) && slices.Contains(conditions, e.condition)
}

// isFault reports whether an error is about the message alone, which will never be accepted.
func isFault(err error) bool { return hasCondition(err, faults...) || notify.IsPermanent(err) }

// isFinal reports whether an error will not pass by itself.
func isFinal(err error) bool { return hasCondition(err, finals...) }

package notify

import "regexp"

// Codes matches the codes of colours and the like: those of IRC's clients, and those of
// terminals.
var Codes = regexp.MustCompile("\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9a-fA-F]{6}(?:,[0-9a-fA-F]{6})?)?|\x1b(?:\\[[0-9;]*[a-zA-Z])?|[\x02\x0f\x11\x16\x1d\x1e\x1f]")

// Plain returns a text without the codes of colours.
func Plain(text string) string { return Codes.ReplaceAllString(text, "") }

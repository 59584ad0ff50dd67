package irker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Fields describe the commit of a payload without a text: the fields of irkerhook, by
// the names that an older program called vext gave them. Each may be empty.
type Fields struct {
	Project, Repository, Branch, Commit, Author, URL string

	Files   string // separated by blanks
	Message string // all lines of it
	Colors  string // none, mirc or ansi
}

// A payload is the JSON object of a client.
type payload struct {
	to   []string // URLs as the client wrote them
	text string   // "" only joins
	made *Fields  // the source of the text, if there is none
	ack  bool     // an answer is requested
	id   json.RawMessage
}

// notText stands for a target that is not a string.
const notText = "(no text)"

// maxID bounds the id that an answer repeats, in bytes.
const maxID = 200

// parse reads a payload: a JSON object with the members to, a URL or a list of URLs,
// and privmsg, the text; or with the member commit instead of privmsg, see Fields. If
// the payload or the text is null, there is no message; GitLab sends such payloads
// for some pushes. Other members are ignored.
//
// With an error, ack and id are still set if they are valid.
func parse(data []byte) (payload, error) {
	var p payload
	data = bytes.ToValidUTF8(bytes.TrimSpace(data), []byte("\ufffd"))
	// A map, because names in a struct would match without regard to case.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		if errors.As(err, new(*json.UnmarshalTypeError)) {
			return p, errors.New("not a JSON object")
		}
		return p, fmt.Errorf("not JSON: %w", err)
	}
	if members == nil {
		return p, nil
	}
	p.ack = string(members["ack"]) == "true"
	p.id = id(members["id"])
	privmsg, given := members["privmsg"]
	switch {
	case given && string(privmsg) == "null":
		return p, nil
	case given && json.Unmarshal(privmsg, &p.text) != nil:
		return p, errors.New("privmsg is not a string")
	case !given && members["commit"] == nil:
		return p, errors.New("privmsg is missing")
	case !given:
		fields, err := readFields(members)
		if err != nil {
			return p, err
		}
		p.made = &fields
	}
	var err error
	p.to, err = urls(members["to"])
	return p, err
}

// id returns the member id if an answer can repeat it: a string or a number.
func id(value json.RawMessage) json.RawMessage {
	if len(value) == 0 || len(value) > maxID || !strings.ContainsRune(`"-0123456789`, rune(value[0])) {
		return nil
	}
	return value
}

func urls(value json.RawMessage) ([]string, error) {
	var one string
	var list []json.RawMessage
	switch {
	case value == nil:
		return nil, errors.New("to is missing")
	case value[0] == '"' && json.Unmarshal(value, &one) == nil:
		return []string{one}, nil
	case value[0] != '[' || json.Unmarshal(value, &list) != nil:
		return nil, errors.New("to is neither a URL nor a list of URLs")
	case len(list) > maxTargets:
		return nil, fmt.Errorf("to has %d targets, more than %d", len(list), maxTargets)
	}
	all := make([]string, len(list))
	for i, item := range list {
		if item[0] != '"' || json.Unmarshal(item, &all[i]) != nil {
			all[i] = notText
		}
	}
	return all, nil
}

func readFields(members map[string]json.RawMessage) (Fields, error) {
	var f Fields
	for name, to := range map[string]*string{
		"project": &f.Project, "repository": &f.Repository, "branch": &f.Branch, "commit": &f.Commit,
		"author": &f.Author, "url": &f.URL, "files": &f.Files, "message": &f.Message, "colors": &f.Colors,
	} {
		var err error
		if *to, err = word(members[name]); err != nil {
			return f, fmt.Errorf("%s is %w", name, err)
		}
	}
	switch f.Colors = strings.ToLower(f.Colors); f.Colors {
	case "none", "mirc", "ansi":
	case "":
		f.Colors = "none"
	default:
		return f, errors.New("colors is none of none, mirc and ansi")
	}
	if f.Commit == "" {
		return f, errors.New("commit is empty")
	}
	return f, nil
}

// word returns a member that is a string, a number, or a list of strings, which it joins
// by blanks; "" if it is missing or null.
func word(value json.RawMessage) (string, error) {
	var s string
	var list []string
	var number json.Number
	switch {
	case value == nil, string(value) == "null":
		return "", nil
	case json.Unmarshal(value, &s) == nil:
		return s, nil
	case json.Unmarshal(value, &list) == nil:
		return strings.Join(list, " "), nil
	case json.Unmarshal(value, &number) == nil:
		return number.String(), nil
	}
	return "", errors.New("not a string")
}

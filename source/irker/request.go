package irker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Fields describe the commit of a request that has no text of its own: those of
// irker's hook, by the names that an older program called vext gave them. Each
// may be empty.
type Fields struct {
	Project, Repository, Branch, Commit, Author, URL string

	Files   string // separated by blanks
	Message string // all lines of it
	Colors  string // none, mirc or ansi
}

// A request is what a client wants to be told, and where.
type request struct {
	to   []string // URLs as the client wrote them
	text string   // "" only joins
	made *Fields  // of which the text is to be made, when there is none
	ack  bool     // the client wants an answer
	id   json.RawMessage
}

// notText stands for a target that is no text, and is no URL either.
const notText = "(no text)"

// longestID bounds what an answer repeats of a request, in bytes.
const longestID = 200

// parse reads a request: a JSON object with the members to, a URL or a list of
// URLs, and privmsg, the text; or with the member commit instead of privmsg, see
// Fields. A request, or text, that is null is one for nobody: GitLab sends such
// for pushes that it has nothing to say about. Other members are passed over.
//
// Beside an error ack and id are those of the request, where they can be read.
func parse(data []byte) (request, error) {
	var r request
	data = bytes.ToValidUTF8(bytes.TrimSpace(data), []byte("\ufffd"))
	// A map, not a struct: Go's names of members have no case, JSON's have one.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		if errors.As(err, new(*json.UnmarshalTypeError)) {
			return r, errors.New("not a JSON object")
		}
		return r, fmt.Errorf("not JSON: %w", err)
	}
	if members == nil {
		return r, nil
	}
	r.ack = string(members["ack"]) == "true"
	r.id = id(members["id"])
	privmsg, given := members["privmsg"]
	switch {
	case given && string(privmsg) == "null":
		return r, nil
	case given && json.Unmarshal(privmsg, &r.text) != nil:
		return r, errors.New("privmsg is no text")
	case !given && members["commit"] == nil:
		return r, errors.New("privmsg is missing")
	case !given:
		fields, err := readFields(members)
		if err != nil {
			return r, err
		}
		r.made = &fields
	}
	var err error
	r.to, err = urls(members["to"])
	return r, err
}

// id returns the member id when it can be repeated: a string or a number.
func id(value json.RawMessage) json.RawMessage {
	if len(value) == 0 || len(value) > longestID || !strings.ContainsRune(`"-0123456789`, rune(value[0])) {
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
	case len(list) > mostTargets:
		return nil, fmt.Errorf("to has %d targets, more than %d", len(list), mostTargets)
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

// word returns a member that is text, a number as it is written, or a list of
// texts, with blanks between them; "" for one that is missing or null.
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
	return "", errors.New("no text")
}

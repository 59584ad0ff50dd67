package commit

import (
	"slices"
	"strings"
)

// Who made a commit is said in the body of most commit mails. Where it is not,
// it is the one who wrote the mail; From names that person, unless a program
// sends the mails, or a mailing list has put its own address there, because
// DMARC (RFC 7489) would have the mail refused.

// listFields are those whose addresses are a mailing list's.
var listFields = []string{"To", "List-Post", "X-BeenThere", "X-Mailing-List", "Mailing-List"}

// originFields are those in which lists keep what From was (RFC 9057, RFC 5703).
var originFields = []string{"X-Original-From", "Original-From", "Author"}

// author returns the person who wrote the mail, by its header. Without an
// address of a person it is the name alone.
func (h *Header) author() Person {
	for _, name := range originFields {
		for _, p := range people(h.Get(name)) {
			if h.isPerson(p) {
				return p
			}
		}
	}
	from := ParsePerson(h.Get("From"))
	if address, ok := strings.CutSuffix(strings.ToLower(from.Email), ".invalid"); ok {
		from.Email = from.Email[:len(address)] // put there by a list, in case of doubt
	}
	if from.Email == "" || h.isPerson(from) {
		return from
	}
	from.Name = withoutVia(from.Name)
	var replies []Person
	for _, p := range people(h.Get("Reply-To")) {
		if h.isPerson(p) && isReplyTo(p, from) {
			replies = append(replies, p)
		}
	}
	for _, p := range people(h.Get("Cc")) { // where Reply-To is the list, the writer is here
		if h.isPerson(p) && p.Name != "" && strings.EqualFold(p.Name, from.Name) {
			replies = append(replies, p)
		}
	}
	if len(replies) > 0 && !slices.ContainsFunc(replies, func(p Person) bool { return !strings.EqualFold(p.Email, replies[0].Email) }) {
		return Person{Name: from.Name, Email: replies[0].Email}
	}
	return Person{Name: from.Name}
}

// isReplyTo reports whether a person of Reply-To is the one whose name From has,
// and no second list that answers go to.
func isReplyTo(p, from Person) bool {
	if p.Name != "" && from.Name != "" {
		return strings.EqualFold(withoutVia(p.Name), from.Name)
	}
	return strings.EqualFold(p.Login(), from.Name) || !strings.EqualFold(domainOf(p.Email), domainOf(from.Email))
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// isPerson reports whether the address can be that of the one who wrote the
// mail: not a program's, and not a list's, by its fields or by its form
// (`Jane via commits <...>`, jane=example.org@lists.example.org).
func (h *Header) isPerson(p Person) bool {
	return isOneAddress(p.Email) && !p.IsRobot() && !strings.Contains(p.Login(), "=") && withoutVia(p.Name) == p.Name && !h.isLists(p.Email)
}

func isOneAddress(s string) bool { return strings.Count(s, "@") == 1 && !strings.ContainsAny(s, " ,") }

// withoutVia returns a name without what a list has put behind it.
func withoutVia(name string) string {
	for _, mark := range []string{" via ", " (via ", " (by way of "} {
		if i := strings.Index(strings.ToLower(name), mark); i >= 0 {
			return strings.Trim(name[:i], `'" `)
		}
	}
	return name
}

// isList reports whether a mailing list has sent the mail, and has put its own
// address into From.
func (h *Header) isList() bool {
	from := ParsePerson(h.Get("From"))
	return withoutVia(from.Name) != from.Name || h.isLists(from.Email)
}

// isLists reports whether the mail was sent to the address, or its header says
// that it is a mailing list's.
func (h *Header) isLists(address string) bool {
	if address == "" {
		return false
	}
	address = strings.ToLower(address)
	if slices.Contains(h.lists(), address) {
		return true
	}
	local, domain, _ := strings.Cut(address, "@")
	id := h.listID()
	return id == local+"."+domain || local != "" && strings.HasPrefix(id, local+".")
}

// lists returns the addresses that are lists', in lower case.
func (h *Header) lists() []string {
	if h.listsKnown {
		return h.listsFound
	}
	h.listsKnown = true
	for _, f := range h.fields {
		name := string(h.name(f))
		if !slices.ContainsFunc(listFields, func(l string) bool { return strings.EqualFold(l, name) }) {
			continue
		}
		words := strings.FieldsFunc(strings.ToLower(string(h.value(f))), func(r rune) bool { return r <= ' ' || strings.ContainsRune(`<>,;:?"()'`, r) })
		for _, word := range words {
			if strings.Contains(word, "@") {
				h.listsFound = append(h.listsFound, word)
			}
		}
	}
	return h.listsFound
}

// listID returns what List-Id (RFC 2919) has in its brackets, in lower case, with
// a dot for an @.
func (h *Header) listID() string {
	value := strings.ToLower(h.Get("List-Id"))
	value = value[strings.LastIndexByte(value, '<')+1:]
	value, _, _ = strings.Cut(value, ">")
	return strings.ReplaceAll(strings.TrimSpace(value), "@", ".")
}

// people reads a list of addresses (RFC 5322, section 3.4), as ParsePerson does
// each.
func people(list string) (all []Person) {
	quoted, bracket, begin := false, 0, 0
	for i := range len(list) + 1 {
		if i < len(list) {
			switch c := list[i]; {
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '<' || c == '(':
				bracket++
			case c == '>' || c == ')':
				bracket--
			}
			if list[i] != ',' || quoted || bracket > 0 {
				continue
			}
		}
		if p := ParsePerson(list[begin:i]); p != (Person{}) {
			all = append(all, p)
		}
		begin = i + 1
	}
	return all
}

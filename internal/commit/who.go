package commit

import (
	"slices"
	"strings"
)

// The body of most commit mails names the committer. Otherwise the committer is the
// person who wrote the mail. From names that person, unless a program sends the mails,
// or a mailing list has put its own address there so that DMARC (RFC 7489) lets the
// mail pass.

// listFields are fields with the addresses of mailing lists.
var listFields = []string{"To", "List-Post", "X-BeenThere", "X-Mailing-List", "Mailing-List"}

// originFields are fields in which lists keep the original From (RFC 9057, RFC 5703).
var originFields = []string{"X-Original-From", "Original-From", "Author"}

// author returns the person who wrote the mail, according to its header. When the
// header has no address of a person, author returns only the name.
func (h *Header) author() Person {
	for _, name := range originFields {
		for _, p := range people(h.Get(name)) {
			if h.isPerson(p) {
				return p
			}
		}
	}
	from := ParsePerson(h.Get("From"))
	if i := indexFold(from.Email, ".invalid"); i >= 0 && i+len(".invalid") == len(from.Email) {
		from.Email = from.Email[:i] // a list has added it, to prevent replies
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
	for _, p := range people(h.Get("Cc")) { // if Reply-To is the list, the author is here
		if h.isPerson(p) && p.Name != "" && strings.EqualFold(p.Name, from.Name) {
			replies = append(replies, p)
		}
	}
	if len(replies) > 0 && !slices.ContainsFunc(replies, func(p Person) bool { return !strings.EqualFold(p.Email, replies[0].Email) }) {
		return Person{Name: from.Name, Email: replies[0].Email}
	}
	return Person{Name: from.Name}
}

// isReplyTo reports whether a person in Reply-To is the one that From names, and not
// another list.
func isReplyTo(p, from Person) bool {
	if p.Name != "" && from.Name != "" {
		return strings.EqualFold(withoutVia(p.Name), from.Name)
	}
	return strings.EqualFold(p.Login(), from.Name) || !strings.EqualFold(domainOf(p.Email), domainOf(from.Email))
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// isPerson reports whether the address can be a person's: not a program's, and not a
// mailing list's by the header or by its form (`Jane via commits <...>`,
// jane=example.org@lists.example.org).
func (h *Header) isPerson(p Person) bool {
	return isOneAddress(p.Email) && !p.IsRobot() && !strings.Contains(p.Login(), "=") && withoutVia(p.Name) == p.Name && !h.isLists(p.Email)
}

func isOneAddress(s string) bool { return strings.Count(s, "@") == 1 && !strings.ContainsAny(s, " ,") }

// withoutVia returns a name without the suffix that a list has added.
func withoutVia(name string) string {
	for _, mark := range []string{" via ", " (via ", " (by way of "} {
		if i := indexFold(name, mark); i >= 0 {
			return strings.Trim(name[:i], `'" `)
		}
	}
	return name
}

// indexFold is strings.Index without regard to case. part is ASCII.
func indexFold(s, part string) int {
	for i := 0; i+len(part) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// isList reports whether a mailing list has sent the mail, and has put its own
// address into From.
func (h *Header) isList() bool {
	from := ParsePerson(h.Get("From"))
	return withoutVia(from.Name) != from.Name || h.isLists(from.Email)
}

// isLists reports whether the address is a mailing list's: the mail was sent to it, or
// another field of the header has it.
func (h *Header) isLists(address string) bool {
	if address == "" {
		return false
	}
	if h.lists == nil {
		h.readLists()
	}
	address = strings.ToLower(address)
	local, domain, _ := strings.Cut(address, "@")
	return h.lists[address] || h.listID == local+"."+domain || local != "" && strings.HasPrefix(h.listID, local+".")
}

// readLists reads the addresses of mailing lists, in lower case, and the identifier in
// List-Id (RFC 2919), with a dot for an @.
func (h *Header) readLists() {
	h.lists = map[string]bool{}
	for _, f := range h.fields {
		name := string(h.name(f))
		if !slices.ContainsFunc(listFields, func(l string) bool { return strings.EqualFold(l, name) }) {
			continue
		}
		words := strings.FieldsFunc(strings.ToLower(string(h.value(f))), func(r rune) bool { return r <= ' ' || strings.ContainsRune(`<>,;:?"()'`, r) })
		for _, word := range words {
			if strings.Contains(word, "@") {
				h.lists[word] = true
			}
		}
	}
	id := strings.ToLower(h.Get("List-Id"))
	id, _, _ = strings.Cut(id[strings.LastIndexByte(id, '<')+1:], ">")
	h.listID = strings.ReplaceAll(strings.TrimSpace(id), "@", ".")
}

// people reads a list of addresses (RFC 5322, section 3.4), each as ParsePerson does.
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

// robots are local parts of programs' addresses, without dots, hyphens and
// underscores: of forges, version control systems, mail systems.
var robots = []string{
	"github", "gitlab", "gitea", "forgejo", "gogs", "bitbucket", "git", "svn", "hg", "cvs",
	"notification", "notifications", "commit", "commits", "jenkins", "mailerdaemon", "wwwdata", "robot",
}

// IsRobot reports whether nobody reads mail to the person's address, because it is a
// program's, such as a forge's, or does not accept mail: noreply@, or what a forge
// shows in place of a private address (ID+login@users.noreply.github.com).
func (p Person) IsRobot() bool {
	local, domain, ok := strings.Cut(strings.ToLower(p.Email), "@")
	if !ok {
		return false
	}
	labels := strings.Split(domain, ".")
	if slices.Contains(labels, "noreply") || slices.Contains(labels, "no-reply") || isBot(local) {
		return true
	}
	local, _, _ = strings.Cut(local, "+")
	local = strings.NewReplacer(".", "", "-", "", "_", "").Replace(local)
	return slices.Contains(robots, local) || slices.ContainsFunc(
		[]string{"noreply", "donotreply", "dontreply", "dontrespond", "donotrespond"},
		func(word string) bool { return strings.Contains(local, word) })
}

// isBot recognises build-bot, listbot and dependabot[bot], but not abbot or
// talbot.
func isBot(local string) bool {
	before, ok := strings.CutSuffix(local, "bot")
	switch {
	case !ok:
		return strings.HasSuffix(local, "[bot]")
	case before == "" || !isLetter(before[len(before)-1]):
		return true
	}
	return slices.ContainsFunc(
		[]string{"list", "build", "commit", "git", "github", "gitlab", "llvm", "svn", "mail", "merge"},
		func(kind string) bool { return strings.HasSuffix(before, kind) })
}

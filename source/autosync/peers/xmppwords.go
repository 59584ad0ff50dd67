package peers

import (
	"cmp"
	"encoding/xml"
	"regexp"
	"strings"
	"unicode/utf8"

	"vext/internal/text"
	"vext/internal/weburl"
)

// Bounds of what another machine says, in bytes.
const (
	maxURL  = weburl.MaxFetch
	maxURLs = 8
)

// A pushElement is a Push as it is sent. Other programs ignore an element of our namespace.
type pushElement struct {
	XMLName    xml.Name `xml:"urn:vext:autosync:0 push"`
	Repository string   `xml:"repository,attr,omitempty"`
	Remote     string   `xml:"remote,attr,omitempty"`
	Branch     string   `xml:"branch,attr,omitempty"`
	Old        string   `xml:"old,attr,omitempty"`
	New        string   `xml:"new,attr,omitempty"`
	Host       string   `xml:"host,attr,omitempty"`
	URLs       []string `xml:"urn:vext:autosync:0 url"`
}

// A loginElement says on which machine a resource is, when it logs in, and in presence.
type loginElement struct {
	XMLName xml.Name `xml:"urn:vext:autosync:0 login"`
	Host    string   `xml:"host,attr"`
}

func pushPayload(p Push) []byte {
	e := pushElement{Repository: p.Repository, Remote: p.Remote, Branch: p.Branch, Old: p.Old, New: p.New, Host: p.Host, URLs: p.URLs}
	data, err := xml.Marshal(e)
	if err != nil {
		return nil // the words of the body are enough
	}
	return data
}

func loginPayload(host string) []byte {
	data, err := xml.Marshal(loginElement{Host: host})
	if err != nil {
		return nil
	}
	return data
}

// command takes a message apart as dvcs-autosync does. The first word is in lower case.
func command(body string) (word, rest string) {
	word, rest, _ = strings.Cut(strings.TrimSpace(body), " ")
	return strings.ToLower(word), strings.TrimSpace(rest)
}

// parsePushed returns what a message says that begins with pushed: its element if that is
// understood, else the URL behind the word.
func parsePushed(rest string, payload []byte) Push {
	var e pushElement
	if len(payload) > 0 && len(payload) <= maxPush && xml.Unmarshal(payload, &e) == nil {
		p := Push{Repository: e.Repository, Remote: e.Remote, Branch: e.Branch, Old: e.Old, New: e.New, Host: e.Host}
		if isUnderstood(&p) {
			p.URLs = fetchURLs(e.URLs)
			return p
		}
	}
	return Push{Remote: pushedURL(rest)}
}

// pushedURL returns the URL of a message. In Python 3, dvcs-autosync writes it as b'URL\n'.
func pushedURL(s string) string {
	s = strings.TrimSpace(s)
	for _, quote := range []string{"'", `"`} {
		if inner, ok := strings.CutPrefix(s, "b"+quote); ok && strings.HasSuffix(inner, quote) {
			s = strings.TrimSuffix(inner, quote)
			s = strings.TrimSuffix(strings.TrimSuffix(s, `\n`), `\r`)
		}
	}
	if s = strings.TrimSpace(s); !isWord(s, maxURL) {
		return ""
	}
	return s
}

// hash is the name of a commit in any version control.
var hash = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._:-]{0,199}$`)

// isUnderstood reports whether a push is one that vext could have announced. None of its words
// can become an option of a program.
func isUnderstood(p *Push) bool {
	for _, name := range []string{p.Old, p.New} {
		if name != "" && !hash.MatchString(name) {
			return false
		}
	}
	return isWord(p.Repository, maxURL) && isWord(p.Remote, maxURL) && isWord(p.Branch, maxURL) && isWord(p.Host, maxHost)
}

// isWord reports whether a text has a bound, no control characters, and no dash at its
// beginning.
func isWord(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && !strings.HasPrefix(s, "-") && !strings.ContainsFunc(s, text.IsControl)
}

// fetchURLs returns those of the URLs that another machine sends from which may be fetched.
func fetchURLs(all []string) (urls []string) {
	for _, u := range all {
		if weburl.IsFetch(u) && len(urls) < maxURLs {
			urls = append(urls, u)
		}
	}
	return urls
}

// resourceOf returns the resource of a full JID.
func resourceOf(jid string) string {
	_, resource, _ := strings.Cut(jid, "/")
	return resource
}

// ours is a resource of vext: vext-HOST-RANDOM.
var ours = regexp.MustCompile(`^vext-(.+)-[0-9a-f]{8}$`)

// theirs begins a resource of dvcs-autosync.
const theirs = "AutosyncJabberBot on "

// machineOf returns the machine that a resource is on, "" when it may be a person's client.
func machineOf(resource string) string {
	if match := ours.FindStringSubmatch(resource); match != nil {
		return bounded(match[1])
	}
	if host, ok := strings.CutPrefix(resource, theirs); ok {
		return bounded(host)
	}
	return ""
}

// hostOf returns the machine that a resource is on, or else the resource.
func hostOf(resource string) string {
	if host := machineOf(resource); host != "" {
		return host
	}
	return bounded(resource)
}

// loginHost returns the machine that has logged in.
func loginHost(payload []byte, resource string) string {
	return cmp.Or(saysHost(payload), hostOf(resource))
}

// presenceHost returns the machine of a resource, "" when it may be a person's client.
func presenceHost(payload []byte, resource string) string {
	return cmp.Or(saysHost(payload), machineOf(resource))
}

// saysHost returns the machine that an element names, "" for none.
func saysHost(payload []byte) string {
	var e loginElement
	if len(payload) > 0 && len(payload) <= maxPush && xml.Unmarshal(payload, &e) == nil && isWord(e.Host, maxHost) {
		return e.Host
	}
	return ""
}

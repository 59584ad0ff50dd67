package xmpp

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// Namespaces.
const (
	nsClient    = "jabber:client"
	nsStream    = "http://etherx.jabber.org/streams"
	nsStreams   = "urn:ietf:params:xml:ns:xmpp-streams"
	nsStanzas   = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsTLS       = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL      = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind      = "urn:ietf:params:xml:ns:xmpp-bind"
	nsBinding   = "urn:xmpp:sasl-cb:0" // XEP-0440
	nsPing      = "urn:xmpp:ping"
	nsDisco     = "http://jabber.org/protocol/disco#info"
	nsReceipts  = "urn:xmpp:receipts"
	nsDelay     = "urn:xmpp:delay"
	nsOldDelay  = "jabber:x:delay"
	nsCarbons   = "urn:xmpp:carbons:2"
	nsForward   = "urn:xmpp:forward:0"
	nsHints     = "urn:xmpp:hints"
	nsMUC       = "http://jabber.org/protocol/muc"
	nsMUCUser   = "http://jabber.org/protocol/muc#user"
	nsOurs      = "urn:vext:" // the beginning of ours
	nsXML       = "http://www.w3.org/XML/1998/namespace"
	attrType    = "type"
	typeError   = "error"
	typeResult  = "result"
	unavailable = "unavailable"
)

// Bounds of an element. What exceeds them is read, and ignored as a whole, so that nobody
// can end the connection with it.
const (
	maxElements = 1000
	maxDepth    = 30
	maxAttrs    = 1000
	maxText     = 256 << 10
)

// An element is one of XML, with what is in it. Where its text is among its children is
// not recorded: XMPP has no mixed content.
type element struct {
	name     xml.Name
	attrs    []xml.Attr
	text     string
	children []*element
}

// node returns an element with pairs of attributes; pairs with an empty value are left out.
func node(space, local string, attrs ...string) *element {
	e := &element{name: xml.Name{Space: space, Local: local}}
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			e.attrs = append(e.attrs, xml.Attr{Name: xml.Name{Local: attrs[i]}, Value: attrs[i+1]})
		}
	}
	return e
}

// with adds children.
func (e *element) with(children ...*element) *element {
	e.children = append(e.children, children...)
	return e
}

// containing sets the text.
func (e *element) containing(text string) *element {
	e.text = text
	return e
}

func (e *element) is(space, local string) bool { return e.name.Space == space && e.name.Local == local }

// attr returns an attribute without a namespace, "" if there is none.
func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// child returns the first child of a name, nil if there is none. A nil element has none.
func (e *element) child(space, local string) *element {
	if e != nil {
		for _, c := range e.children {
			if c.is(space, local) {
				return c
			}
		}
	}
	return nil
}

// content returns the text of the first child of a name.
func (e *element) content(space, local string) string {
	if c := e.child(space, local); c != nil {
		return c.text
	}
	return ""
}

// condition returns the first child in the namespace of errors, and the text beside it.
func (e *element) condition(space string) (condition, text string) {
	if e == nil {
		return "", ""
	}
	for _, c := range e.children {
		if c.name.Space != space {
			continue
		}
		if c.name.Local == "text" {
			text = c.text
		} else if condition == "" {
			condition = c.name.Local
		}
	}
	return condition, text
}

// encode returns an element as it is sent, where parent is the namespace around it. What
// XML cannot contain becomes U+FFFD.
func (e *element) encode(parent string) []byte {
	var b bytes.Buffer
	e.write(&b, parent)
	return b.Bytes()
}

func (e *element) write(b *bytes.Buffer, parent string) {
	attribute := func(name, value string) {
		b.WriteString(" " + name + `="`)
		xml.EscapeText(b, []byte(value))
		b.WriteString(`"`)
	}
	b.WriteString("<" + e.name.Local)
	if e.name.Space != parent {
		attribute("xmlns", e.name.Space)
	}
	for _, a := range e.attrs {
		switch a.Name.Space {
		case "":
			attribute(a.Name.Local, a.Value)
		case nsXML:
			attribute("xml:"+a.Name.Local, a.Value)
		}
	}
	if e.text == "" && len(e.children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteString(">")
	xml.EscapeText(b, []byte(e.text))
	for _, c := range e.children {
		c.write(b, e.name.Space)
	}
	b.WriteString("</" + e.name.Local + ">")
}

var (
	errRestricted = errors.New("the server sent XML that XMPP does not allow")
	errTooLarge   = errors.New("the element is too large")
)

// A builder reads an element, within the bounds.
type builder struct {
	elements, attrs, text int
}

// build reads the rest of an element. It returns errTooLarge after it has read all of one
// that exceeds the bounds.
func build(d xml.TokenReader, start xml.StartElement) (*element, error) {
	var b builder
	root := &element{}
	b.fill(root, start)
	open := []*element{root} // as deep as is kept
	texts := [][]byte{nil}
	for depth := 1; depth > 0; {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			if depth > maxDepth || b.elements >= maxElements {
				b.elements = maxElements + 1
				continue
			}
			child, parent := &element{}, open[len(open)-1]
			b.fill(child, token)
			parent.children = append(parent.children, child)
			open, texts = append(open, child), append(texts, nil)
		case xml.EndElement:
			if depth == len(open) {
				last := len(open) - 1
				open[last].text = string(texts[last])
				open, texts = open[:last], texts[:last]
			}
			depth--
		case xml.CharData:
			if b.text += len(token); b.text <= maxText && depth == len(open) {
				texts[depth-1] = append(texts[depth-1], token...)
			}
		default:
			return nil, errRestricted
		}
	}
	if b.elements > maxElements || b.attrs > maxAttrs || b.text > maxText {
		return nil, errTooLarge
	}
	return root, nil
}

// fill sets the name and the attributes of an element.
func (b *builder) fill(e *element, start xml.StartElement) {
	if b.elements++; !isName(start.Name.Local) {
		b.elements = maxElements + 1
	}
	e.name = start.Name
	for _, a := range start.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		if b.attrs++; !isName(a.Name.Local) {
			b.attrs = maxAttrs + 1
		}
		b.text += len(a.Value)
		if b.attrs <= maxAttrs && b.text <= maxText {
			e.attrs = append(e.attrs, a)
		}
	}
}

// isName reports whether a name begins as all names in XMPP do. The decoder does not check
// what is behind a prefix.
func isName(local string) bool {
	return local != "" && (local[0] == '_' || 'a' <= local[0]|0x20 && local[0]|0x20 <= 'z')
}

// parse reads a document of one element.
func parse(data []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			e, err := build(d, token)
			if err != nil {
				return nil, err
			}
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return nil, errors.New("there is more than one element")
			}
			return e, nil
		case xml.CharData:
			if strings.TrimSpace(string(token)) == "" {
				continue
			}
		}
		return nil, errRestricted
	}
}

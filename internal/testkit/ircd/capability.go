package ircd

import (
	"crypto/tls"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// capability answers CAP (IRCv3, capability negotiation).
func (c *client) capability(script Script, m Message) {
	offered := slices.Clone(script.Caps)
	if len(script.SASL) > 0 {
		offered = append(offered, "sasl="+strings.Join(script.SASL, ","))
	}
	who := c.nick
	if who == "" {
		who = "*"
	}
	switch strings.ToUpper(m.Param(0)) {
	case "LS":
		c.negotiates = c.welcomeAs() == ""
		if version, _ := strconv.Atoi(m.Param(1)); version < 302 {
			for i, o := range offered {
				offered[i], _, _ = strings.Cut(o, "=")
			}
		}
		c.reply(":%s CAP %s LS :%s", serverName, who, strings.Join(offered, " "))
	case "REQ":
		c.negotiates = c.welcomeAs() == ""
		verdict := "ACK"
		wanted := strings.Fields(m.Param(1))
		for _, name := range wanted {
			known := slices.ContainsFunc(offered, func(o string) bool { o, _, _ = strings.Cut(o, "="); return o == strings.TrimPrefix(name, "-") })
			if !known || slices.Contains(script.Nak, name) {
				verdict = "NAK"
			}
		}
		for _, name := range wanted {
			if verdict == "ACK" {
				c.caps[strings.TrimPrefix(name, "-")] = !strings.HasPrefix(name, "-")
			}
		}
		c.reply(":%s CAP %s %s :%s", serverName, who, verdict, m.Param(1))
	case "END":
		c.negotiates = false
	}
}

// authenticate answers AUTHENTICATE (IRCv3, SASL 3.1; PLAIN is RFC 4616,
// EXTERNAL is RFC 4422, appendix A).
func (c *client) authenticate(script Script, param string) {
	switch {
	case !c.caps["sasl"]:
		c.numeric(904, "", "SASL authentication failed")
	case param == "*":
		c.mechanism = ""
		c.numeric(906, "", "SASL authentication aborted")
	case c.mechanism == "" && !slices.Contains(script.SASL, param):
		c.numeric(908, strings.Join(script.SASL, ","), "are available SASL mechanisms")
		c.numeric(904, "", "SASL authentication failed")
	case c.mechanism == "":
		c.mechanism = param
		c.reply("AUTHENTICATE +")
	case c.mechanism == "PLAIN" && plain(script, param), c.mechanism == "EXTERNAL" && c.hasCertificate():
		c.mechanism = ""
		c.numeric(900, c.prefix()+" account", "You are now logged in")
		c.numeric(903, "", "SASL authentication successful")
	default:
		c.mechanism = ""
		c.numeric(904, "", "SASL authentication failed")
	}
}

// plain reports whether a response to PLAIN has an account and its password.
func plain(script Script, response string) bool {
	text, err := base64.StdEncoding.DecodeString(response)
	if err != nil {
		return false
	}
	fields := strings.Split(string(text), "\x00")
	if len(fields) != 3 {
		return false
	}
	password, known := script.Accounts[fields[1]]
	return known && password == fields[2]
}

func (c *client) hasCertificate() bool {
	conn, ok := c.conn.(*tls.Conn)
	return ok && len(conn.ConnectionState().PeerCertificates) > 0
}

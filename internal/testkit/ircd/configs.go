package ircd

import (
	"fmt"
	"strings"

	"vext/internal/testkit"
)

// serverName is what all servers are called.
const serverName = "irc.example.org"

// ngircd returns the configuration, as ngircd.conf(5) has it.
func (s *Server) ngircd() string {
	o := s.options
	penalty := 0
	if o.Flood != Free {
		penalty = -1
	}
	text := fmt.Sprintf(`[Global]
Name = %s
Info = A test
AdminEMail = nobody@example.org
Network = Example
Listen = %s
Ports = %d
MotdPhrase = Hello
Password = %s
[Limits]
MaxConnectionsIP = 0
MaxJoins = %d
MaxNickLength = %d
MaxPenaltyTime = %d
[Options]
DNS = no
Ident = no
PAM = no
`, serverName, o.Host, testkit.Port(s.Addr), o.Password, o.MaxChannels, o.NickLength, penalty)
	if o.TLS {
		text += fmt.Sprintf("[SSL]\nCertFile = %s\nKeyFile = %s\nPorts = %d\n", s.path(certFile), s.path(keyFile), testkit.Port(s.TLSAddr))
	}
	return text
}

// What inspircd loads for clients of IRCv3.
var modern = []string{"ircv3", "ircv3_batch", "ircv3_echomessage", "ircv3_labeledresponse"}

// inspircd returns the configuration, of the form of InspIRCd's examples.
func (s *Server) inspircd() string {
	o := s.options
	limits := `commandrate="1000000" threshold="1000000" fakelag="no" recvq="1M"`
	switch o.Flood {
	case Lag:
		limits = `commandrate="1000" threshold="10" fakelag="yes" recvq="10K"`
	case Kill:
		limits = `commandrate="1000" threshold="10" fakelag="no" recvq="10K"`
	}
	channels := o.MaxChannels
	if channels == 0 {
		channels = 10_000
	}
	modules := []string{"cap"}
	if !o.Plain {
		modules = append(modules, modern...)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<server name=%q id="1AA" description="A test" network="Example">
<admin name="Nobody" nick="nobody" email="nobody@example.org">
<path configdir=%[2]q datadir=%[2]q logdir=%[2]q runtimedir=%[2]q>
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="inspircd.log">
<limits maxnick="%[3]d">
<options defaultmodes="not">
<bind address=%[4]q port="%[5]d" type="clients">
<connect name="all" allow="*" password=%[6]q maxchans="%[7]d" timeout="20" pingfreq="2m" hardsendq="64M" softsendq="64M"
 %[8]s localmax="10000" globalmax="10000" limit="10000" maxconnwarn="no" resolvehostnames="no" useident="no">
`, serverName, s.dir, o.NickLength, o.Host, testkit.Port(s.Addr), o.Password, channels, limits)
	if o.TLS {
		modules = append(modules, "ssl_gnutls", "sslinfo")
		fmt.Fprintf(&b, `<sslprofile name="clients" provider="gnutls" certfile=%q keyfile=%q requestclientcert="yes" hash="sha256">
<bind address=%q port="%d" type="clients" sslprofile="clients">
`, s.path(certFile), s.path(keyFile), o.Host, testkit.Port(s.TLSAddr))
	}
	if s.linkAddr != "" {
		modules = append(modules, "spanningtree", "services_account", "sasl")
		fmt.Fprintf(&b, `<bind address=%[1]q port="%[2]d" type="servers">
<link name=%[3]q ipaddr=%[1]q port="1" allowmask="*" sendpass=%[4]q recvpass=%[4]q>
<uline server=%[3]q>
<sasl target=%[3]q requiressl="no">
`, o.Host, testkit.Port(s.linkAddr), servicesName, servicesPassword)
	}
	for _, m := range modules {
		fmt.Fprintf(&b, "<module name=%q>\n", m)
	}
	return b.String()
}

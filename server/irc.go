package server

import (
	"cmp"
	"fmt"
	"strings"

	"vext/internal/config"
	"vext/internal/target"
	"vext/notify/irc"
)

const ircHint = "see [irc] and [[network]] in vext.toml(5)"

// ircSettings returns the settings of the network of a target.
func ircSettings(c *config.Config) (func(*target.Target) irc.Settings, error) {
	usual := irc.Default()
	if err := setIRC(&usual, &c.IRC); err != nil {
		return nil, fmt.Errorf("irc: %w", err)
	}
	networks := map[string]irc.Settings{}
	for i := range c.Networks {
		n := &c.Networks[i]
		server, err := n.Server()
		if err != nil {
			return nil, err
		}
		one := irc.Default()
		if err := setIRC(&one, &n.IRC); err != nil {
			return nil, fmt.Errorf("network %s: %w", n.URL, err)
		}
		networks[server] = one
	}
	return func(t *target.Target) irc.Settings {
		if one, ok := networks[t.Server()]; ok {
			return one
		}
		return usual
	}, nil
}

// setIRC sets what the configuration has.
func setIRC(s *irc.Settings, c *config.IRC) error {
	s.Nick, s.User, s.Realname = cmp.Or(c.Nick, s.Nick), cmp.Or(c.User, s.User), cmp.Or(c.Realname, s.Realname)
	s.Connections, s.Proxy, s.Account = cmp.Or(c.Connections, s.Connections), c.Proxy, c.Account
	if c.SASL != "none" {
		s.SASL = strings.ToUpper(c.SASL)
	}
	s.Notice, s.NoColors = c.Command == "notice", c.Colors == config.NoColors
	setTo(&s.Burst, c.Burst)
	setTo(&s.Rate, c.Rate)
	setTo(&s.BacklogLines, c.BacklogLines)
	setTo(&s.NickServ, c.NickServ)
	if c.BacklogAge != nil {
		s.BacklogAge = c.BacklogAge.Duration
	}
	var tlsErr, passwordErr, serverErr error
	s.TLS, tlsErr = irc.TLSConfig(c.CA, c.Certificate, c.Key)
	s.Password, passwordErr = c.Secret()
	s.ServerPassword, serverErr = c.ServerSecret()
	return cmp.Or(tlsErr, passwordErr, serverErr)
}

// setTo sets a value unless it is nil.
func setTo[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

package server

import (
	"fmt"
	"strings"

	"vext/internal/config"
	"vext/internal/target"
	"vext/notify/irc"
)

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
	set(&s.Nick, c.Nick)
	set(&s.User, c.User)
	set(&s.Realname, c.Realname)
	set(&s.Connections, c.Connections)
	set(&s.Proxy, c.Proxy)
	if c.SASL != "none" {
		set(&s.SASL, strings.ToUpper(c.SASL))
	}
	set(&s.Account, c.Account)
	if c.Command != "" {
		s.Notice = c.Command == "notice"
	}
	if c.Colors != "" {
		s.NoColors = c.Colors == config.NoColors
	}
	setTo(&s.Burst, c.Burst)
	setTo(&s.Rate, c.Rate)
	setTo(&s.BacklogLines, c.BacklogLines)
	setTo(&s.NickServ, c.NickServ)
	if c.BacklogAge != nil {
		s.BacklogAge = c.BacklogAge.Duration
	}
	if c.CA != "" || c.Certificate != "" {
		tls, err := irc.TLSConfig(c.CA, c.Certificate, c.Key)
		if err != nil {
			return err
		}
		s.TLS = tls
	}
	password, err := c.Secret()
	if err != nil {
		return err
	}
	set(&s.Password, password)
	password, err = c.ServerSecret()
	set(&s.ServerPassword, password)
	return err
}

// set sets a value that is not zero.
func set[T comparable](to *T, value T) {
	var zero T
	if value != zero {
		*to = value
	}
}

// setTo sets a value that is there.
func setTo[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

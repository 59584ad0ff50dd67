package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"vext/internal/socket"
)

// Control is the socket by which the users of this machine reach vext serve.
type Control struct {
	Socket string `toml:"socket"` // path; "" for none
	Domain string `toml:"domain"` // of the users' addresses: login@domain
}

// Users are the addresses of users of this machine, by their logins. In the file
// each is one string, or a list.
type Users map[string][]string

// readUsers reads the table [users].
func readUsers(table map[string]any) (Users, error) {
	users := Users{}
	for login, value := range table {
		if login == "" || strings.ContainsAny(login, " \t@:/") {
			return nil, fmt.Errorf("users: %q is not a login", login)
		}
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		users[login] = []string{}
		for _, one := range list {
			address, ok := one.(string)
			local, domain, _ := strings.Cut(address, "@")
			if !ok || local == "" || domain == "" || strings.ContainsAny(address, "*? <>") {
				return nil, fmt.Errorf("users.%s: needs an address such as \"jane@example.org\", or a list of some, without patterns; not %q", login, fmt.Sprint(one))
			}
			users[login] = append(users[login], address)
		}
	}
	return users, nil
}

// checkControl checks [control] and [users].
func (c *Config) checkControl() (err error) {
	if c.Users, err = readUsers(c.UsersTable); err != nil {
		return err
	}
	path, domain := c.Control.Socket, c.Control.Domain
	switch {
	case path != "" && (!filepath.IsAbs(path) || len(path) > socket.MaxPath):
		return fmt.Errorf("control.socket: needs an absolute path, of at most %d bytes, not %q", socket.MaxPath, path)
	case strings.ContainsAny(domain, "@ *?"):
		return fmt.Errorf("control.domain: needs the part after the @, not %q", domain)
	case path == "" && domain != "":
		return errors.New("control.domain is set, but control.socket is not")
	case path == "" && len(c.Users) > 0:
		return errors.New("there is a table [users], but control.socket is not set")
	case path != "" && domain == "" && len(c.Users) == 0:
		return errors.New("control.socket is set, but neither domain nor a table [users] gives the addresses of users")
	}
	return nil
}

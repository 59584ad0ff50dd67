package control

import (
	"context"
	"fmt"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// Users maps the users of this machine to their addresses.
type Users struct {
	// Table has the addresses of some users, by their logins.
	Table map[string][]string
	// Domain makes login@Domain the address of every user who is not in the
	// table; "" makes none.
	Domain string
}

// Addresses returns the addresses of a user, none for a user who is not a
// committer.
func (u *Users) Addresses(login string) []string {
	if own, listed := u.Table[login]; listed {
		return own
	}
	if u.Domain == "" {
		return nil
	}
	return []string{login + "@" + u.Domain}
}

// Has reports whether an address belongs to a user of this machine.
func (u *Users) Has(address string) bool {
	for login, own := range u.Table {
		if Contains(own, address) && exists(login) {
			return true
		}
	}
	local, domain, _ := strings.Cut(address, "@")
	if u.Domain == "" || !strings.EqualFold(domain, u.Domain) {
		return false
	}
	for _, login := range []string{local, strings.ToLower(local)} {
		if _, listed := u.Table[login]; !listed && exists(login) {
			return true
		}
	}
	return false
}

// Contains reports whether a list has an address. Case does not matter.
func Contains(addresses []string, address string) bool {
	for _, a := range addresses {
		if strings.EqualFold(a, address) {
			return true
		}
	}
	return false
}

// login returns the name of a user.
func (u *Users) login(uid uint32) (string, error) {
	id := strconv.FormatUint(uint64(uid), 10)
	if known, err := user.LookupId(id); err == nil {
		return known.Username, nil
	}
	return askSystem("-un", id)
}

// exists reports whether the machine has a user of that name.
func exists(login string) bool {
	if login == "" || strings.HasPrefix(login, "-") {
		return false
	}
	if _, err := user.Lookup(login); err == nil {
		return true
	}
	_, err := askSystem("-u", login)
	return err == nil
}

// lookupTime bounds how long a directory service may take.
const lookupTime = 5 * time.Second

// askSystem runs id(1). It also finds users in a directory such as LDAP, which Go finds
// only with cgo, and vext is built without cgo.
func askSystem(option, who string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "id", option, who).Output()
	name := strings.TrimSpace(string(out))
	if err != nil || name == "" || name == who { // no name, only the number again
		return "", fmt.Errorf("id %s %s: no such user", option, who)
	}
	return name, nil
}

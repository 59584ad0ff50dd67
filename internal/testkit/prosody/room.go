package prosody

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Room is a room of MUC that exists before anybody joins it.
type Room struct {
	Name     string // before the @
	Password string
	Members  bool     // lets only members in
	Outcasts []string // JIDs of banned users
}

// JID returns the address of the room.
func (r *Room) JID() string { return r.Name + "@" + MUC }

// AddRoom makes a room that nobody has joined since the server started, as the server itself
// stores one.
func (s *Server) AddRoom(r Room) {
	s.t.Helper()
	var outcasts strings.Builder
	for _, jid := range r.Outcasts {
		fmt.Fprintf(&outcasts, "[%q] = \"outcast\"; ", jid)
	}
	data := fmt.Sprintf("[\"persistent\"] = true; [\"members_only\"] = %t; ", r.Members)
	if r.Password != "" {
		data += fmt.Sprintf("[\"password\"] = %q; ", r.Password)
	}
	dir := filepath.Join(s.Dir, "data", strings.ReplaceAll(MUC, ".", "%2e"), "config")
	s.ok(os.MkdirAll(dir, 0o755))
	s.ok(os.WriteFile(filepath.Join(dir, r.Name+".dat"), fmt.Appendf(nil,
		"return { [\"_jid\"] = %q; [\"_data\"] = { %s}; %s};\n", r.JID(), data, &outcasts), 0o644))
}

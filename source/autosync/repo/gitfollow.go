package repo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"vext/internal/program"
)

// A remoteBranch says which branch of a remote a work tree follows.
type remoteBranch struct {
	local    string // the branch that is checked out, "refs/heads/main"
	remote   string // its name; "" when there is none
	branch   string // at the remote, "main"
	tracking string // the ref that has the commit of the remote branch
	settings settings
}

// Refs of autosync. Those with a name below them have it from seenRef.
const (
	refsDir   = "refs/vext/autosync/"
	directRef = refsDir + "direct"  // the last commit that was fetched from a peer, not from the remote
	beforeDir = refsDir + "before/" // what was there before each integration
)

// follow finds out which remote branch the work tree follows. Its remote is "" without one.
func (g *gitRepo) follow(ctx context.Context) (remoteBranch, error) {
	u, err := g.upstream(ctx)
	if err != nil || u.remote == "" {
		return remoteBranch{}, err
	}
	if u.local == "" {
		return remoteBranch{}, &BusyError{"HEAD is detached: no branch is checked out"}
	}
	f := remoteBranch{local: "refs/heads/" + u.local, remote: u.remote, branch: u.branch, settings: u.settings}
	if len(f.settings["remote."+f.remote+".url"]) == 0 && !strings.ContainsAny(f.remote, "/:") {
		return f, &StoppedError{fmt.Sprintf("there is no remote %q; add it with: git remote add %[1]s URL", f.remote)}
	}
	f.tracking = f.trackingRef()
	return f, nil
}

// url returns the URL of the remote.
func (f remoteBranch) url() string {
	if url := f.settings.last("remote." + f.remote + ".url"); url != "" {
		return url
	}
	return f.remote
}

// trackingRef returns the ref into which the configured refspecs fetch the branch, or one of
// autosync when they do not fetch it.
func (f remoteBranch) trackingRef() string {
	source := "refs/heads/" + f.branch
	for _, spec := range f.settings["remote."+f.remote+".fetch"] {
		from, to, _ := strings.Cut(strings.TrimPrefix(spec, "+"), ":")
		if to == "" || strings.HasPrefix(from, "^") {
			continue
		}
		if from == source {
			return to
		}
		before, after, isPattern := strings.Cut(from, "*")
		if isPattern && len(source) >= len(before)+len(after) && strings.HasPrefix(source, before) && strings.HasSuffix(source, after) {
			if to = strings.Replace(to, "*", source[len(before):len(source)-len(after)], 1); to != f.local {
				return to
			}
		}
	}
	return refsDir + "remote/" + f.key()
}

// seenRef returns the ref that has the last commit of the remote branch which was integrated
// or pushed. It is there once for each branch: a person may check out another one.
func (f remoteBranch) seenRef() string { return refsDir + "upstream/" + f.key() }

// key names the remote branch as one part of the name of a ref.
func (f remoteBranch) key() string {
	var b strings.Builder
	for _, c := range []byte(f.remote + "/" + f.branch) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c >= 0x80 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// String names the remote branch for a person.
func (f remoteBranch) String() string { return f.remote + "/" + f.branch }

// refValues returns the commits of these refs; "" for one that is not there.
func (g *gitRepo) refValues(ctx context.Context, names ...string) (map[string]string, error) {
	if values, ok := g.readRefs(names...); ok {
		return values, nil
	}
	out, err := g.git(ctx, append([]string{"for-each-ref", "--format=%(refname) %(objectname)"}, names...)...)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for line := range strings.Lines(out) {
		name, hash, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		values[name] = hash
	}
	return values, nil
}

// isAncestor reports whether a commit is in the history of another one.
func (g *gitRepo) isAncestor(ctx context.Context, commit, of string) (bool, error) {
	if commit == of {
		return true, nil
	}
	_, err := g.git(ctx, "merge-base", "--is-ancestor", commit, of)
	var failure *program.Error
	if errors.As(err, &failure) && failure.Status() == 1 {
		return false, nil
	}
	return err == nil, err
}

// short shortens a hash for a person.
func short(hash string) string { return hash[:min(len(hash), 10)] }

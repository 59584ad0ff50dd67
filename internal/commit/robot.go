package commit

import (
	"slices"
	"strings"
)

// robots are local parts of programs' addresses, without dots, hyphens and
// underscores: of forges, version control systems, mail systems.
var robots = []string{
	"github", "gitlab", "gitea", "forgejo", "gogs", "bitbucket", "git", "svn", "hg", "cvs",
	"notification", "notifications", "commit", "commits", "jenkins", "mailerdaemon", "wwwdata", "robot",
}

// IsRobot reports whether nobody reads mail to the person's address, because it is a
// program's, such as a forge's, or does not accept mail: noreply@, or what a forge
// shows in place of a private address (ID+login@users.noreply.github.com).
func (p Person) IsRobot() bool {
	local, domain, ok := strings.Cut(strings.ToLower(p.Email), "@")
	if !ok {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "noreply" || label == "no-reply" {
			return true
		}
	}
	if isBot(local) {
		return true
	}
	local, _, _ = strings.Cut(local, "+")
	local = strings.NewReplacer(".", "", "-", "", "_", "").Replace(local)
	for _, word := range []string{"noreply", "donotreply", "dontreply", "dontrespond", "donotrespond"} {
		if strings.Contains(local, word) {
			return true
		}
	}
	return slices.Contains(robots, local)
}

// isBot recognises build-bot, listbot and dependabot[bot], but not abbot or
// talbot.
func isBot(local string) bool {
	before, ok := strings.CutSuffix(local, "bot")
	switch {
	case !ok:
		return strings.HasSuffix(local, "[bot]")
	case before == "" || !isLetter(before[len(before)-1]):
		return true
	}
	for _, kind := range []string{"list", "build", "commit", "git", "github", "gitlab", "llvm", "svn", "mail", "merge"} {
		if strings.HasSuffix(before, kind) {
			return true
		}
	}
	return false
}

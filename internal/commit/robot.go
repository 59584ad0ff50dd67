package commit

import (
	"slices"
	"strings"
)

// robots are local parts, without dots, hyphens and underscores, behind which
// there is a program: forges, version control systems, mail systems.
var robots = []string{
	"github", "gitlab", "gitea", "forgejo", "gogs", "bitbucket", "git", "svn", "hg", "cvs",
	"notification", "notifications", "commit", "commits", "jenkins", "mailerdaemon", "wwwdata", "robot",
}

// IsRobot reports whether the person's address is a program's, or one that
// delivers to nobody: noreply@, a forge's own, the address that a forge shows in
// place of one that is kept private (ID+login@users.noreply.github.com). Nobody
// reads mail to such an address.
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

// Package forge reads the JSON by which forges describe a push, in a webhook or on
// standard input.
package forge

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vext/internal/commit"
	"vext/internal/text"
)

// A Kind is the form of a forge's JSON.
type Kind string

// The known forges.
const (
	GitHub          Kind = "GitHub"
	GitLab          Kind = "GitLab"
	Gitea           Kind = "Gitea"
	Forgejo         Kind = "Forgejo"
	Gogs            Kind = "Gogs"
	BitbucketCloud  Kind = "Bitbucket Cloud"
	BitbucketServer Kind = "Bitbucket Server"
	Azure           Kind = "Azure DevOps"
)

// ErrOther is the error for an event that is not a push of commits, such as a push of
// tags. Nothing is wrong with such an event.
var ErrOther = errors.New("not a push of commits")

func other(what string) error { return fmt.Errorf("%w: %.80q", ErrOther, what) }

// missing is the error for an event without a member that every push has. If its header
// does not name the event, it is another one.
func missing(event, member string) error {
	if event == "" {
		return other("an event without " + member)
	}
	return errors.New(member + " is missing")
}

// A Push describes the changes of branches in one repository.
type Push struct {
	Kind       Kind
	Repository string // such as owner/name
	// Names has all names of the repository in the payload, with its URLs. A name
	// without its owner is not among them, because everybody's repository can have it.
	Names   []string
	Updates []Update
}

// An Update describes the change of one branch.
type Update struct {
	Refname string          // refs/heads/main
	Before  string          // the hash that the branch had, "" when it is new
	After   string          // the hash that it has, "" when it was deleted
	Commits []commit.Commit // those that the payload describes, oldest first
	// Incomplete is set when the payload does not, or may not, describe all commits.
	Incomplete bool
	Listed     int // how many commits it describes
	Total      int // how many there are, 0 where the payload does not say
	// Page is the URL of a page that shows all of them, "" where the payload
	// names none.
	Page string
}

// Read reads the payload of a forge as Parse does, or the object of vext's own hooks, which
// is a push of one commit. kind is "" when only the payload shows it.
func Read(kind Kind, event string, data []byte) (*Push, error) {
	if kind == "" {
		kind, _ = Recognise(data)
	}
	if kind != "" {
		p, err := Parse(kind, event, data)
		if err != nil {
			return p, fmt.Errorf("an event of %s: %w", kind, err)
		}
		return p, nil
	}
	c, err := commit.ParseJSON(data)
	if err != nil {
		return nil, err
	}
	u := Update{Refname: c.Refname, After: c.Revision, Commits: []commit.Commit{c}, Listed: 1, Total: 1}
	return &Push{Repository: c.Repository, Updates: []Update{u}}, nil
}

// Parse reads the payload of an event. The header of a webhook's request names the
// event; "" stands for no header. Members that are not needed may have any type. With
// ErrOther the push has the names of the repository, as far as they are known.
func Parse(kind Kind, event string, data []byte) (*Push, error) {
	parse := map[Kind]func(*Push, string, []byte) error{
		GitHub: (*Push).github, Gitea: (*Push).github, Forgejo: (*Push).github, Gogs: (*Push).github,
		GitLab: (*Push).gitlab, BitbucketCloud: (*Push).bitbucketCloud,
		BitbucketServer: (*Push).bitbucketServer, Azure: (*Push).azure,
	}[kind]
	if parse == nil {
		return nil, fmt.Errorf("no forge of the kind %q is known", kind)
	}
	p := &Push{Kind: kind}
	err := parse(p, event, data)
	switch {
	case errors.Is(err, ErrOther):
		return p, err
	case err != nil:
		return nil, err
	case len(p.Updates) == 0:
		return p, fmt.Errorf("%w: it changes no branch", ErrOther)
	case p.Repository == "":
		return nil, errors.New("it does not name its repository")
	}
	return p, nil
}

// decode reads JSON into v. A member of an unexpected type counts as missing.
func decode(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
		return fmt.Errorf("not JSON: %w", err)
	}
	return nil
}

// maxFact bounds each fact about a commit but its message, in bytes. Longer names of
// branches are impossible in git.
const maxFact = 1000

// name sets the names of the repository, the best of them first.
func (p *Push) name(names ...string) {
	for _, name := range names {
		name = strings.Join(strings.Fields(text.OneLine(name)), " ")
		if len(name) > maxFact || commit.RepositoryName(name) == "" || slices.Contains(p.Names, name) {
			continue
		}
		p.Names = append(p.Names, name)
	}
	if len(p.Names) > 0 {
		p.Repository = commit.RepositoryName(p.Names[0])
	}
}

// add adds the update of a branch. It ignores a tag.
func (p *Push) add(refname, before, after string) error {
	if isTag(refname) {
		return nil
	}
	u, err := newUpdate(refname, before, after)
	p.Updates = append(p.Updates, u)
	return err
}

// alive returns how many of the branches still exist.
func (p *Push) alive() (n int) {
	for i := range p.Updates {
		if p.Updates[i].After != "" {
			n++
		}
	}
	return n
}

// newUpdate returns the update of one ref from one hash to another. ref may be the name
// of a branch without refs/heads/, as Bitbucket's and Mercurial's.
func newUpdate(ref, before, after string) (Update, error) {
	ref = text.OneLine(ref)
	if ref == "" || len(ref) > maxFact {
		return Update{}, fmt.Errorf("not the name of a branch: %.80q", ref)
	}
	if !strings.HasPrefix(ref, "refs/") {
		ref = "refs/heads/" + ref
	}
	u := Update{Refname: ref}
	var err, beforeErr error
	if before != "" { // some payloads have none
		u.Before, beforeErr = endOf(before)
	}
	u.After, err = endOf(after)
	return u, cmp.Or(beforeErr, err)
}

// page returns the URL of a page, "" for anything else.
func page(url string) string {
	if url = text.OneLine(url); len(url) > maxFact || !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
		return ""
	}
	return url
}

func isTag(ref string) bool { return strings.HasPrefix(ref, "refs/tags/") }

// endOf returns one end of an update: a hash, or "" for the zeros that mean no commit.
func endOf(s string) (string, error) {
	switch h := hash(s); {
	case h == "":
		return "", fmt.Errorf("not a hash: %.80q", s)
	case strings.Trim(h, "0") == "":
		return "", nil
	default:
		return h, nil
	}
}

// hash returns s when it is a full hash, else "".
func hash(s string) string {
	if s = strings.ToLower(s); !commit.IsHash(s) {
		return ""
	}
	return s
}

// Recognise returns the forge that wrote a JSON object, by its members. It returns false
// for other objects, such as that of vext's own hooks. For Forgejo it returns Gitea,
// whose form it has.
func Recognise(data []byte) (Kind, bool) {
	var has struct {
		Revision     first `json:"revision"` // of vext's own hooks
		EventType    first `json:"eventType"`
		PublisherID  first `json:"publisherId"`
		Resource     first `json:"resource"`
		EventKey     first `json:"eventKey"`
		ObjectKind   first `json:"object_kind"`
		EventName    first `json:"event_name"`
		Push         first `json:"push"`
		Actor        first `json:"actor"`
		Repository   first `json:"repository"`
		Ref          first `json:"ref"`
		Pusher       first `json:"pusher"`
		Sender       first `json:"sender"`
		Zen          first `json:"zen"`
		CompareURL   first `json:"compare_url"`
		HeadCommit   first `json:"head_commit"`
		TotalCommits first `json:"total_commits"`
	}
	if json.Unmarshal(data, &has) != nil {
		return "", false
	}
	ofRepository := has.Repository == '{'
	switch {
	case has.Revision != 0:
		return "", false
	case has.EventType == '"' && (has.Resource == '{' || has.PublisherID == '"'):
		return Azure, true
	case has.EventKey == '"':
		return BitbucketServer, true
	case has.ObjectKind == '"' || has.EventName == '"':
		return GitLab, true
	case ofRepository && (has.Push == '{' || has.Actor == '{'):
		return BitbucketCloud, true
	case has.CompareURL == '"' && (has.TotalCommits != 0 || has.HeadCommit != 0):
		return Gitea, true
	case has.CompareURL == '"':
		return Gogs, true
	case has.Sender == '{' || has.Zen == '"' || ofRepository && (has.Ref == '"' || has.Pusher == '{'):
		return GitHub, true
	}
	return "", false
}

// first is the first byte of a member, 0 for one that is missing or null. It shows
// whether the member is an object, a string or an array.
type first byte

// UnmarshalJSON implements json.Unmarshaler.
func (f *first) UnmarshalJSON(data []byte) error {
	*f = first(data[0])
	if *f == 'n' {
		*f = 0
	}
	return nil
}

package forge

import "encoding/json"

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

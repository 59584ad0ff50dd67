package forge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vext/internal/commit"
)

// A GitHub push of which parts are replaced.
func pushOf(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"ref":"refs/heads/main","before":"` + hashA + `","after":"` + hashB + `","forced":false,
"repository":{"full_name":"acme/widget"},"commits":[{"id":"` + hashB + `","message":"m","author":{"name":"A","email":"a@b"}}],"total_commits":null}`)
}

// Members that are not needed may be missing or have any type; the others may not.
func TestTolerance(t *testing.T) {
	many := func(n int) string {
		var all []string
		for i := range n - 1 {
			all = append(all, fmt.Sprintf(`{"id":"%040x"}`, i+1))
		}
		return strings.Join(append(all, `{"id":"`+hashB+`"}`), ",")
	}
	list := `{"id":"` + hashB + `","message":"m","author":{"name":"A","email":"a@b"}}`
	for _, test := range []struct{ name, text, want string }{
		{"as it is", pushOf(), "acme/widget main 4018..12f4 12f4"},
		{"nulls", pushOf(`{"name":"A","email":"a@b"}`, "null", `"m"`, "null"), "acme/widget main 4018..12f4 12f4"},
		{"wrong types", pushOf(`{"name":"A","email":"a@b"}`, `"A"`, `"m"`, "[1]", "false", `"no"`), "acme/widget main 4018..12f4 12f4"},
		{"a branch without refs/heads", pushOf("refs/heads/main", "main"), "acme/widget main 4018..12f4 12f4"},
		{"upper case", pushOf(hashB, strings.ToUpper(hashB)), "acme/widget main 4018..12f4 12f4"},
		{"no before", pushOf(`"before"`, `"x"`), "acme/widget main ..12f4 12f4"},
		{"a hash cut off", pushOf(list, `{"id":"12f4334efb58"}`), "acme/widget main 4018..12f4 incomplete"},
		{"one of two cut off", pushOf(list, `{"id":"40186b87e9c2"},`+list), "acme/widget main 4018..12f4 12f4 incomplete"},
		{"not the tip", pushOf(list, `{"id":"`+hashC+`"}`), "acme/widget main 4018..12f4 4d63 incomplete"},
		{"newest first", pushOf(list, list+`,{"id":"`+hashC+`"}`), "acme/widget main 4018..12f4 4d63 12f4"},
		{"none of them", pushOf(list, ""), "acme/widget main 4018..12f4 incomplete"},
		{"none, set back", pushOf(list, "", "false", "true"), "acme/widget main 4018..12f4"},
		{"none, for it did not move", pushOf(list, "", hashA, hashB), "acme/widget main 12f4..12f4"},
		{"none, and it is new", pushOf(list, "", hashA, zeros), "acme/widget main ..12f4"},
		{"commits no array", pushOf("["+list+"]", "{}"), "acme/widget main 4018..12f4 incomplete"},
		{"items of other types", pushOf(list, `1,"x",null,[[]],{},`+list), "acme/widget main 4018..12f4 12f4 incomplete"},
		{"more than listed", pushOf(`"total_commits":null`, `"size":2`), "acme/widget main 4018..12f4 12f4 of 2 incomplete"},
		{"a negative total", pushOf("null", "-1"), "acme/widget main 4018..12f4 12f4"},
		{"two of one name", pushOf(`"total_commits":null`, `"commits":[`+list+`]`), "acme/widget main 4018..12f4 12f4"},
		{"no repository", pushOf("repository", "x"), "error"},
		{"a repository without name", pushOf("acme/widget", " /"), "error"},
		{"no after", pushOf(`"after"`, `"x"`), "error"},
		{"after null", pushOf(`"after":"`+hashB+`"`, `"after":null`), "error"},
		{"after no hash", pushOf(`"after":"`+hashB+`"`, `"after":"main"`), "error"},
		{"before no hash", pushOf(hashA, "main"), "error"},
		{"no ref", pushOf(`"ref"`, `"x"`), "error"},
		{"an endless ref", pushOf("main", strings.Repeat("x", 2000)), "error"},
		{"not JSON", "{", "error"},
		{"nothing", "", "error"},
		{"an array", "[]", "error"},
		{"two objects", pushOf() + "{}", "error"},
		{"too deep", pushOf("null", strings.Repeat("[", 20000)+strings.Repeat("]", 20000)), "error"},
		{"ref_type", pushOf(`"forced"`, `"ref_type":"branch","forced"`), "error"},
	} {
		if got := summary(Parse(GitHub, "push", []byte(test.text))); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
	for n, incomplete := range map[int]bool{5: false, 19: false, 20: true, 21: false, 2047: false, 2048: true} {
		p, err := Parse(GitHub, "push", []byte(pushOf(list, many(n))))
		if err != nil || p.Updates[0].Listed != n || p.Updates[0].Incomplete != incomplete {
			t.Errorf("%d commits: %v", n, err)
		}
	}
	for kind, text := range map[Kind]string{
		Gogs: pushOf(list, many(5)), Gitea: pushOf(list, many(10), "null", "10", hashA, zeros),
		GitHub: pushOf(list, many(5000)), Forgejo: pushOf(list, many(5)),
	} {
		if p, err := Parse(kind, "push", []byte(text)); err != nil || !p.Updates[0].Incomplete {
			t.Errorf("%s: a full list counts as complete, %v", kind, err)
		}
	}
	if _, err := Parse("SourceForge", "", nil); err == nil {
		t.Error("an unknown kind is parsed")
	}
}

// No text of a committer ends its line.
func TestControlCharacters(t *testing.T) {
	evil := "x\nX-Evil: y\x00\u2028\x1b[0m \xff"
	text := pushOf(`"A"`, string(quoted(t, evil)), `"a@b"`, string(quoted(t, evil)), `"m"`, string(quoted(t, "m\r\n\r\nMFC after: 1 week\x00\n")),
		"acme/widget", "acme/wid\\nget", "heads/main", "heads/ma\\nin")
	p, err := Parse(GitHub, "push", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c := p.Updates[0].Commits[0]
	if c.Message != "m\n\nMFC after: 1 week\n" || c.Repository != "acme/wid get" || c.Refname != "refs/heads/ma in" {
		t.Errorf("%+v", c)
	}
	c.ID = c.MadeID()
	if mail := c.Mail(); bytes.Contains(mail, []byte("\nX-Evil")) || bytes.ContainsRune(mail, 0) {
		t.Errorf("%q", mail)
	}
	long := strings.Repeat("x", 5000)
	p, err = Parse(GitHub, "push", []byte(pushOf(`"A"`, `"`+long+`"`, `"a@b"`, `"`+long+`@b"`)))
	if err != nil || p.Updates[0].Commits[0].Author != (commit.Person{}) {
		t.Errorf("%.200v, %v", p, err)
	}
}

func quoted(t *testing.T, s string) []byte {
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Bitbucket's and Azure's payloads have several branches and nulls.
func TestBranches(t *testing.T) {
	ref := func(name, hash string) string {
		return `{"type":"branch","name":"` + name + `","target":{"hash":"` + hash + `"}}`
	}
	cloud := func(changes string) string {
		return `{"push":{"changes":[` + changes + `]},"repository":{"full_name":"a/b"}}`
	}
	server := func(changes, rest string) string {
		return `{"eventKey":"repo:refs_changed","repository":{"slug":"b","project":{"key":"A"}},"changes":[` + changes + `]` + rest + `}`
	}
	for _, test := range []struct {
		name string
		kind Kind
		text string
		want string
	}{
		{"cloud: two and a tag", BitbucketCloud, cloud(`{"old":null,"new":` + ref("main", hashB) + `,"commits":[{"hash":"` + hashB + `"}]},
			{"old":` + ref("x/y", hashA) + `,"new":null,"commits":null},{"new":{"type":"tag","name":"v1","target":{"hash":"` + hashA + `"}}}`),
			"a/b main ..12f4 12f4 x/y 4018.."},
		{"cloud: Mercurial's", BitbucketCloud, cloud(`{"old":null,"new":{"type":"named_branch","name":"default","target":{"hash":"` + hashB + `"}}}`), "a/b default ..12f4"},
		{"cloud: a bookmark", BitbucketCloud, cloud(`{"new":{"type":"bookmark","name":"x","target":{"hash":"` + hashB + `"}}}`), "other"},
		{"cloud: nothing in it", BitbucketCloud, cloud(`{"old":null,"new":null},null,1`), "other"},
		{"cloud: no target", BitbucketCloud, cloud(`{"old":null,"new":{"type":"branch","name":"main"}}`), "error"},
		{"cloud: no push", BitbucketCloud, `{"actor":{},"repository":{"full_name":"a/b"}}`, "error"},
		{"server: no repository", BitbucketServer, `{"eventKey":"repo:refs_changed","changes":[{"refId":"refs/heads/main"}]}`, "error"},
		{"server: no changes", BitbucketServer, server("", ""), "error"},
		{"server: a tag", BitbucketServer, server(`{"refId":"refs/tags/v1","fromHash":"`+zeros+`","toHash":"`+hashA+`"}`, ""), "other"},
		{"server: two branches", BitbucketServer, server(`{"refId":"refs/heads/x","fromHash":"`+zeros+`","toHash":"`+hashA+`"},{"refId":"refs/heads/y","fromHash":"`+hashA+`","toHash":"`+hashB+`"}`,
			`,"commits":[{"id":"`+hashB+`"}]`), "A/b x ..4018 incomplete y 4018..12f4 incomplete"},
		{"azure: no details", Azure, `{"eventType":"git.push","resource":null}`, "error"},
		{"azure: the least of them", Azure, `{"eventType":"git.push","resource":{"pushId":1,"url":"x"}}`, "error"},
		{"azure: another event", Azure, `{"eventType":"build.complete","resource":{}}`, "other"},
	} {
		event := map[Kind]string{BitbucketCloud: "repo:push", BitbucketServer: "repo:refs_changed"}[test.kind]
		if got := summary(Parse(test.kind, event, []byte(test.text))); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
	cut := strings.Replace(string(payload(t, "azure-push.json")), `"comment":`, `"commentTruncated": true, "comment":`, 1)
	if p, err := Parse(Azure, "", []byte(cut)); err != nil || !p.Updates[0].Incomplete {
		t.Errorf("a message that was cut off counts as complete: %v", err)
	}
}

// No payload causes a panic, and every commit of one can be written as a mail and read
// from it again.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("../../testdata/payloads/*.json")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		var small bytes.Buffer
		if json.Compact(&small, data) == nil {
			f.Add(small.Bytes())
		}
	}
	f.Add([]byte(pushOf("acme/widget", "\\u0000")))
	kinds := []Kind{GitHub, GitLab, Gitea, Forgejo, Gogs, BitbucketCloud, BitbucketServer, Azure}
	f.Fuzz(func(t *testing.T, data []byte) {
		if kind, ok := Recognise(data); ok && !slices.Contains(kinds, kind) {
			t.Errorf("recognised as %q", kind)
		}
		for _, kind := range kinds {
			p, err := Parse(kind, "", data)
			if err != nil {
				continue
			}
			if p.Repository == "" || len(p.Updates) == 0 {
				t.Errorf("%s: %+v", kind, p)
			}
			for _, u := range p.Updates {
				if !strings.HasPrefix(u.Refname, "refs/") || isTag(u.Refname) || u.Listed != len(u.Commits) ||
					u.After == "" && (u.Incomplete || len(u.Commits) > 0) {
					t.Errorf("%s: %+v", kind, u)
				}
				for _, c := range u.Commits {
					checkMail(t, &c)
				}
			}
		}
	})
}

func checkMail(t *testing.T, c *commit.Commit) {
	if !commit.IsHash(c.Revision) || c.Sender != c.Committer.Email {
		t.Errorf("%+v", c)
	}
	if strings.TrimSpace(c.Message) == "" {
		return
	}
	c.ID = c.MadeID()
	m := commit.ReadMail(bytes.NewReader(c.Mail()))
	if len(m.Commits) != 1 || m.Commits[0].Revision != c.Revision {
		t.Errorf("read as %+v: %s\n%s", m.Commits, m.Ignored, c.Mail())
	}
}

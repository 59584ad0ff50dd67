package commit

import "testing"

// However a repository is written, it has one name.
func TestRepositoryName(t *testing.T) {
	for name, want := range map[string]string{
		"src": "src", "src.git": "src", "src/": "src", "/srv/git/src.git": "srv/git/src", "/home/jane/src/.git": "home/jane/src",
		"file:///srv/git/src.git/": "srv/git/src", "https://user@example.org:443/acme/widget.git": "acme/widget",
		"git@example.org:acme/widget": "acme/widget", "ssh://git@example.org/acme/widget": "acme/widget",
		"C:/src": "C:/src", "acme:widget": "acme:widget", "": "", ".git": "", "/": "",
	} {
		if got := RepositoryName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

package remote

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vext/internal/commit"
	"vext/internal/program"
)

// serverRepository returns a bare repository with branches, tags and other refs.
func serverRepository(t *testing.T, format string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "it's server.git")
	script := `set -e
git init -q --bare --object-format="$2" "$1"; cd "$1"
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
one=$(git commit-tree -m one "$(git mktree </dev/null)")
for ref in heads/main heads/topic/a pull/1/head notes/commits; do git update-ref refs/$ref "$one"; done
git symbolic-ref HEAD refs/heads/main
git tag light "$one"; git tag -a -m annotated v1 "$one"`
	if out, err := exec.Command("sh", "-c", script, "sh", dir, format).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// lsRemote lists refs with git.
func lsRemote(t *testing.T, dir string, prefixes []string) refs {
	t.Helper()
	out, err := exec.Command("git", "ls-remote", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := parseRefs(string(out), "\t")
	maps.DeleteFunc(all, func(name, _ string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(name, p) {
				return false
			}
		}
		return len(prefixes) > 0
	})
	return all
}

// uploadPack lists the refs with an upload-pack of this machine.
func uploadPack(t *testing.T, dir string, version int, prefixes []string) (refs, error) {
	t.Helper()
	cmd := exec.Command("git-upload-pack", dir)
	cmd.Env = append(os.Environ(), fmt.Sprintf("GIT_PROTOCOL=version=%d", version))
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatal(inErr, outErr)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all, err := lsRefs(bufio.NewReader(out), in, prefixes)
	in.Close()
	if waitErr := cmd.Wait(); waitErr != nil && err == nil {
		t.Errorf("git-upload-pack: %v", waitErr)
	}
	return all, err
}

// The refs are those of git ls-remote, in every version of the protocol.
func TestLsRefs(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		dir := serverRepository(t, format)
		for version := range 3 {
			for _, prefixes := range [][]string{nil, {"refs/heads/"}, {"refs/heads/main"}, {"refs/tags/", "refs/pull/"}, {"HEAD"}, {"refs/none/"}} {
				got, err := uploadPack(t, dir, version, prefixes)
				if want := lsRemote(t, dir, prefixes); err != nil || !maps.Equal(got, want) {
					t.Errorf("%s, version %d, %q: %v, %v, want %v", format, version, prefixes, got, err, want)
				}
			}
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.git")
	if out, err := exec.Command("git", "init", "-q", "--bare", empty).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for version := range 3 {
		if got, err := uploadPack(t, empty, version, nil); err != nil || len(got) != 0 {
			t.Errorf("an empty repository, version %d: %v, %v", version, got, err)
		}
	}
}

func TestLsRefsOf10000(t *testing.T) {
	dir := serverRepository(t, "sha1")
	main := lsRemote(t, dir, []string{"refs/heads/main"})["refs/heads/main"]
	packed := []byte("# pack-refs with: peeled fully-peeled sorted \n")
	for i := range 10_000 {
		packed = fmt.Appendf(packed, "%s refs/pull/%d/head\n", main, i+10_000)
	}
	if err := os.WriteFile(filepath.Join(dir, "packed-refs"), packed, 0o600); err != nil {
		t.Fatal(err)
	}
	for version := range 3 {
		for prefix, want := range map[string]int{"": 10_008, "refs/heads/": 2} {
			if got, err := uploadPack(t, dir, version, []string{prefix}); err != nil || len(got) != want {
				t.Errorf("version %d, %q: %d refs, %v", version, prefix, len(got), err)
			}
		}
	}
}

// What is no answer of git is an error that says so.
func TestLsRefsErrors(t *testing.T) {
	hash := strings.Repeat("a", 40)
	for answer, want := range map[string]string{
		"":                                   "closed",
		"00":                                 "closed",
		"0010abc":                            "closed",
		"Welcome to the server":              `"Welc"`,
		"0003":                               `"0003"`,
		"fffe":                               `"fffe"`,
		"000dERR gone\n":                     "gone",
		"0004":                               "as a ref",
		"000fxyz refs/a\n":                   `value of "refs/a"`,
		"0007abc":                            "as a ref",
		"000eversion 2\n":                    "closed",
		"000eversion 2\n0000":                "closed",
		"000eversion 1\n":                    "closed",
		"003d" + hash + " refs/heads/main\n": "closed",
		"000eversion 2\n0000" + "0031" + hash + "abcd\n":                  "as a ref",
		"000eversion 2\n0000" + "003d" + hash + " refs/tags/a peeled:x\n": "",
	} {
		got, err := lsRefs(bufio.NewReader(strings.NewReader(answer)), io.Discard, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", answer, got, err, want)
		}
	}
}

func TestLsRefsBound(t *testing.T) {
	list, hash := newRefList([]string{"refs/heads/"}), strings.Repeat("a", 40)
	list.room = 2
	for _, name := range []string{"refs/heads/a", "refs/heads/b", "refs/tags/a"} {
		if err := list.add(hash, name); err != nil {
			t.Error(err)
		}
	}
	if err := list.add(hash, "refs/heads/c"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
	var err error
	list = newRefList(nil)
	for i := 0; err == nil && i < maxRefs; i++ {
		err = list.add(hash, fmt.Sprintf("refs/heads/%060000d", i))
	}
	if err == nil || !strings.Contains(err.Error(), "too long ones") || len(list.all) > 2500 {
		t.Error(len(list.all), err)
	}
}

// A git command that prints without end is ended.
func TestOutputBound(t *testing.T) {
	_, err := program.Output(t.Context(), program.Command(t.Context(), "yes"), nil)
	if err == nil || !strings.Contains(err.Error(), "more than 128 MB") {
		t.Error(err)
	}
}

func FuzzLsRefs(f *testing.F) {
	hash := strings.Repeat("0", 39) + "1"
	f.Add([]byte("000eversion 2\n0013ls-refs=unborn\n0017object-format=sha1\n0000003d"+hash+" refs/heads/main\n0000"), "refs/heads/")
	f.Add([]byte("000eversion 1\n0045"+hash+" refs/heads/main\x00side-band\n0035shallow "+hash+"\n0000"), "")
	f.Add([]byte("000eversion 2\n00000050"+hash+" refs/tags/v1 symref-target:x peeled:"+hash+"0000"), "refs/tags/")
	f.Add([]byte("000dERR gone\n"), "HEAD")
	f.Fuzz(func(t *testing.T, answer []byte, prefix string) {
		all, err := lsRefs(bufio.NewReader(bytes.NewReader(answer)), io.Discard, []string{prefix})
		if err != nil && all != nil {
			t.Error("refs and an error")
		}
		for name, value := range all {
			if !strings.HasPrefix(name, prefix) || !commit.IsHash(value) {
				t.Errorf("%q %q", name, value)
			}
		}
	})
}

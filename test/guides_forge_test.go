package test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vext/internal/testkit"
)

// What is said in the guides of the forges to be put into the configuration,
// and typed in, does what is said there.
func TestForgeGuides(t *testing.T) {
	testkit.Program(t, "curl")
	testkit.Program(t, "openssl")
	for _, test := range []struct {
		guide, repository string
		answers           int
	}{
		{"guide-github.md", "acme/widget", 1},
		{"guide-gitlab.md", "acme/tools/widget", 2},
		{"guide-gitea.md", "acme/widget", 1},
		{"guide-bitbucket.md", "widget", 2},
		{"guide-azure.md", "Tools/widget", 1},
	} {
		t.Run(test.guide, func(t *testing.T) {
			s, dir := newService(t, account{}), t.TempDir()
			// There is no user vext here, and no Bitbucket.
			here := strings.NewReplacer("/etc/vext", dir, "-o vext -g vext ", "", "url = \"https://bitbucket.org/acme/widget.git\"\n", "",
				"127.0.0.1:8645", "127.0.0.1:0")
			blocks := fenced(t, filepath.Join("../docs", test.guide))
			shell := func(text string) string {
				return program{dir: dir}.run(t, testkit.Program(t, "sh"), "-euc", text).ok(t)
			}
			address := ""
			answers := 0
			for i, b := range blocks {
				switch {
				case b.language == "toml":
					write(t, s.config, 0o644, read(t, s.config)+here.Replace(b.text))
					address = s.serve()
				case b.language == "sh" && strings.Contains(b.text, "curl "):
					got := shell(strings.ReplaceAll(here.Replace(b.text), "127.0.0.1:0", address))
					if answers++; i+1 == len(blocks) || blocks[i+1].language != "text" || got != blocks[i+1].text {
						t.Errorf("%s\nanswers %q", b.text, got)
					}
				case b.language == "sh":
					shell(here.Replace(b.text))
				}
			}
			if answers != test.answers {
				t.Errorf("%d requests, want %d", answers, test.answers)
			}
			items := s.list()
			if len(items) != 1 || items[0].Repository != test.repository || items[0].Branch != "main" ||
				items[0].Address != "jane@example.org" || items[0].Revision != "12f4334efb58a4c3be2f6ee7d71756222760352e" {
				t.Fatalf("%+v", items)
			}
			s.try("2026-11-20T12:00:00Z", "cancel", "12f4334efb58").ok(t)
			if items := s.list(); len(items) > 0 {
				t.Errorf("%+v", items)
			}
		})
	}
}

// A block is an example between ``` and ```.
type block struct{ language, text string }

// fenced returns the blocks of a guide.
func fenced(t *testing.T, guide string) []block {
	t.Helper()
	var blocks []block
	inside := false
	for line := range strings.Lines(read(t, guide)) {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !inside:
			blocks = append(blocks, block{language: strings.TrimSpace(language)})
			inside = true
		case fence:
			inside = false
		case inside:
			blocks[len(blocks)-1].text += line
		}
	}
	return blocks
}

// serve starts vext serve, which ends with the test, and returns where it
// takes webhooks.
func (s *service) serve() string {
	s.t.Helper()
	cmd := exec.Command(s.vext, "--config", s.config, "--state", s.state, "serve")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET=")
	log, err := cmd.StderrPipe()
	ok(s.t, err)
	ok(s.t, cmd.Start())
	address, said := make(chan string, 1), make(chan string, 1)
	go func() {
		var all strings.Builder
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			all.WriteString(lines.Text() + "\n")
			if _, at, found := strings.Cut(lines.Text(), "listening for webhooks\" address="); found {
				address <- at
			}
		}
		close(address)
		said <- all.String()
	}()
	s.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		text := <-said
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("vext serve: %v", err)
		}
		if s.t.Failed() {
			s.t.Logf("vext serve said:\n%s", text)
		}
	})
	at, listens := <-address
	if !listens {
		s.t.Fatal("vext serve does not take webhooks")
	}
	return at
}

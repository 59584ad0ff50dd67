package test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vext/internal/testkit"
	"vext/internal/testkit/outboxtest"
	"vext/notify"
	"vext/source/irker"
)

// A recorder is an outbox that keeps what it is given.
type recorder struct {
	outboxtest.Memory
	mu    sync.Mutex
	lines []notify.Message
}

func (r *recorder) Put(ctx context.Context, lines ...notify.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.Memory.Put(ctx, lines...); err != nil {
		return err
	}
	r.lines = append(r.lines, lines...)
	return nil
}

func TestRecorder(t *testing.T) {
	outboxtest.Test(t, func(*testing.T) outboxtest.Case {
		r := new(recorder)
		return r.Case(r)
	})
}

// texts returns the lines, each as its target and its text.
func (r *recorder) texts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var texts []string
	for _, line := range r.lines {
		texts = append(texts, line.Target+" "+line.Text)
	}
	return texts
}

// want waits until there are so many lines, and compares them without regard to
// their order: UDP keeps none, and no more does a hook that makes a connection
// for each line.
func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("there are %d lines", len(want)), func() bool { return len(r.texts()) >= len(want) })
	got := r.texts()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("there is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r.mu.Lock()
	r.lines = nil
	r.mu.Unlock()
}

// newIrker serves irker's clients at its port, which can't be changed in irkerhook,
// on an address of this machine's that no irkerd has.
func newIrker(t *testing.T) (server string, r *recorder) {
	t.Helper()
	r = new(recorder)
	log := new(testkit.Log)
	var l net.Listener
	var p net.PacketConn
	err := fmt.Errorf("no address was tried")
	for tries := 0; err != nil && tries < 5; tries++ {
		server = fmt.Sprintf("127.%d.%d.%d", 100+rand.N(100), rand.N(256), 1+rand.N(254))
		l, p, err = irker.Listen(net.JoinHostPort(server, "6659"))
	}
	if err != nil {
		testkit.Missing(t, "nothing but 127.0.0.1 is local here: "+err.Error())
	}
	s := &irker.Server{Outbox: r, Log: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l, p) }()
	t.Cleanup(func() {
		stop()
		ok(t, <-done)
		if said := log.String(); said != "" {
			t.Errorf("the log says\n%s", said)
		}
	})
	return server, r
}

// newWeb serves a page for each URL: irkerhook looks whether there is one.
func newWeb(t *testing.T) (url string) {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(web.Close)
	return web.URL
}

// Debian's irkerhook-git, as a hook of a bare repository, reports each commit of a
// push, by UDP and TCP, to two channels, with colours.
func TestIrkerhookGit(t *testing.T) {
	testkit.Program(t, "irkerhook")
	helper := testkit.Program(t, "irkerhook-git")
	testkit.Program(t, "git")
	server, r := newIrker(t)
	web := newWeb(t)
	dir := openDir(t)
	sh(t, dir, `git init -q --bare -b main widget.git && git clone -q widget.git work
		cd widget.git
		ln -s "$HELPER" hooks/post-receive
		git config irker.project Widget
		git config irker.channels 'irc://irc.example.org/commits,ircs://irc.example.org/#Widget?key=sesame'
		git config irker.server "$SERVER"
		git config irker.urlprefix "$WEB/?id="
		git config irker.tinyifier None
		git config irker.revformat short`, "HELPER="+helper, "SERVER="+server, "WEB="+web)
	// Of a new branch the helper can't say which commits are new.
	sh(t, dir+"/work", `git checkout -q -b main && git commit -q --allow-empty -m init && git push -q origin main`)
	first := strings.TrimSpace(sh(t, dir+"/work", `git rev-parse HEAD`))
	report := " Widget: Oskar Example widget:main * " + first[:7] + " / : init " + web + "/?id="
	r.want(t, "irc://irc.example.org/#commits"+report+"HEAD", "ircs://irc.example.org/#widget?key=sesame"+report+"HEAD")

	commit := func(n string) (hash string) {
		sh(t, dir+"/work", `mkdir -p sys && echo "$N" >> sys/knob.c && git add . && git commit -q -m "frob: keep the knöb, $N"`, "N="+n)
		return strings.TrimSpace(sh(t, dir+"/work", `git rev-parse HEAD`))
	}
	line := func(hash, n string) []string {
		text := fmt.Sprintf(" Widget: Oskar Example widget:main * %s / sys/knob.c: frob: keep the knöb, %s %s/?id=%s", hash[:7], n, web, hash)
		return []string{"irc://irc.example.org/#commits" + text, "ircs://irc.example.org/#widget?key=sesame" + text}
	}
	for _, tcp := range []string{"false", "true"} {
		sh(t, dir+"/widget.git", "git config irker.tcp "+tcp)
		one, two := commit(tcp+" 1"), commit(tcp+" 2")
		sh(t, dir+"/work", `git push -q origin main`)
		r.want(t, append(line(one, tcp+" 1"), line(two, tcp+" 2")...)...)
	}

	sh(t, dir+"/widget.git", "git config irker.color mIRC; git config irker.urlprefix http://127.0.0.1:1/; git config irker.channels irc://h/c")
	hash := commit("3")
	sh(t, dir+"/work", `git push -q origin main`)
	r.want(t, "irc://h/#c \x02Widget:\x0f \x0303Oskar Example\x0f widget:\x0307main\x0f * \x02"+hash[:7]+"\x0f / \x02sys/knob.c\x0f: frob: keep the knöb, 3 \x0305\x0f")
}

// irkerhook reports each revision of a Subversion repository, with all lines of
// its message.
func TestIrkerhookSubversion(t *testing.T) {
	hook := testkit.Program(t, "irkerhook")
	testkit.Program(t, "svnadmin")
	server, r := newIrker(t)
	web := newWeb(t)
	dir := openDir(t)
	sh(t, dir, `svnadmin create repo && svn mkdir -q -m start "file://$PWD/repo/trunk" && svn checkout -q "file://$PWD/repo/trunk" work`)
	write(t, filepath.Join(dir, "repo/hooks/post-commit"), 0o755, fmt.Sprintf("#!/bin/sh\nexec %s --repository=\"$1\" \"$2\"\n", hook))
	for i, tcp := range []string{"false", "true"} {
		revision := i + 2 // the first made the folder
		write(t, filepath.Join(dir, "repo/irker.conf"), 0o644, fmt.Sprintf(`project = Widget
channels = irc://irc.example.org/commits
server = %s
urlprefix = %s/?r
tinyifier = None
tcp = %s
`, server, web, tcp))
		sh(t, dir+"/work", `echo "$N" > knob.c && svn add -q --force knob.c
			svn commit -q --username olivia -m 'frob: keep the knob

MFC after: 1 week'`, "N="+tcp)
		r.want(t, fmt.Sprintf("irc://irc.example.org/#commits Widget: olivia widget * r%d / trunk/: frob: keep the knob\n\nMFC after: 1 week %s/?r%d", revision, web, revision))
	}
}

// irkerhook's manual says that it can't do Mercurial with Python 3. As a hook in
// hg's own process it can, when urlprefix is set; what it takes for the hash is
// another one's digits.
func TestIrkerhookMercurial(t *testing.T) {
	hook := testkit.Program(t, "irkerhook")
	testkit.Program(t, "hg")
	server, r := newIrker(t)
	web := newWeb(t)
	dir := openDir(t)
	sh(t, dir, `hg init widget && hg clone -q widget work`)
	for _, tcp := range []string{"false", "true"} {
		write(t, filepath.Join(dir, "widget/.hg/hgrc"), 0o644, fmt.Sprintf(`[irker]
project = Widget
repo = widget
channels = irc://irc.example.org/commits
server = %s
urlprefix = %s
tinyifier = None
tcp = %s
template = %%(project)s: %%(author)s %%(branch)s: %%(files)s: %%(logmsg)s
[hooks]
changegroup.irker = python:%s:hg_hook
`, server, web, tcp, hook))
		for _, n := range []string{"1", "2"} {
			sh(t, dir+"/work", `echo "$N" > knob.c; hg add -q knob.c; hg commit -q -m "frob: keep the knob, $N"`, "N="+tcp+" "+n)
		}
		sh(t, dir+"/work", "hg push -q")
		text := "irc://irc.example.org/#commits Widget: Olivia Example default: knob.c: frob: keep the knob, " + tcp
		r.want(t, text+" 1", text+" 2")
		// And by hand, with the whole hash.
		sh(t, dir+"/widget", `"$HOOK" "$(hg log -r tip -T '{node}')"`, "HOOK="+hook)
		r.want(t, text+" 2")
	}
}

// What the guide says to try works, in bash.
func TestIrkerByHand(t *testing.T) {
	testkit.Program(t, "bash")
	server, r := newIrker(t)
	script := filepath.Join(openDir(t), "script")
	write(t, script, 0o644, strings.ReplaceAll(example(t, "../docs/irker.md", "exec 3<>/dev/tcp/"), "127.0.0.1", server))
	if got, want := (program{}).run(t, "bash", "-eu", script).ok(t), "{\"ok\":true}\n"; got != want {
		t.Errorf("the answer is %q, want %q", got, want)
	}
	r.want(t, "irc://irc.example.org/#commits hello")
}

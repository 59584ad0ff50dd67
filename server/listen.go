package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"vext/announce"
	"vext/health"
	"vext/internal/commit"
	"vext/internal/config"
	"vext/internal/forge"
	"vext/internal/hint"
	"vext/internal/socket"
	"vext/notify"
	"vext/queue"
	"vext/server/control"
	"vext/source/follow"
	"vext/source/irker"
	"vext/source/lmtp"
	"vext/source/remote"
	"vext/source/webhook"
)

// Each function here opens a listener and returns its task, nil when the listener
// is not configured.

func (s *Server) lmtp(q *queue.Queue) (task, error) {
	network, address := s.Config.LMTP.Address()
	if address == "" {
		return nil, nil
	}
	f, err := s.filter(q, commit.FromLMTP)
	if err != nil {
		return nil, err
	}
	l, err := lmtp.Listen(network, address)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("lmtp: %w", err), "see the key listen under [lmtp] in vext.toml(5)")
	}
	s.Log.Info("listening for mails by LMTP", "address", address)
	server := &lmtp.Server{Filter: f, Log: s.Log}
	return func(ctx context.Context) error { return server.Serve(ctx, l) }, nil
}

func (s *Server) http(q *queue.Queue) (task, error) {
	if s.Config.HTTP.Listen == "" {
		return nil, nil
	}
	f, err := s.filter(q, commit.FromWebhook)
	if err != nil {
		return nil, err
	}
	h := &webhook.Handler{Filter: f, Policy: &q.Policy, Log: s.Log, Now: s.Now, LookUp: s.lookUp}
	var notifyRemotes func(context.Context)
	h.Pushed, notifyRemotes = s.remotes()
	for i := range s.Config.Hooks {
		one := &s.Config.Hooks[i]
		secret, err := one.Key()
		if err != nil {
			return nil, hint.Wrap(fmt.Errorf("hook %s: %w", one.Name, err), "the user that vext runs as must be able to read the secret")
		}
		if secret == "" {
			s.Log.Warn("webhook disabled: no secret configured", "hook", one.Name)
		}
		h.Hooks = append(h.Hooks, webhook.Hook{
			Name: one.Name, Secret: secret, Repositories: one.Repositories, Allow: one.Allow, Senders: one.Senders,
		})
	}
	hub, err := s.hub()
	if err != nil {
		return nil, err
	}
	if hub != nil {
		h.Hub = hub
	}
	l, err := net.Listen("tcp", s.Config.HTTP.Listen)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("http: %w", err), "see the key listen under [http] in vext.toml(5)")
	}
	s.Log.Info("listening for webhooks", "address", l.Addr().String())
	return func(ctx context.Context) error {
		defer h.Flush()
		if hub != nil {
			defer context.AfterFunc(ctx, hub.Close)() // its connections last, and would delay the end
		}
		return runTasks(ctx,
			func(ctx context.Context) error { return serveHTTP(ctx, webhook.NewServer(h), h.Listener(l)) },
			func(ctx context.Context) error { notifyRemotes(ctx); return nil })
	}, nil
}

// maxPushes bounds the pushes of which no vext remote was notified yet.
const maxPushes = 1000

// remotes returns a function that notes a push, and one that notifies each vext remote of this
// machine of those, until ctx ends.
func (s *Server) remotes() (pushed func(names []string), notify func(ctx context.Context)) {
	pushes := make(chan []string, maxPushes)
	pushed = func(names []string) {
		select {
		case pushes <- names:
		default: // a vext remote also polls
		}
	}
	return pushed, func(ctx context.Context) {
		remote.MakeLookDir()
		for {
			select {
			case names := <-pushes:
				n := remote.NotifyRemotes(ctx, names)
				s.Log.Debug("notified each vext remote of a push", "repository", names[0], "notified", n)
			case <-ctx.Done():
				return
			}
		}
	}
}

// httpGrace is how long requests in flight may take after ctx has ended.
const httpGrace = 20 * time.Second

func serveHTTP(ctx context.Context, server *http.Server, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpGrace)
	defer cancel()
	if server.Shutdown(within) != nil {
		server.Close() // a forge repeats a delivery that was not answered
	}
	<-failed
	return nil
}

// lookUp spools the commits of a push that its forge did not list.
func (s *Server) lookUp(ctx context.Context, name string, u forge.Update) error {
	q, err := s.Queue()
	if err != nil {
		return err
	}
	store, r, err := s.Repository(q, name)
	if errors.Is(err, errNoRepository) {
		return webhook.ErrNotFollowed
	}
	if err != nil {
		return err
	}
	f, err := s.Follower(q, store, commit.FromFollow)
	if err != nil {
		return err
	}
	report, err := f.CompletePush(ctx, r, follow.Update{Refname: u.Refname, Old: u.Before, New: u.After})
	if err != nil {
		return err
	}
	s.Log.Info("looked up", "repository", name, "branch", commit.BranchName(u.Refname), "commits", report.Commits, "spooled", report.New)
	return nil
}

// irker listens for irker's clients. format makes the text of messages that have
// none.
func (s *Server) irker(q *queue.Queue, outbox notify.Outbox, format func(irker.Fields) (string, error)) (task, error) {
	address := s.Config.Irker.Listen
	if address == "" {
		return nil, nil
	}
	clients, targets, err := s.Config.Irker.Allowed()
	if err != nil {
		return nil, err
	}
	l, p, err := irker.Listen(address)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("irker: %w", err), "see the key listen under [irker] in vext.toml(5); does irkerd still run? it uses the same port")
	}
	s.Log.Info("listening for irker's clients", "address", l.Addr().String())
	server := &irker.Server{
		Outbox: outbox, Format: format, Clients: clients, Targets: targets, Log: s.Log, Now: s.Now,
		OnLoss: func() { q.Spool.Lost(health.Irker) },
	}
	return func(ctx context.Context) error { return server.Serve(ctx, l, p) }, nil
}

// Commands runs the command that a user requests at the control socket. Several
// goroutines call it.
type Commands func(context.Context, *control.Caller, *control.Request) *control.Answer

func (s *Server) control(do Commands) (task, error) {
	path := s.Config.Control.Socket
	if path == "" {
		return nil, nil
	}
	l, err := control.Listen(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("control socket: %w", err), listenHint(err, path))
	}
	s.Log.Info("listening for commands of users", "socket", path)
	server := &control.Server{Users: usersOf(s.Config), Log: s.Log, Do: do}
	return func(ctx context.Context) error { return server.Serve(ctx, l) }, nil
}

// listenHint says what to do when the control socket can't be created.
func listenHint(err error, path string) string {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, socket.ErrUsersHidden):
		return "set PrivateUsers=no in the unit of systemd, or run vext serve without a user namespace"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("make its directory for the user that runs vext serve: install -d -o %s -m 755 %s; systemd does it with RuntimeDirectory=%s", CurrentUser(), dir, filepath.Base(dir))
	}
	return "see [control] in vext.toml(5)"
}

func announceRules(c *config.Config) []announce.Rule {
	rules := make([]announce.Rule, len(c.Announce))
	for i, a := range c.Announce {
		rules[i] = announce.Rule{
			Repositories: a.Repositories, Branches: a.Branches, To: a.To,
			Template: a.Template, Colors: a.Colors, Max: announce.DefaultMax,
		}
		if a.MaxCommits != nil {
			rules[i].Max = *a.MaxCommits
		}
	}
	return rules
}

// announcer returns the task that announces commits as they arrive, nil when none
// are configured: then no source stores any.
func (s *Server) announcer(q *queue.Queue, words *announce.Words, outbox notify.Outbox) (task, error) {
	if len(s.Config.Announce) == 0 {
		return nil, q.Spool.StopAnnouncing()
	}
	if err := q.Spool.StartAnnouncing(); err != nil {
		return nil, err
	}
	seen, err := announce.OpenSeenStore(q.State, s.Now(), s.Log)
	if err != nil {
		return nil, err
	}
	a := &announce.Announcer{
		Spool: q.Spool, Policy: &q.Policy, Rules: announceRules(s.Config), Words: words,
		Seen: seen, Outbox: outbox, Log: s.Log, Now: s.Now,
	}
	s.Log.Info("announcing commits", "tables", len(s.Config.Announce))
	return func(ctx context.Context) error {
		defer seen.Close()
		return a.Run(ctx)
	}, nil
}

// irkerLine returns what formats the line of a commit that irker's clients
// describe.
func irkerLine(words *announce.Words) func(irker.Fields) (string, error) {
	return func(f irker.Fields) (string, error) {
		return words.Line(announce.Fields{
			Project: f.Project, Repo: f.Repository, Branch: f.Branch, Rev: commit.ShortRevision(f.Commit), Author: f.Author, Name: f.Author, Committer: f.Author,
			Files: announce.FilesText(strings.Fields(f.Files)...), Logmsg: f.Message, URL: f.URL,
		}, f.Colors)
	}
}

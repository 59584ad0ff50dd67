package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"vext/health"
	"vext/internal/commit"
	"vext/internal/forge"
	"vext/internal/hint"
	"vext/internal/socket"
	"vext/notify"
	"vext/queue"
	"vext/server/control"
	"vext/source/follow"
	"vext/source/irker"
	"vext/source/lmtp"
	"vext/source/webhook"
)

// Each function here opens a listener and returns its task, nil when the listener
// is not configured.

func (s *Server) lmtp(q *queue.Queue) (task, error) {
	network, address, err := s.Config.LMTP.Address()
	if err != nil || address == "" {
		return nil, err
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
	address, err := s.Config.HTTP.Address()
	if err != nil || address == "" {
		return nil, err
	}
	f, err := s.filter(q, commit.FromWebhook)
	if err != nil {
		return nil, err
	}
	h := &webhook.Handler{Filter: f, Policy: &q.Policy, Log: s.Log, Now: s.Now, LookUp: s.lookUp}
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
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("http: %w", err), "see the key listen under [http] in vext.toml(5)")
	}
	s.Log.Info("listening for webhooks", "address", l.Addr().String())
	return func(ctx context.Context) error {
		defer h.Flush()
		return serveHTTP(ctx, webhook.NewServer(h), h.Listener(l))
	}, nil
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
	address, err := s.Config.Irker.Address()
	if err != nil || address == "" {
		return nil, err
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

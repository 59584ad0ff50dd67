package server

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"vext/internal/config"
	"vext/internal/hint"
	"vext/internal/target"
	"vext/notify/desktop"
	"vext/notify/xmpp"
	"vext/source/autosync"
	"vext/source/autosync/peers"
	"vext/source/webhook"
)

// A sharedLink is a link to the other machines, for all trees of this process that ask for it.
type sharedLink struct {
	link  peers.Link
	trees []*keptTree
}

func (l *sharedLink) run(ctx context.Context) error {
	return l.link.Run(ctx, func(p peers.Push) {
		for _, t := range l.trees {
			t.pushed(p)
		}
	})
}

// openLinks opens the links that the tables ask for: one to each account and service, and one
// for each clone whose remotes are watched. One that cannot be opened is shown in the status.
func (s *Server) openLinks(a *Autosync, o *AutosyncOptions) {
	shared := map[string]*sharedLink{}
	for _, t := range a.trees {
		if len(t.table.AlsoNotify) > 0 {
			var err error
			if t.account, err = s.neededAccount(); err != nil {
				o.Log.Warn("no notices on XMPP", "tree", t.table.Path, "error", err)
			}
		}
		for _, name := range t.table.Peers {
			key := name
			switch name {
			case config.PeersByXMPP:
			case config.PeersByRemote:
				key += " " + t.table.Path
			default:
				key += " " + t.table.Token + " " + t.table.TokenFile
			}
			l := shared[key]
			if l == nil {
				link, err := s.openLink(name, t, o)
				if err != nil {
					o.Log.Warn("no link to the other machines", "peers", name, "error", err)
					link = brokenLink{name, err}
				}
				l = &sharedLink{link: link}
				shared[key] = l
				a.links = append(a.links, l)
			}
			l.trees = append(l.trees, t)
			t.links = append(t.links, l)
		}
	}
}

func (s *Server) openLink(name string, t *keptTree, o *AutosyncOptions) (peers.Link, error) {
	host, _ := os.Hostname()
	switch name {
	case config.PeersByXMPP:
		account, err := s.neededAccount()
		if err != nil {
			return nil, err
		}
		return peers.NewXMPP(peers.XMPP{Connection: account, Host: host, Log: o.Log, Now: o.Now}), nil
	case config.PeersByRemote:
		return newRemoteLink(t.table.Path, o), nil
	}
	token, err := t.table.Secret()
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(name); err == nil && strings.Trim(u.Path, "/") == "" {
		name = u.JoinPath(webhook.HubPath).String()
	}
	return peers.NewHTTP(peers.HTTP{URL: name, Token: strings.TrimSpace(token), Host: host, Log: o.Log, Now: o.Now})
}

// neededAccount returns the account of XMPP, which will connect.
func (s *Server) neededAccount() (*account, error) {
	a, err := s.xmpp()
	if err == nil && a == nil {
		err = errors.New("there is no account: set jid and password_file under [xmpp]")
	}
	if err != nil {
		return nil, err
	}
	a.need()
	return a, nil
}

// hub returns what passes pushes on between the machines of a person, nil when it is not
// configured.
func (s *Server) hub() (*peers.Hub, error) {
	secret, err := s.Config.Hub.Secret()
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("autosync-hub: %w", err), "the user that vext runs as must be able to read the tokens")
	}
	tokens := strings.Fields(secret)
	if len(tokens) == 0 {
		if s.Config.Hub != (config.AutosyncHub{}) {
			return nil, errors.New("autosync-hub: there is no token")
		}
		return nil, nil
	}
	s.Log.Info("passing on pushes between machines", "path", webhook.HubPath, "tokens", len(tokens))
	return peers.NewHub(tokens...), nil
}

// A brokenLink stands for one that could not be opened.
type brokenLink struct {
	name string
	err  error
}

func (l brokenLink) String() string                             { return l.name }
func (l brokenLink) Announce(context.Context, peers.Push) error { return l.err }
func (l brokenLink) Status() peers.Status {
	return peers.Status{Link: l.name, Error: l.err.Error(), Peers: []peers.Peer{}}
}

func (l brokenLink) Run(ctx context.Context, _ func(peers.Push)) error {
	<-ctx.Done()
	return nil
}

// announceTime bounds the time to notify the other machines over one link.
const announceTime = 20 * time.Second

// announce notifies the other machines over all links of the tree.
func (t *keptTree) announce(ctx context.Context, p peers.Push) {
	p.URLs = append(p.URLs, t.table.URLs...)
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	var all sync.WaitGroup
	for _, l := range t.links {
		all.Go(func() {
			if err := l.link.Announce(ctx, p); err != nil {
				t.o.Log.Info("the other machines were not notified; they poll", "tree", t.table.Path, "link", l.link.String(), "error", err)
			}
		})
	}
	all.Wait()
}

// notify sends a notice on XMPP, and shows it on the desktop, which may be missing. It may
// wait there for a click.
func (t *keptTree) notify(ctx context.Context, n autosync.Notice) {
	if t.account != nil {
		t.send(ctx, n)
	}
	if *t.table.Notify {
		if err := desktop.ShowNotice(ctx, desktop.Notice(n)); err != nil {
			t.o.Log.Debug("not shown on the desktop", "title", n.Title, "error", err)
		}
	}
}

// send sends a notice on XMPP.
func (t *keptTree) send(ctx context.Context, n autosync.Notice) {
	for _, url := range t.table.AlsoNotify {
		to, err := target.Parse(url)
		if err == nil {
			err = t.account.Send(ctx, xmpp.Message{To: to.Name, Type: "chat", Body: n.Title + "\n" + n.Body})
		}
		if err != nil {
			t.o.Log.Info("a notice was not sent", "to", url, "title", n.Title, "error", err)
		}
	}
}

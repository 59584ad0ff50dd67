package xmpptest

import (
	"errors"
	"slices"
	"testing"

	"vext/notify"
	"vext/notify/xmpp"
)

func TestFake(t *testing.T) {
	f := New()
	var got []string
	f.Handle(xmpp.Handler{})
	f.Handle(xmpp.Handler{
		Connected:    func(self string) { got = append(got, self) },
		Disconnected: func(err error) { got = append(got, err.Error()) },
		Message:      func(m xmpp.Message) { got = append(got, m.Body) },
		Presence:     func(p xmpp.Presence) { got = append(got, p.From) },
	})
	var c xmpp.Connection = f
	if err := c.Send(t.Context(), xmpp.Message{}); !notify.IsUnavailable(err) {
		t.Error(err)
	}
	f.Connect("me@here/x")
	f.Receive(xmpp.Message{Body: "hi"})
	f.Show(xmpp.Presence{From: "me@here/y"})
	changed := f.Changed()
	if err := c.Send(t.Context(), xmpp.Message{Body: "a"}); err != nil {
		t.Error(err)
	}
	<-changed
	if err := c.SendPresence(t.Context(), "me@here/y", xmpp.PresenceOptions{}); err != nil {
		t.Error(err)
	}
	if s := c.Status(); !s.Connected || s.Account != "me@here" {
		t.Errorf("%+v", s)
	}
	f.Fail(errors.New("full"))
	if err := c.Send(t.Context(), xmpp.Message{Body: "b"}); err == nil {
		t.Error("sent")
	}
	f.Disconnect(errors.New("gone"))
	if want := []string{"me@here/x", "hi", "me@here/y", "gone"}; !slices.Equal(got, want) || len(f.Messages()) != 1 || f.Presences()[0].To != "me@here/y" {
		t.Errorf("%q, %v, %v", got, f.Messages(), f.Presences())
	}
}

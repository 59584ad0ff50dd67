package xmpp

import (
	"strings"
	"testing"
	"time"
)

const (
	dev      = "dev@conference.example.org"
	joinDev  = "join " + dev + "/vext"
	leaveDev = "leave " + dev + "/vext"
)

// A room is joined once, and has a message when it has sent it to all.
func TestRoom(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.rooms[dev] = &fakeRoom{password: "s3cret"}
		b.put(t, room+";password=s3cret", "one\ntwo", "three")
		after(time.Second)
		b.wantTexts(t, dev+": one\ntwo", dev+": three")
		b.wantOutcome(t, "three", "delivered")
		if n := b.count(joinDev); n != 1 {
			t.Errorf("joined %d times", n)
		}
		if s := b.transport.Status(b).(*TransportStatus).Recipients[0]; s.State != "joined" || s.Nick != "vext" || strings.Contains(s.Target, "s3cret") {
			t.Errorf("%+v", s)
		}
	})
}

// A room is left after some time without anything to say, and joined again when there is.
func TestRoomIdle(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.rooms[dev] = &fakeRoom{}
		b.put(t, room, "one")
		after(idleTime - time.Minute)
		if n := b.count(leaveDev); n != 0 {
			t.Error("left early")
		}
		after(2 * idleTime)
		if n := b.count(leaveDev); n != 1 {
			t.Errorf("left %d times", n)
		}
		b.put(t, room, "two")
		after(time.Second)
		b.wantTexts(t, dev+": one", dev+": two")
	})
}

// A room that does not let us in keeps messages pending, with the reason, but bounces
// reminders soon. The right password is tried at once.
func TestRoomRefuses(t *testing.T) {
	for condition, reason := range map[string]string{
		"not-authorized": "wrong or missing password of the room (not-authorized)", "forbidden": "banned from the room (forbidden)",
		"registration-required": "the room is for its members only (registration-required)", "item-not-found": "the room does not exist, or is locked (item-not-found)",
	} {
		t.Run(condition, func(t *testing.T) {
			inTime(t, func(t *testing.T, b *bot) {
				b.rooms[dev] = &fakeRoom{condition: condition}
				b.put(t, room, "one")
				b.remind(t, room, "reminder")
				after(25 * time.Second)
				b.wantOutcome(t, "reminder", "bounced: "+reason)
				b.wantOutcome(t, "one", "pending: "+reason)
				b.change(func() { b.rooms[dev].condition, b.rooms[dev].password = "", "s3cret" })
				b.put(t, room+";password=s3cret", "two")
				after(time.Second)
				b.wantTexts(t, dev+": one", dev+": two")
			})
		})
	}
}

// A full room is not a reason for a mail before the deadline.
func TestRoomFull(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.rooms[dev] = &fakeRoom{condition: "resource-constraint"}
		b.remind(t, room, "reminder")
		after(10 * time.Minute)
		b.wantOutcome(t, "reminder", "pending: resource-constraint")
	})
}

// Somebody else has the nick.
func TestRoomNick(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.rooms[dev] = &fakeRoom{taken: []string{"vext", "vext_"}}
		b.put(t, room, "one")
		after(time.Second)
		b.wantTexts(t, dev+": one")
		if s := b.transport.Status(b).(*TransportStatus).Recipients[0]; s.Nick != "vext__" {
			t.Errorf("%+v", s)
		}
	})
}

// A room that is not there is not made.
func TestRoomNew(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.rooms[dev] = &fakeRoom{isNew: true}
		b.put(t, room, "one")
		after(time.Second)
		b.wantOutcome(t, "one", "pending: the room does not exist*")
		if n := b.count(leaveDev); n != 1 {
			t.Errorf("left %d times", n)
		}
	})
}

// After a kick the room is joined again after a pause, and after another one much later.
func TestRoomKicks(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.rooms[dev] = &fakeRoom{}
		b.put(t, room, "one")
		kick := func() {
			b.change(func() { b.rooms[dev].nick = "" })
			b.presence(Presence{From: dev + "/vext", Type: "unavailable", Codes: []int{codeOurs, codeKicked}, Text: "noise"})
			after(time.Second)
		}
		after(time.Second)
		kick()
		b.put(t, room, "two")
		after(time.Second)
		b.wantOutcome(t, "two", "pending: kicked out of the room: noise")
		after(kickPause)
		b.wantOutcome(t, "two", "delivered")
		kick()
		b.put(t, room, "three")
		after(time.Minute)
		b.wantTexts(t, dev+": one", dev+": two")
		after(kicksPause)
		b.wantTexts(t, dev+": one", dev+": two", dev+": three")
	})
}

// The room has lost us without a word: it is joined again.
func TestRoomLost(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.rooms[dev] = &fakeRoom{}
		b.put(t, room, "one")
		after(time.Second)
		b.change(func() { b.rooms[dev].nick = "" })
		b.put(t, room, "two")
		after(time.Minute)
		b.wantTexts(t, dev+": one", dev+": two")
	})
}

// A message that the room does not confirm is sent again.
func TestRoomMute(t *testing.T) {
	inTime(t, func(t *testing.T, b *bot) {
		b.rooms[dev] = &fakeRoom{isMute: true}
		b.put(t, room, "one")
		after(time.Minute)
		b.wantOutcome(t, "one", "pending: the room has not sent the message*")
		b.change(func() { b.rooms[dev].isMute = false })
		after(10 * time.Minute)
		b.wantTexts(t, dev+": one")
	})
}

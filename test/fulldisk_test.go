package test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vext/internal/testkit"
)

// diskSize is the size of the disk that is full.
const diskSize = "64k"

// smallDisk gives the service a state directory on a disk of its own, so small
// that it can be filled.
func smallDisk(t *testing.T, s *service) {
	t.Helper()
	testkit.Root(t)
	mount := program{}.run(t, testkit.Program(t, "mount"), "-t", "tmpfs", "-o", "size="+diskSize+",mode=0750", "tmpfs", s.state)
	if mount.status != 0 {
		testkit.Missing(t, "no disk can be mounted here: "+strings.TrimSpace(mount.stderr))
	}
	t.Cleanup(func() { program{}.run(t, testkit.Program(t, "umount"), s.state).ok(t) })
	s.own(s.state)
}

// fill fills the service's disk up to the last bytes that are left free, and
// returns what makes room again.
func (s *service) fill(free int64) (makeRoom func()) {
	s.t.Helper()
	path := filepath.Join(s.state, "filler")
	f, err := os.Create(path)
	ok(s.t, err)
	defer f.Close()
	size, err := io.Copy(f, endless{})
	if !errors.Is(err, syscall.ENOSPC) {
		s.t.Fatalf("the disk took %d bytes and is not full: %v", size, err)
	}
	ok(s.t, f.Truncate(size-free))
	return func() { ok(s.t, os.Remove(path)) }
}

// endless has no end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// On a full disk the filter asks to try again and leaves nothing behind, be it
// that not a byte fits or only a part of the mail. Once there is room the same
// mail is taken.
func TestFilterOnAFullDisk(t *testing.T) {
	testkit.Root(t)
	mail := commitMail("MFC after:\t2 weeks") + strings.Repeat("+\tknob = true;\n", 1000)
	for _, test := range []struct {
		name string
		free int64
	}{
		{"not a byte is free", 0},
		{"a part of the mail fits", 8 << 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newService(t, nobody(t))
			smallDisk(t, s)
			makeRoom := s.fill(test.free)
			r := s.pipe(mail)
			r.want(t, 75)
			contains(t, r.stderr, "vext-filter: error: ", "no space left on device")
			s.wantSpooled()

			s.pipe(commitMail("Reviewed by:\tpeter")).ok(t) // needs no room

			makeRoom()
			s.pipe(mail).ok(t)
			s.wantSpooled(messageID)
			if got := read(t, filepath.Join(s.state, "spool", messageID)); got != mail {
				t.Errorf("%d bytes are in the spool, want the mail's %d", len(got), len(mail))
			}
		})
	}
}

// A disk that fills up behind the filter keeps the reminders back, since what
// can't be recorded is not sent, and loses none: the run says what is wrong,
// and when there is room again the next one sends each once.
func TestRunOnAFullDisk(t *testing.T) {
	testkit.Root(t)
	second := strings.NewReplacer(hash, strings.Repeat("b", 40), messageID, "second").Replace(commitMail("MFC after:\t2 weeks"))
	for _, test := range []struct {
		name   string
		queued bool // before the disk is full
	}{
		{"to schedule", false},
		{"to send", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newService(t, nobody(t))
			smallDisk(t, s)
			for _, mail := range []string{commitMail("MFC after:\t2 weeks"), second} {
				s.pipe(mail).ok(t)
			}
			if test.queued {
				s.run(committed)
				s.fillHistory()
			}
			makeRoom := s.fill(0)
			full := s.try(due, "run")
			full.want(t, 1)
			contains(t, full.stderr, "vext: error: ", "no space left on device", "vext: hint: free some disk space")
			if got := mails(t, s.maildir); len(got) != 0 {
				t.Errorf("%d reminders were sent that could not be recorded", len(got))
			}

			makeRoom()
			s.run(due)
			if got := s.run(due); got != "" {
				t.Errorf("vext run still found something to do: %q", got)
			}
			if got := mails(t, s.maildir); len(got) != 2 {
				t.Errorf("%d reminders, want one for each of 2 commits", len(got))
			}
			if got, want := s.try(due, "stats", "--csv").ok(t), "committer,count,percent\nolivia,2,100.00\n"; got != want {
				t.Errorf("the statistics say %q, want %q", got, want)
			}
			s.wantSpooled()
		})
	}
}

// fillHistory fills the last page of the history with empty lines, which are
// skipped: on a tmpfs a file grows by whole pages.
func (s *service) fillHistory() {
	s.t.Helper()
	path := filepath.Join(s.state, "history", committed[:4]+".jsonl")
	text, page := read(s.t, path), os.Getpagesize()
	ok(s.t, os.WriteFile(path, []byte(text+strings.Repeat("\n", page-len(text)%page)), 0))
}

// On a full disk Postfix keeps the mail and tries again, and bounces nothing;
// once there is room the mail is in the spool, one time.
func TestPostfixTriesAgainOnAFullDisk(t *testing.T) {
	testkit.Root(t)
	s := newService(t, nobody(t))
	smallDisk(t, s)
	p := newPostfix(t, s)
	makeRoom := s.fill(0)
	p.send(olivia, list, commitMail("MFC after:\t2 weeks"))

	eventually(t, "Postfix has put the mail off", func() bool {
		waiting := p.queue()
		return len(waiting) == 1 && waiting[0].Queue == "deferred"
	})
	p.wantLog("vext", "deferred")
	contains(t, p.queue()[0].Recipients[0].Delay, "temporary failure", "vext-filter: error: ", "no space left on device")
	s.wantSpooled()

	makeRoom()
	eventually(t, "Postfix has delivered the mail", func() bool {
		p.queueCommand("-f")
		return len(p.queue()) == 0
	})
	p.wantLog("vext", "deferred", "sent")
	s.wantSpooled(messageID)
	if got := mails(t, p.mailbox); len(got) != 0 {
		t.Errorf("%d bounces came to the committer", len(got))
	}
}

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/backoff"
	"vext/internal/target"
	"vext/notify"
	"vext/outbox"
)

func newNotify(a *app) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "notify TARGET TEXT...",
		Short: "Send a message to IRC",
		Long: `Sends TEXT to the channel or person that TARGET names:

  irc://HOST[:PORT]/CHANNEL         a channel; # in front of it may be left out
  ircs://HOST/CHANNEL               the same over TLS
  ircs://HOST/CHANNEL?key=KEY       a channel with a key
  ircs://HOST/NICK,isnick           a person

If "vext serve" runs, its connection is used; otherwise this command connects,
sends the message, and disconnects. It waits until the server has confirmed the
message. A message not delivered in time is kept, and delivered by "vext serve" or
the next "vext notify". A message that the server rejects permanently is not kept.
A TEXT of several lines is sent line by line; - reads it from standard input.`,
		Example: `  vext notify ircs://irc.example.org/ops "the backup has failed"
  make test 2>&1 | tail -n 3 | vext notify irc://127.0.0.1/builds -`,
		Args: takes(2, 0, "a target and a text"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := target.Parse(args[0]); err != nil {
				return usageError{err}
			}
			texts, err := a.texts(args[1:])
			if err != nil {
				return err
			}
			return a.notify(cmd.Context(), args[0], texts, wait)
		},
	}
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for the server's confirmation; 0 to wait only until the message is stored")
	return c
}

// maxText bounds the text, in bytes.
const maxText = 64 << 10

var errNothing = usageError{errors.New("the text is empty")}

// texts returns the lines to send.
func (a *app) texts(args []string) ([]string, error) {
	text := strings.Join(args, " ")
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(a.stdin, maxText+1))
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	if len(text) > maxText {
		return nil, usageError{fmt.Errorf("the text is too long: it has more than %d bytes", maxText)}
	}
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil, errNothing
	}
	return all, nil
}

// handTime is how long handing lines over may take when nobody waits for the
// server's word.
const handTime = 10 * time.Second

// notify hands lines over and waits for the server's word.
func (a *app) notify(ctx context.Context, to string, texts []string, wait time.Duration) error {
	a.makeState = true
	q, c, err := a.openQueue()
	if err != nil {
		return err
	}
	s := newSaying(to, texts, wait)
	until := wait
	open := func(life context.Context) (ircOutlet, func() error, error) {
		return a.outlet(life, c, q.State, a.log(slog.LevelError))
	}
	if wait == 0 { // nobody connects for a line that is not waited for
		until = handTime
		open = func(context.Context) (ircOutlet, func() error, error) {
			return outboxOf(q.State, a.log(slog.LevelError))
		}
	}
	bounded, cancel := context.WithTimeout(ctx, until)
	defer cancel()
	for {
		if err = withOutlet(ctx, bounded, open, s.say); !isLost(err) {
			break
		}
		if backoff.Sleep(bounded, outboxStep) != nil {
			break
		}
	}
	switch {
	case s.rejection != "":
		return s.rejected()
	case s.told || s.kept && wait == 0:
		return err
	case errors.As(err, new(usageError)):
		return err
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	case s.trouble != "" && (err == nil || bounded.Err() != nil):
		err = errors.New(s.trouble)
	case err == nil:
		err = fmt.Errorf("the server has not confirmed it within %s", wait)
	case isLate(err):
		err = fmt.Errorf("the process that keeps the connections to IRC does not answer within %s", until)
	}
	return s.failed(err)
}

// isLost reports whether another vext had the outbox and went away, or is about
// to: it is worth another try.
func isLost(err error) bool { return errors.Is(err, outbox.ErrGone) || errors.Is(err, outbox.ErrInUse) }

// isLate reports whether somebody has not answered in time.
func isLate(err error) bool {
	return errors.Is(err, outbox.ErrSilent) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// An opener opens an outlet, which lives as long as the context.
type opener func(context.Context) (ircOutlet, func() error, error)

// withOutlet opens the outlet for as long as do runs, which gets the context
// bounded. It is not opened when that has ended, but then lives as long as ctx.
func withOutlet(ctx, bounded context.Context, open opener, do func(context.Context, notify.Outbox) error) error {
	life, end := context.WithCancel(ctx)
	defer end()
	stop := context.AfterFunc(bounded, end)
	outlet, done, err := open(life)
	stop()
	if err != nil {
		return err
	}
	err = do(bounded, outlet)
	return errors.Join(err, done())
}

// A saying is lines on their way to a target.
type saying struct {
	to    string
	wait  time.Duration
	lines []notify.Message
	keys  []string

	unsure bool // an outlet may have the lines
	kept   bool // an outlet has the lines
	awaited
}

func newSaying(to string, texts []string, wait time.Duration) *saying {
	s := &saying{to: to, wait: wait}
	batch := rand.Text()
	for i, text := range texts {
		key := fmt.Sprintf("notify %s %d", batch, i)
		s.keys = append(s.keys, key)
		s.lines = append(s.lines, notify.Message{Target: to, Text: text, Key: key})
	}
	return s
}

// say hands the lines over and waits for the server's word. It may be called
// again with another outlet when one is lost: lines that are known are passed
// over.
func (s *saying) say(ctx context.Context, o notify.Outbox) error {
	if err := o.Put(ctx, s.lines...); err != nil {
		s.unsure = s.unsure || isLost(err) || isLate(err)
		return err
	}
	s.kept = true
	known, err := o.Outcomes(ctx, s.keys...)
	if err != nil {
		return err
	}
	if len(known) == 0 { // colours alone are no text
		s.kept = false
		return errNothing
	}
	if s.wait > 0 {
		if s.awaited, err = await(ctx, o, s.wait, s.keys); err != nil {
			return err
		}
		left, err := o.Outcomes(ctx, s.keys...)
		if err == nil && len(left) < len(known) {
			s.told, s.kept = false, false
			return errors.New("it was dropped, by vext irc drop")
		}
	}
	// From here on Put would take the lines again. A key that stays does no harm.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTime)
	defer cancel()
	_ = o.Forget(ctx, s.keys...)
	return nil
}

// forgetTime is how long the outlet may take to forget.
const forgetTime = time.Second

// rejected returns an error that says what the server has rejected permanently,
// and whether the rest is kept.
func (s *saying) rejected() error {
	what := "it is not kept; change the text, or send it to another target"
	if s.open > 0 {
		what = "it is not kept; the other lines are kept, and vext serve or the next vext notify delivers them"
	}
	return hinted{fmt.Errorf("rejected by %s: %s", withoutSecrets(s.to), s.rejection), what}
}

// failed returns an error that says whether the lines are kept.
func (s *saying) failed(err error) error {
	to := withoutSecrets(s.to)
	switch {
	case s.kept:
		return hinted{fmt.Errorf("not delivered yet to %s: %w", to, err),
			"it is kept, and delivered by vext serve or with the next vext notify; see vext irc status"}
	case s.unsure:
		return hinted{fmt.Errorf("not delivered yet to %s: %w", to, err), "it may be kept, and delivered later; see vext irc status"}
	}
	return hinted{fmt.Errorf("not delivered to %s, and not kept: %w", to, err), "send it again once that is fixed"}
}

// polls is the pause between two queries for the outcomes of messages.
var polls = backoff.Backoff{Min: 20 * time.Millisecond, Max: 500 * time.Millisecond}

// An awaited is the state of the lines that a command waits for.
type awaited struct {
	told      bool   // all of them are
	open      int    // neither told nor rejected
	rejection string // why one was rejected, "" when none was
	trouble   string // why one is not told yet
}

// await waits until all lines with these keys are told or rejected, or until it
// has waited for long enough, and returns their state.
func await(ctx context.Context, o notify.Outbox, wait time.Duration, keys []string) (a awaited, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for n := 1; ; n++ {
		outcomes, err := o.Outcomes(ctx, keys...)
		if err != nil && ctx.Err() == nil {
			return a, err
		}
		if err == nil {
			if a = standing(outcomes, keys); a.open == 0 {
				return a, nil
			}
		}
		if backoff.Sleep(ctx, polls.After(n)) != nil {
			return a, nil
		}
	}
}

// standing returns the state of the lines with these keys.
func standing(outcomes map[string]notify.Outcome, keys []string) (a awaited) {
	for _, key := range keys {
		one, known := outcomes[key]
		switch {
		case !known || !one.Delivered.IsZero():
		case one.Rejected != "":
			a.rejection = one.Rejected
		default:
			a.open++
			a.trouble = cmp.Or(one.LastError, a.trouble)
		}
	}
	a.told = a.open == 0 && a.rejection == ""
	return a
}

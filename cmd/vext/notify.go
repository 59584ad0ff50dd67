package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/target"
	"vext/notify"
)

func newNotify(a *app) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "notify TARGET TEXT...",
		Short: "Say something on IRC",
		Long: `Tells TEXT to the channel or person that TARGET names:

  irc://HOST[:PORT]/CHANNEL         a channel; # in front of it is understood
  ircs://HOST/CHANNEL               the same by TLS
  ircs://HOST/CHANNEL?key=KEY       a channel with a key
  ircs://HOST/NICK,isnick           a person

Where "vext serve" runs it is told over the connection that this keeps; else this
command connects, tells it, and leaves. It waits until the server has confirmed
it. What could not be told in time is kept, and told by the next vext that is
there to do it. A TEXT of several lines is told line by line; - reads it from
standard input.`,
		Example: `  vext notify ircs://irc.example.org/ops "the backup has failed"
  make test 2>&1 | tail -n 3 | vext notify irc://127.0.0.1/builds -`,
		Args: cobra.MinimumNArgs(2),
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
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for the server's word; 0 for not at all")
	return c
}

// mostText bounds what is read from standard input.
const mostText = 64 << 10

// texts returns what is to be said, line by line.
func (a *app) texts(args []string) ([]string, error) {
	text := strings.Join(args, " ")
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(a.stdin, mostText))
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil, usageError{errors.New("there is nothing to say: the text is empty")}
	}
	return all, nil
}

// notify hands lines over and waits for the server's word.
func (a *app) notify(ctx context.Context, to string, texts []string, wait time.Duration) (err error) {
	a.makeState = true
	q, c, err := a.openQueue()
	if err != nil {
		return err
	}
	outlet, done, err := a.outlet(ctx, c, q.State, a.log(slog.LevelError))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	batch := rand.Text()
	keys := make([]string, len(texts))
	all := make([]notify.Line, len(texts))
	for i, text := range texts {
		keys[i] = fmt.Sprintf("notify %s %d", batch, i)
		all[i] = notify.Line{Target: to, Text: text, Key: keys[i]}
	}
	if err := outlet.Put(ctx, all...); err != nil {
		return err
	}
	told, trouble, err := await(ctx, outlet, wait, keys)
	if forgetErr := outlet.Forget(context.WithoutCancel(ctx), keys...); err == nil {
		err = forgetErr
	}
	if err != nil || told || wait == 0 {
		return err
	}
	if trouble == "" {
		trouble = fmt.Sprintf("the server has not confirmed it within %s", wait)
	}
	return hinted{fmt.Errorf("not told yet to %s: %s", withoutSecrets(to), trouble),
		"it is kept, and told by vext serve, or with the next vext notify; see vext irc status"}
}

// awaitStep is how long to wait between two looks for the server's word.
const awaitStep = 20 * time.Millisecond

// await waits until all lines with these keys are told, and reports whether
// they are, and if not, why.
func await(ctx context.Context, o notify.Outlet, wait time.Duration, keys []string) (told bool, trouble string, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(awaitStep)
	defer tick.Stop()
	for {
		outcomes, err := o.Outcomes(context.WithoutCancel(ctx), keys...)
		if err != nil {
			return false, "", err
		}
		told = true
		for _, key := range keys {
			if outcome, known := outcomes[key]; known && outcome.Told.IsZero() {
				told = false
				if outcome.Trouble != "" {
					trouble = outcome.Trouble
				}
			}
		}
		if told {
			return true, "", nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, trouble, nil
		}
	}
}

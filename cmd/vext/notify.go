package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/target"
	"vext/server"
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
			texts, err := readTexts(a.stdin, args[1:])
			if err != nil {
				return err
			}
			a.makeState = true
			s, q, err := a.open()
			if err != nil {
				return err
			}
			err = s.Notify(cmd.Context(), q, args[0], texts, wait)
			if errors.Is(err, server.ErrEmpty) {
				err = usageError{err}
			}
			return err
		},
	}
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for the server's confirmation; 0 to wait only until the message is stored")
	return c
}

// maxText bounds the text, in bytes.
const maxText = 64 << 10

// readTexts returns the lines to send.
func readTexts(stdin io.Reader, args []string) ([]string, error) {
	text := strings.Join(args, " ")
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, maxText+1))
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
		return nil, usageError{server.ErrEmpty}
	}
	return all, nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/internal/target"
	"vext/notify"
	"vext/notify/irc"
	"vext/server"
)

func newIRCCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "irc",
		Short: "Show the connections to IRC, and drop pending messages",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newIRCStatus(a), newDrop(a, `  vext irc drop irc://no.such.host/ops`))
	return c
}

func newIRCStatus(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show networks, channels and pending messages",
		Long: `Shows the connections to each network, and for each channel or person its state,
the number and age of its pending messages, and when the server last confirmed one.
The process that keeps the connections supplies the state. If there is none, only
the pending messages are shown.

"vext check" reports problems.`,
		Example: `  vext irc status
  vext irc status --json | jq '.networks[]?.channels[] | select(.backlog > 0)'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, q, err := a.open()
			if err != nil {
				return err
			}
			status, err := s.OutboxStatus(cmd.Context(), q.State)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, status)
			}
			printIRC(a.stdout, styleFor(a.stdout), status, q.Now, q.Zone)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printIRC(w io.Writer, s style, status *server.OutboxStatus, now time.Time, zone *time.Location) {
	if !status.Running {
		fmt.Fprintln(w, "no vext serve is running; pending messages are delivered when it runs, or with the next vext notify")
	}
	if len(status.Networks) == 0 {
		fmt.Fprintln(w, "nothing was delivered on IRC, and nothing is pending")
	}
	for i := range status.Networks {
		n := &status.Networks[i]
		if i > 0 || !status.Running {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, s.bold(printable(n.Network)))
		for _, l := range n.Links {
			fmt.Fprintf(w, "  %s\n", linkWords(s, &l, now, zone))
		}
		printRecipients(w, s, "CHANNEL", 40, n.States(), now, zone)
	}
}

func linkWords(s style, l *irc.LinkStatus, now time.Time, zone *time.Location) string {
	name := ""
	if l.Number > 0 {
		name = fmt.Sprintf("connection %d: ", l.Number)
	}
	switch l.State {
	case "connected":
		words := name + s.green("connected") + " as " + printable(l.Nick) + ", " + "since " + calendar.Ago(l.Since, now, zone) + ", confirmed by " + l.ConfirmedBy
		if l.Lost != "" {
			words += s.dim(fmt.Sprintf("; the one before was lost %s: %s", agoWords(l.LostTime, now), printable(l.Lost)))
		}
		return words
	case "connecting":
		if l.Error == "" {
			return name + s.yellow("connecting")
		}
	}
	return name + s.red("not connected") + ", " + "since " + calendar.Ago(l.Since, now, zone) + ": " + printable(l.Error)
}

func agoWords(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return calendar.Elapsed(now.Sub(t))
}

// printRecipients prints the table of recipients. Their names, under that
// heading, take at most limit columns.
func printRecipients(w io.Writer, s style, heading string, limit int, all []notify.RecipientStatus, now time.Time, zone *time.Location) {
	wide := len(heading)
	for _, r := range all {
		wide = max(wide, runewidth.StringWidth(printable(r.Name)))
	}
	wide = min(wide, limit)
	fmt.Fprintf(w, "  %s\n", s.dim(fmt.Sprintf("%s  %-8s  %7s  %-14s  %s", column(heading, wide), "STATE", "PENDING", "OLDEST", "DELIVERED")))
	for _, r := range all {
		state := fmt.Sprintf("%-8s", r.State)
		switch r.State {
		case "joined", "person":
			state = s.green(state)
		case "refused":
			state = s.red(state)
		}
		oldest := "-"
		if r.Count > 0 {
			oldest = agoWords(r.Oldest, now)
		}
		delivered := agoWords(r.Delivered, now)
		if !r.Receipt.IsZero() {
			delivered += ", receipt " + agoWords(r.Receipt, now)
		}
		fmt.Fprintf(w, "  %s  %s  %7d  %-14s  %s\n", column(r.Name, wide), state, r.Count, oldest, delivered)
		if r.Problem != "" {
			fmt.Fprintf(w, "  %s  %s\n", column("", wide), s.red(printable(r.Problem+retryWords(r.Retry, now, zone))))
		}
		if r.Bounced > 0 {
			words := fmt.Sprintf("%s bounced, the last %s: %s", calendar.Plural(r.Bounced, "message"), agoWords(r.LastBounced, now), r.LastReason)
			fmt.Fprintf(w, "  %s  %s\n", column("", wide), s.yellow(printable(words)))
		}
	}
}

// retryWords says when the next try is, if there will be one.
func retryWords(retry, now time.Time, zone *time.Location) string {
	if !retry.After(now) {
		return ""
	}
	return ", next try " + retry.In(zone).Format("15:04:05")
}

// newDrop returns the command drop of irc and xmpp, which is the same.
func newDrop(a *app, example string) *cobra.Command {
	return &cobra.Command{
		Use:   "drop TARGET...",
		Short: "Drop the pending messages of a channel, a room or a person",
		Long: `Drops the messages that are pending for TARGET, a URL as for "vext notify", such as
a mistyped host or a channel that is gone. Messages in flight are still delivered.
Reminders stay; use "vext cancel" for those.`,
		Example: example,
		Args:    takes(1, 0, "one or more targets"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, to := range args {
				if _, err := target.Parse(to); err != nil {
					return usageError{err}
				}
			}
			s, q, err := a.open()
			if err != nil {
				return err
			}
			outbox, done, err := s.LocalOutbox(q.State)
			if err != nil {
				return err
			}
			var errs []error
			for _, to := range args {
				n, err := outbox.Drop(cmd.Context(), to)
				if errs = append(errs, err); err == nil {
					fmt.Fprintf(a.stdout, "%s: %s dropped\n", server.WithoutSecrets(to), calendar.Plural(n, "message"))
				}
			}
			return errors.Join(append(errs, done())...)
		},
	}
}

func newNotify(a *app) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "notify TARGET TEXT...",
		Short: "Send a message to IRC or XMPP",
		Long: `Sends TEXT to the channel, the room or the person that TARGET names:

  irc://HOST[:PORT]/CHANNEL         a channel; # in front of it may be left out
  ircs://HOST/CHANNEL               the same over TLS
  ircs://HOST/CHANNEL?key=KEY       a channel with a key
  ircs://HOST/NICK,isnick           a person
  xmpp:USER@DOMAIN                  a person on XMPP
  xmpp:ROOM@DOMAIN?join             a room on XMPP; ;password=PASSWORD may follow

If "vext serve" runs, its connection is used; otherwise this command connects,
sends the message, and disconnects. It waits until the server has confirmed the
message. A message not delivered in time is kept, and delivered by "vext serve" or
the next "vext notify". A message that the server rejects permanently is not kept.
A TEXT of several lines is sent line by line on IRC, as one message on XMPP; - reads
it from standard input. XMPP needs an account, [xmpp] in the configuration.`,
		Example: `  vext notify ircs://irc.example.org/ops "the backup has failed"
  vext notify 'xmpp:ops@conference.example.org?join' "the backup has failed"
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

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/calendar"
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
	c.AddCommand(newIRCStatus(a), newIRCDrop(a))
	return c
}

func newIRCStatus(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show networks, channels and pending messages",
		Long: `Shows the connections to each network, and for each channel or person its state,
the number and age of its pending messages, and when the server last confirmed one.
The process with the connections answers; where none runs, only the pending
messages are shown.

"vext check" reports problems.`,
		Example: `  vext irc status
  vext irc status --json | jq '.networks[]?.channels[] | select(.backlog > 0)'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, q, err := a.open()
			if err != nil {
				return err
			}
			status, err := s.IRCStatus(cmd.Context(), q.State)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, status)
			}
			return printIRC(a.stdout, styleFor(a.stdout), status, q.Now, q.Zone)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printIRC(w io.Writer, s style, status *server.IRCStatus, now time.Time, zone *time.Location) error {
	var b strings.Builder
	if !status.Running {
		fmt.Fprintln(&b, "no vext serve is running; pending messages are delivered when it runs, or with the next vext notify")
	}
	if len(status.Networks) == 0 {
		fmt.Fprintln(&b, "nothing was delivered on IRC, and nothing is pending")
	}
	for i := range status.Networks {
		n := &status.Networks[i]
		if i > 0 || !status.Running {
			fmt.Fprintln(&b)
		}
		fmt.Fprintln(&b, s.bold(printable(n.Network)))
		for _, l := range n.Links {
			fmt.Fprintf(&b, "  %s\n", linkWords(s, &l, now, zone))
		}
		printChannels(&b, s, n.Channels, now, zone)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// linkWords says how a connection stands.
func linkWords(s style, l *irc.LinkStatus, now time.Time, zone *time.Location) string {
	name := ""
	if l.Number > 0 {
		name = fmt.Sprintf("connection %d: ", l.Number)
	}
	switch l.State {
	case "connected":
		words := name + s.green("connected") + " as " + printable(l.Nick) + ", " + sinceWords(l.Since, now, zone) + ", confirmed by " + l.ConfirmedBy
		if l.Lost != "" {
			words += s.dim(fmt.Sprintf("; the one before was lost %s: %s", agoWords(l.LostTime, now), printable(l.Lost)))
		}
		return words
	case "connecting":
		if l.Error == "" {
			return name + s.yellow("connecting")
		}
	}
	return name + s.red("not connected") + ", " + sinceWords(l.Since, now, zone) + ": " + printable(l.Error)
}

func sinceWords(t, now time.Time, zone *time.Location) string {
	return "since " + calendar.Ago(t, now, zone)
}

// agoWords says how long ago something was, if ever.
func agoWords(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return calendar.Elapsed(now.Sub(t))
}

// printChannels prints a table of channels and persons.
func printChannels(b *strings.Builder, s style, all []irc.ChannelStatus, now time.Time, zone *time.Location) {
	wide := len("CHANNEL")
	for _, c := range all {
		wide = max(wide, runewidth.StringWidth(printable(c.Name)))
	}
	wide = min(wide, 40)
	fmt.Fprintf(b, "  %s\n", s.dim(fmt.Sprintf("%s  %-8s  %7s  %-14s  %s", column("CHANNEL", wide), "STATE", "PENDING", "OLDEST", "DELIVERED")))
	for _, c := range all {
		state := fmt.Sprintf("%-8s", c.State)
		switch c.State {
		case "joined", "person":
			state = s.green(state)
		case "refused":
			state = s.red(state)
		}
		oldest := "-"
		if c.Backlog > 0 {
			oldest = agoWords(c.Oldest, now)
		}
		fmt.Fprintf(b, "  %s  %s  %7d  %-14s  %s\n", column(c.Name, wide), state, c.Backlog, oldest, agoWords(c.Delivered, now))
		if c.Problem != "" {
			words := c.Problem
			if c.Retry.After(now) {
				words += ", next try " + c.Retry.In(zone).Format("15:04:05")
			}
			fmt.Fprintf(b, "  %s  %s\n", column("", wide), s.red(printable(words)))
		}
		if c.Bounced > 0 {
			words := fmt.Sprintf("%s bounced, the last %s: %s", calendar.Plural(c.Bounced, "message"), agoWords(c.LastBounced, now), c.LastReason)
			fmt.Fprintf(b, "  %s  %s\n", column("", wide), s.yellow(printable(words)))
		}
	}
}

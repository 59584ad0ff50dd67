package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/notify/xmpp"
	"vext/server"
)

func newXMPPCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "xmpp",
		Short: "Show the connection to XMPP, and drop pending messages",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newXMPPStatus(a), newDrop(a, `  vext xmpp drop xmpp:jane@no.such.host`))
	return c
}

func newXMPPStatus(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the account, its recipients and pending messages",
		Long: `Shows the connection of the account in [xmpp], and for each person or room its state,
the number and age of its pending messages, and when the last one was confirmed: by
the server for a person, by the room itself for a room. The process that keeps the
connection supplies the state. If there is none, only the pending messages are shown.

"vext check" reports problems.`,
		Example: `  vext xmpp status
  vext xmpp status --json | jq '.recipients[]? | select(.pending > 0)'`,
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
			if status.XMPP == nil {
				status.XMPP = &xmpp.TransportStatus{Status: xmpp.Status{Account: s.Config.XMPP.Account()}, Recipients: []xmpp.RecipientStatus{}}
			}
			if asJSON {
				return printJSON(a.stdout, struct {
					Running bool `json:"running"`
					*xmpp.TransportStatus
				}{status.Running, status.XMPP})
			}
			printXMPP(a.stdout, styleFor(a.stdout), status, q.Now, q.Zone)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printXMPP(w io.Writer, s style, status *server.OutboxStatus, now time.Time, zone *time.Location) {
	x := status.XMPP
	if x.Account == "" {
		fmt.Fprintln(w, "no account: set jid and password (or password_file) under [xmpp] in vext.toml")
	}
	if !status.Running {
		fmt.Fprintln(w, "no vext serve is running; pending messages are delivered when it runs, or with the next vext notify")
	}
	if x.Account != "" {
		fmt.Fprintf(w, "%s  %s\n", s.bold(printable(x.Account)), accountWords(s, status, now, zone))
	}
	if len(x.Recipients) == 0 {
		fmt.Fprintln(w, "nothing was delivered on XMPP, and nothing is pending")
		return
	}
	printRecipients(w, s, "TARGET", 60, x.States(), now, zone)
}

func accountWords(s style, status *server.OutboxStatus, now time.Time, zone *time.Location) string {
	x := status.XMPP
	switch {
	case !status.Running:
		return s.dim("not in use")
	case x.Connected:
		return s.green("connected") + " to " + printable(x.Server) + ", since " + calendar.Ago(x.Since, now, zone)
	case x.Error == "":
		return s.dim("connects when there is something to deliver")
	}
	return s.red("not connected") + ": " + printable(x.Error) + retryWords(x.Retry, now, zone)
}

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/source/remote"
)

func newRemoteSend(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "send COMMAND [REF...]",
		Short: "Send a command to the vext remote of a clone",
		Long: `Sends a command to the "vext remote" that watches a clone:

  PAUSE            disconnect
  LOSTNET          the network is gone: disconnect at once
  RESUME           connect again, now, also where an attempt has failed
  RELOAD           read git's configuration again, and look for new commits
  CHANGED REF...   these refs have changed here: push them where
                   remote.NAME.vextPush in git's configuration says so
  STOP             end; it returns when the process has ended`,
		Example: `  vext remote send PAUSE
  vext remote send -C ~/src/widget CHANGED refs/heads/main`,
		Args: takes(1, 0, "a command"),
		ValidArgsFunction: completeArgs(1, func() []string {
			return []string{"PAUSE", "LOSTNET", "RESUME", "RELOAD", "CHANGED", "STOP"}
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := remote.Find(cmd.Context(), dir)
			if err != nil {
				return err
			}
			return client.Send(cmd.Context(), strings.Join(args, " "))
		},
	}
	addDir(c, &dir)
	return c
}

func newRemoteWatch(a *app) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "watch",
		Short: "Print the events of the vext remote of a clone",
		Long: `Prints the events of the "vext remote" that watches a clone, until that ends. The first
lines tell which remotes are connected. A WARNING from before is not repeated:
"vext remote status" shows the last error of each remote.`,
		Example: `  vext remote watch | while read event uri ok; do echo "$event"; done`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := remote.Find(cmd.Context(), dir)
			if err != nil {
				return err
			}
			return client.Watch(cmd.Context(), a.stdout)
		},
	}
	addDir(c, &dir)
	return c
}

func newRemoteStatus(a *app) *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the remotes of a clone, and how they are watched",
		Long: `Shows for each remote of a clone how it is watched, whether it is connected, when it
last changed, when commits were last fetched, when vext tries again to connect, and the
last error; then the remotes that are left out because their configuration is wrong. The
"vext remote" that watches the clone answers.`,
		Example: `  vext remote status
  vext remote status --json | jq -r '.remotes[] | select(.error) | .name'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := remote.Find(cmd.Context(), dir)
			if err != nil {
				return err
			}
			status, err := client.Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.stdout, status)
			}
			printRemotes(a.stdout, styleFor(a.stdout), status, time.Now(), time.Local)
			return nil
		},
	}
	addDir(c, &dir)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printRemotes(w io.Writer, s style, status *remote.Status, now time.Time, zone *time.Location) {
	fmt.Fprintf(w, "%s is watched by process %d, since %s\n", s.bold(printable(status.Dir)), status.PID, calendar.Ago(status.Started, now, zone))
	if len(status.Remotes) == 0 {
		fmt.Fprintln(w, "no remote is watched: git remote -v lists those of the clone; one that is switched off, or has no fetch refspec, is left out")
		printWarnings(w, s, status.Warnings)
		return
	}
	name, by := len("REMOTE"), len("TRANSPORT")
	for _, r := range status.Remotes {
		name = max(name, runewidth.StringWidth(printable(r.Name)))
		by = max(by, runewidth.StringWidth(printable(r.Transport)))
	}
	name, by = min(name, 30), min(by, 30)
	fmt.Fprintln(w, s.dim(fmt.Sprintf("%s  %s  %-10s  %-15s  %-15s  %s",
		column("REMOTE", name), column("TRANSPORT", by), "STATE", "LAST CHANGE", "LAST FETCH", "NEXT TRY")))
	for _, r := range status.Remotes {
		state := fmt.Sprintf("%-10s", r.State)
		switch r.State {
		case "connected", "syncing":
			state = s.green(state)
		case "connecting", "waiting":
			state = s.yellow(state)
		}
		retry := "-"
		if r.Retry.After(now) {
			retry = r.Retry.In(zone).Format("15:04:05")
		}
		fmt.Fprintf(w, "%s  %s  %s  %-15s  %-15s  %s\n", column(r.Name, name), column(r.Transport, by), state,
			sinceWords(r.Changed, now, zone), sinceWords(r.Fetched, now, zone), retry)
		if r.Error != "" {
			fmt.Fprintf(w, "%s  %s\n", column("", name), s.red(printable(r.Error)))
		}
	}
	printWarnings(w, s, status.Warnings)
}

func printWarnings(w io.Writer, s style, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintln(w, s.yellow("warning: "+printable(text)))
	}
}

// sinceWords returns a time as a distance on its day, and then as a day: "3 minutes ago",
// "Fri 4 Dec".
func sinceWords(t, now time.Time, zone *time.Location) string {
	if t.IsZero() || now.Sub(t) < 24*time.Hour {
		return agoWords(t, now)
	}
	return calendar.Of(t, zone).Short(calendar.Of(now, zone))
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vext/source/remote"
)

// newRemoteServeChanges returns the command that the other side runs over ssh.
func newRemoteServeChanges(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "serve-changes DIR",
		Short: "Report changed refs of a repository, for another machine",
		Long: `Prints READY, then a line "CHANGED ref..." whenever refs of the repository change: those
that were created, changed or deleted. It ends at the end of its standard input.

A "vext remote" on another machine starts it over ssh.`,
		Example: `  ssh server vext remote serve-changes /srv/git/widget.git`,
		Args:    takes(1, 1, "one repository"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return remote.ServeChanges(cmd.Context(), args[0], a.stdin, a.stdout, func(text string) {
				fmt.Fprintf(a.stderr, "vext: warning: %s\n", printable(text))
			})
		},
	}
}

package main

import (
	"fmt"
	"strings"
	"vext/internal/hint"

	"github.com/spf13/cobra"
)

// newHelp returns the command help. Cobra's own exits with 0 for an unknown
// command.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print the help text of a command",
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			of, _, err := c.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range of.Commands() {
				if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), typed) {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(of, rest[0])
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}

// unknownCommand is the error of a command line that names no command below
// parent.
func unknownCommand(parent *cobra.Command, name string) error {
	err := usageError{fmt.Errorf("unknown command %q", strings.TrimPrefix(parent.CommandPath()+" "+name, "vext "))}
	if parent.SuggestionsMinimumDistance <= 0 {
		parent.SuggestionsMinimumDistance = 2
	}
	if similar := parent.SuggestionsFor(name); len(similar) > 0 {
		for i := range similar {
			similar[i] = parent.CommandPath() + " " + similar[i]
		}
		return hint.Wrap(err, "did you mean "+strings.Join(similar, ", or ")+"?")
	}
	return err
}

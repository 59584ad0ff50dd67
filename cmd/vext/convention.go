package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vext/internal/convention"
)

func newConvention(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "convention [NAME]",
		Short: "Print how a project asks for reminders",
		Long: `Prints the table of a project's convention: the trailers that ask for a reminder, the
branches that commits are merged to, and how a commit says that it was merged. NAME is
that of a preset, or the path of a file. Without NAME it lists the presets.

A repository gets a convention with the key convention. To change a preset, copy it to a
file of your own, and give that file's path to the key.`,
		Example: `  vext convention
  vext convention linux
  vext convention qt > /usr/local/etc/vext/ours.toml`,
		Args:              takes(0, 1, "at most one name"),
		ValidArgsFunction: completeArgs(1, convention.Names),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listConventions(a)
			}
			c, err := convention.Load(args[0])
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(c.Text())
			return err
		},
	}
}

func listConventions(a *app) error {
	for _, name := range convention.Names() {
		c, err := convention.Load(name)
		if err != nil {
			return err
		}
		project := c.Project
		if name == convention.Default {
			project += "; the default"
		}
		fmt.Fprintf(a.stdout, "%-14s %-26s %s\n", name, strings.Join(c.Patterns, " "), project)
	}
	return nil
}

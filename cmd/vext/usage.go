package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Errors in a command line are printed in the words of vext, not in those of the
// library that reads it.

// usageError is an error in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usageHint names the help text of a command.
func usageHint(c *cobra.Command) string {
	return "see " + strings.Join(strings.Fields("vext help "+nameOf(c)), " ")
}

// nameOf returns the name of a command as it is typed behind vext: "follow add".
func nameOf(c *cobra.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), "vext"), " ")
}

// takes checks that a command has at least min arguments, and at most max
// unless that is 0. what says which they are: "one ID".
func takes(min, max int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= min && (max == 0 || len(args) <= max) {
			return nil
		}
		got := "nothing"
		if len(args) > 0 {
			got = strconv.Itoa(len(args))
		}
		return usageError{fmt.Errorf("%s takes %s, and got %s", nameOf(c), what, got)}
	}
}

// noArgs checks that a command has no arguments. Where it has commands below it,
// the first argument is to be one of these.
func noArgs(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasAvailableSubCommands():
		return unknownCommand(c, args[0])
	}
	return usageError{fmt.Errorf("%s takes no arguments, and got %q", nameOf(c), args[0])}
}

// flagError says what is wrong with a flag.
func flagError(err error) error {
	var unknown *pflag.NotExistError
	var without *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		err = fmt.Errorf("unknown flag -%s; put a text that begins with - behind --", unknown.GetSpecifiedShortnames())
	case errors.As(err, &unknown):
		err = fmt.Errorf("unknown flag --%s", unknown.GetSpecifiedName())
	case errors.As(err, &without):
		err = fmt.Errorf("--%s needs a value", without.GetFlag().Name)
	case errors.As(err, &invalid):
		err = fmt.Errorf("--%s takes %s, and got %q", invalid.GetFlag().Name, valueName(invalid.GetFlag()), invalid.GetValue())
	}
	return usageError{err}
}

// valueName says what the value of a flag is: a duration, a number.
func valueName(f *pflag.Flag) string {
	switch t := f.Value.Type(); t {
	case "duration":
		return "a duration such as 90m or 36h"
	case "bool":
		return "true or false"
	case "int":
		return "a number"
	default:
		return "a " + t
	}
}

// flagGroups checks that no two flags are set that exclude each other.
func flagGroups(c *cobra.Command) error {
	err := c.ValidateFlagGroups()
	if err == nil {
		return nil
	}
	// if any flags in the group [due failed sent] ...; [failed sent] were all set
	_, set, _ := strings.Cut(err.Error(), "; [")
	if set, ok := strings.CutSuffix(set, "] were all set"); ok {
		err = fmt.Errorf("--%s exclude each other", strings.Join(strings.Fields(set), " and --"))
	}
	return usageError{err}
}

// strictCompletion makes completion an error for a shell that it does not know.
func strictCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Args, c.RunE = noArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
		for _, shell := range c.Commands() {
			shell.Args = noArgs
		}
	}
}

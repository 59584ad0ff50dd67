package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vext/internal/calendar"
	"vext/reminder"
)

type statsOptions struct {
	since, until, by string
	json, csv, mfcns bool
}

func newStats(a *app) *cobra.Command {
	var opts statsOptions
	c := &cobra.Command{
		Use:   "stats",
		Short: "Count the reminders that were sent",
		Long: `Counts the reminders that were sent, by committer unless --by names something else.

The report has the exact form of the statistics of MFCns with --mfcns, after a log
of MFCns was imported, and if the configured title contains "MFC".`,
		Example: `  vext stats
  vext stats --since 2026-01-01 --by month
  vext stats --by repository --csv`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return stats(a, opts) },
	}
	flags := c.Flags()
	flags.StringVar(&opts.since, "since", "", "count from the `DAY` on (2026-01-01)")
	flags.StringVar(&opts.until, "until", "", "count up to and with the `DAY`")
	flags.StringVar(&opts.by, "by", reminder.ByCommitter, "count by `WHAT`: committer, month, repository or branch")
	flags.BoolVar(&opts.json, "json", false, "print JSON")
	flags.BoolVar(&opts.csv, "csv", false, "print CSV")
	flags.BoolVar(&opts.mfcns, "mfcns", false, "print the report of MFCns, in its exact form")
	c.MarkFlagsMutuallyExclusive("json", "csv", "mfcns")
	c.MarkFlagsMutuallyExclusive("by", "mfcns")
	by := []string{reminder.ByCommitter, reminder.ByMonth, reminder.ByRepository, reminder.ByBranch}
	c.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(by, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func stats(a *app, opts statsOptions) error {
	s, q, err := a.open()
	if err != nil {
		return err
	}
	since, until, err := parseDays(opts.since, opts.until, q.Zone)
	if err != nil {
		return err
	}
	debug.SetGCPercent(400) // a scan keeps next to nothing
	counts, err := reminder.CountSent(q.History, opts.by, since, until, q.Zone)
	if counts == nil {
		return usageError{fmt.Errorf("--by: %w", err)}
	}
	if err != nil {
		return err
	}
	title := s.Config.Stats.Title
	switch {
	case opts.json:
		return printJSON(a.stdout, counts)
	case opts.csv:
		return statsCSV(a.stdout, counts)
	case opts.mfcns || opts.by == reminder.ByCommitter && (counts.Imported || strings.Contains(title, "MFC")):
		return counts.WriteReport(a.stdout, cmp.Or(title, reminder.MFCnsTitle), q.Zone)
	case opts.by == reminder.ByCommitter:
		return counts.WriteTable(a.stdout, cmp.Or(title, reminder.TableTitle), q.Zone)
	}
	columns := width(a.stdout)
	if columns == 0 {
		columns = 80
	}
	return counts.WriteBars(a.stdout, columns)
}

// parseDays reads the values of --since and --until.
func parseDays(since, until string, zone *time.Location) (from, to calendar.Day, err error) {
	if from, err = parseDay(since, "--since", zone); err == nil {
		to, err = parseDay(until, "--until", zone)
	}
	return from, to, err
}

// parseDay reads a day; a time counts as the day that it falls on.
func parseDay(s, flag string, zone *time.Location) (calendar.Day, error) {
	if s == "" {
		return calendar.Day{}, nil
	}
	t, err := calendar.ParseTime(s, zone)
	if err != nil {
		return calendar.Day{}, usageError{fmt.Errorf("%s: %w", flag, err)}
	}
	return calendar.Of(t, zone), nil
}

func statsCSV(w io.Writer, s *reminder.Stats) error {
	c := csv.NewWriter(w)
	c.Write([]string{s.By, "count", "percent"})
	for _, n := range s.Counts {
		c.Write([]string{n.Name, strconv.Itoa(n.Count), strconv.FormatFloat(n.Percent, 'f', 2, 64)})
	}
	c.Flush()
	return c.Error()
}

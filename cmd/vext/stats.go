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
	merged           bool
}

func newStats(a *app) *cobra.Command {
	var opts statsOptions
	c := &cobra.Command{
		Use:   "stats",
		Short: "Count the reminders that were sent",
		Long: `Counts the reminders that were sent, by committer unless --by names something else.

The report by committer has the exact form of MFCns in three cases: with --mfcns,
after a log of MFCns was imported, and when the configured title contains "MFC".

With --merged it counts the requests instead: how many were asked for, how many vext
found to be merged and how long after the due day (the median), and how many never.`,
		Example: `  vext stats
  vext stats --since 2026-01-01 --by month
  vext stats --by repository --csv
  vext stats --by committer --merged`,
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
	flags.BoolVar(&opts.merged, "merged", false, "count the requests, and what became of them")
	c.MarkFlagsMutuallyExclusive("merged", "csv", "mfcns")
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
	if opts.merged {
		counts, err := reminder.CountMerged(q.History, opts.by, since, until, q.Today(), q.Zone)
		switch {
		case counts == nil:
			return usageError{fmt.Errorf("--by: %w", err)}
		case err != nil:
			return err
		case opts.json:
			return printJSON(a.stdout, counts)
		}
		return counts.Write(a.stdout)
	}
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

// parseDays reads the values of --since and --until; a time counts as the day that it
// falls on.
func parseDays(since, until string, zone *time.Location) (from, to calendar.Day, err error) {
	for _, flag := range []struct {
		name, value string
		day         *calendar.Day
	}{{"--since", since, &from}, {"--until", until, &to}} {
		if flag.value == "" {
			continue
		}
		t, err := calendar.ParseTime(flag.value, zone)
		if err != nil {
			return from, to, usageError{fmt.Errorf("%s: %w", flag.name, err)}
		}
		*flag.day = calendar.Of(t, zone)
	}
	if !from.IsZero() && !to.IsZero() && to.Before(from) {
		return from, to, usageError{fmt.Errorf("--since %s is after --until %s", since, until)}
	}
	return from, to, nil
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

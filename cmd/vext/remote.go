package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vext/internal/hint"
	"vext/server"
	"vext/source/hook"
	"vext/source/remote"
)

func newRemote(a *app) *cobra.Command {
	var o remoteOptions
	c := &cobra.Command{
		Use:   "remote",
		Short: "Watch the remotes of a clone, and fetch what is new",
		Long: `Watches the remotes of a clone of git, and fetches new commits as soon as the remote
reports them; a remote that can't is polled. The branch that is checked out and the
work tree stay as they are.

It runs in the background until "vext remote send STOP"; "vext remote watch" prints
its events, and "vext remote status" the state of the remotes, and why one is left out.
One process watches a clone with all its worktrees.

With --foreground, commands are read from standard input: PAUSE, LOSTNET, RESUME,
RELOAD, "CHANGED ref..." and STOP. Events are printed: "CONNECTED uri",
"DISCONNECTED uri", "SYNCING uri", "DONESYNCING uri 1" (0 after a failure) and
"WARNING uri text".`,
		Example: `  vext remote
  vext remote status
  vext remote send STOP
  vext remote --foreground --no-stdin -C ~/src/widget`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case o.reportTo > 0:
				return runInBackground(c.Context(), a, o)
			case o.foreground:
				return runInForeground(c.Context(), a, o)
			}
			if err := startRemote(c, a); err != nil {
				return err
			}
			warnOfRemotes(c.Context(), a, o.dir)
			return nil
		},
	}
	flags := c.Flags()
	flags.BoolVar(&o.foreground, "foreground", false, "stay in the foreground, read commands from standard input, and print events")
	addDir(c, &o.dir)
	flags.BoolVar(&o.noStdin, "no-stdin", false, "with --foreground, read no standard input: it ends with vext remote send STOP, or SIGTERM")
	flags.BoolVar(&o.requests, "requests", false, "store the requests and announcements of new commits, as vext follow does")
	flags.BoolVar(&o.notify, "notify", false, "show new commits on the desktop")
	flags.BoolVar(&o.seedOrder, "seed-order", false, `print "DONESYNCING 1 uri", as the design of git-remote-daemon has it`)
	flags.IntVar(&o.reportTo, reportFlag, 0, "")
	flags.MarkHidden(reportFlag)
	c.AddCommand(newRemoteSend(a), newRemoteWatch(a), newRemoteStatus(a), newRemoteServeChanges(a))
	return c
}

// addDir adds the flag that names the clone.
func addDir(c *cobra.Command, dir *string) {
	c.Flags().StringVarP(dir, "dir", "C", ".", "the clone, or a `DIR` in it")
	c.MarkFlagDirname("dir")
}

type remoteOptions struct {
	dir                            string
	foreground, noStdin, seedOrder bool
	requests, notify               bool
	reportTo                       int // a file, in the process that startRemote has started
}

// runInForeground watches the remotes until STOP, the end of standard input, or SIGTERM.
func runInForeground(ctx context.Context, a *app, o remoteOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, stop := untilHangup(ctx)
	defer stop()
	out := a.stdout
	if o, ok := out.(*output); ok {
		out = o.Writer
	}
	events := server.NewEventWriter(out, cancel)
	d, err := openRemote(ctx, a, o, remote.Options{Emit: func(e remote.Event) { events.Add(e.Line(o.seedOrder)) }})
	if err != nil {
		events.Close()
		if ctx.Err() != nil { // SIGTERM, already
			return nil
		}
		return err
	}
	if !o.noStdin {
		go func() {
			if err := d.ReadCommands(a.stdin); err != nil {
				a.log(slog.LevelWarn).Error("standard input", "error", err)
			}
			cancel()
		}()
	}
	return errors.Join(d.Run(ctx), events.Close(), d.Close())
}

// openRemote prepares a daemon with these options and those that all have.
func openRemote(ctx context.Context, a *app, o remoteOptions, options remote.Options) (*server.Clone, error) {
	if a.umask >= 0 {
		syscall.Umask(a.umask) // git's new files are the user's
	}
	options.Dir, options.Log, options.Chatter, options.Now = o.dir, a.log(slog.LevelWarn), a.stderr, time.Now
	all := server.CloneOptions{Options: options, SeedOrder: o.seedOrder, Notify: o.notify}
	if o.requests {
		var err error
		if all.Requests, err = openRequests(a, options.Log); err != nil {
			return nil, err
		}
	}
	return server.OpenClone(ctx, all)
}

// openRequests reads the configuration, which nothing else here needs.
func openRequests(a *app, log *slog.Logger) (*server.Requests, error) {
	if a.nowFlag != "" {
		return nil, usageError{errors.New("--now: vext remote --requests does not take it")}
	}
	a.makeState = true
	s, err := a.load()
	if err != nil {
		return nil, err
	}
	s.Log, s.Progress = log, nil
	return s.Requests()
}

// reportFlag names the file to which the process in the background reports how it has
// started.
const reportFlag = "report-to"

// A startReport says how the process in the background has started.
type startReport struct {
	Dir   string `json:"dir"`
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// startTime is how long the process in the background may take until it is ready.
const startTime = 30 * time.Second

// startRemote starts this program again in a session of its own, with the same flags, and
// waits until it is ready or has failed.
func startRemote(c *cobra.Command, a *app) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"remote", "--" + reportFlag + "=3"}
	c.Flags().Visit(func(f *pflag.Flag) { args = append(args, "--"+f.Name+"="+f.Value.String()) })
	reports, reportTo, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reports.Close()
	hook.CloseInherited()
	daemon := exec.Command(program, args...)
	daemon.ExtraFiles = []*os.File{reportTo}
	daemon.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = daemon.Start()
	reportTo.Close()
	if err != nil {
		return err
	}
	report, err := readReport(c.Context(), reports)
	switch {
	case err != nil:
		daemon.Process.Kill()
		return fmt.Errorf("the process in the background has not started: %w", errors.Join(err, daemon.Wait()))
	case report.Error != "":
		daemon.Wait()
		return hint.Wrap(errors.New(report.Error), report.Hint)
	}
	fmt.Fprintf(a.stdout, "watching the remotes of %s, process %d\n", printable(report.Dir), daemon.Process.Pid)
	return daemon.Process.Release()
}

// warnOfRemotes says which remotes the process in the background does not watch. Its own
// WARNINGs are in its log.
func warnOfRemotes(ctx context.Context, a *app, dir string) {
	client, err := remote.Find(ctx, dir)
	if err != nil {
		return
	}
	status, err := client.Status(ctx)
	if err != nil { // it has been stopped, already
		return
	}
	if len(status.Remotes) == 0 && len(status.Warnings) == 0 {
		status.Warnings = []string{"the clone has no remote that is to be watched; one that is added will be"}
	}
	for _, text := range status.Warnings {
		fmt.Fprintf(a.stderr, "vext: warning: %s\n", printable(text))
	}
}

func readReport(ctx context.Context, from *os.File) (report startReport, err error) {
	stop := context.AfterFunc(ctx, func() { from.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	from.SetReadDeadline(time.Now().Add(startTime))
	err = json.NewDecoder(from).Decode(&report)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return report, err
}

// runInBackground is what startRemote has started. It has no terminal, and no standard
// input and output.
func runInBackground(ctx context.Context, a *app, o remoteOptions) error {
	syscall.CloseOnExec(o.reportTo)
	reportTo := os.NewFile(uintptr(o.reportTo), "report")
	report := func(r startReport) {
		json.NewEncoder(reportTo).Encode(r)
		reportTo.Close()
	}
	log := new(server.LogFile)
	a.stderr = log
	logger := a.log(slog.LevelWarn)
	var d *server.Clone
	d, err := openRemote(ctx, a, o, remote.Options{
		Emit: func(e remote.Event) {
			if e.Kind == remote.Warning {
				logger.Warn(e.Text, "remote", e.URI)
			}
		},
		Ready: func() { report(startReport{Dir: d.CommonDir()}) },
	})
	if err == nil {
		if err = log.Open(d.LogPath()); err == nil {
			err = d.Run(ctx)
		}
		err = errors.Join(err, d.Close())
	}
	if err != nil {
		logger.Error("ended", "error", err)
		report(startReport{Error: err.Error(), Hint: hintFor(err)})
		return exitCode(exitError)
	}
	return nil
}

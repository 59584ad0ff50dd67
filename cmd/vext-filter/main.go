// Command vext-filter reads one commit notification on standard input, a mail
// or a hook's JSON, and spools it when it asks for a reminder.
//
// Exit status: 0 when the notification is spooled or ignored, 75 (EX_TEMPFAIL of
// sysexits.h) when it could not be read or stored. No input causes another status: most of
// them make a mail server bounce the committer's mail.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"vext/filter"
	"vext/internal/convention/asking"
	"vext/internal/disk"
	"vext/spool"
)

// Exit statuses of sysexits.h. 1 and 65 are only for -e.
const (
	exitOK       = 0
	exitIgnored  = 1
	exitDataErr  = 65
	exitTempFail = 75
)

func main() {
	disk.SetUmask()
	os.Exit(run(os.Args[1:], os.Stdin, stderr{}))
}

// stderr is standard error by another file descriptor. A Go program that writes to file
// descriptor 2 dies of SIGPIPE when its reader has closed it.
type stderr struct{}

func (stderr) Write(p []byte) (int, error) {
	fd, err := syscall.Dup(2)
	if err != nil {
		return 0, err
	}
	f := os.NewFile(uintptr(fd), "standard error")
	defer f.Close()
	return f.Write(p)
}

type options struct {
	state       string
	trailers    []string
	conventions []string
	exact       bool
	verbose     bool
}

const usage = `usage: vext-filter [-state DIR] [-convention NAME]... [-trailer NAME]... [-e] [-v]
                   < MESSAGE

Reads one commit notification (a mail, or a hook's JSON object) and spools it
when it asks for a reminder with a trailer such as "MFC after: 2 weeks".

  -state DIR     state directory (default: $VEXT_STATE, else /var/spool/vext
                 where that can be written, else ~/.local/state/vext)
  -convention NAME
                 look for what asks in a project: linux, mesa, qt ...; may be
                 given more than once; the configuration must name it, too
  -trailer NAME  look for the trailer NAME as well; may be given more than once
  -e             exit 1 for a message that is ignored, 65 for bad input
  -v             say on standard error what was decided

Exit status: 0 spooled or ignored, 75 try again (also after -h:
a mail may have come with it).
See vext-filter(1).
`

// run returns the exit status. Any error, even a panic, is exitTempFail.
func run(args []string, stdin io.Reader, stderr io.Writer) (status int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "vext-filter: error: panic: %v\n", r)
			status = exitTempFail
		}
	}()
	opts, err := parse(args)
	if err != nil {
		drain(stdin)
		if errors.Is(err, flag.ErrHelp) {
			io.WriteString(stderr, usage)
		} else {
			fmt.Fprintf(stderr, "vext-filter: error: %v; see vext-filter -h\n", err)
		}
		return exitTempFail
	}
	result, err := decide(opts, stdin)
	if err != nil {
		drain(stdin)
		fmt.Fprintf(stderr, "vext-filter: error: %v\n", err)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fmt.Fprintln(stderr, "vext-filter: hint: make the state directory, or name it with -state; see vext-queue(7)")
		case errors.Is(err, fs.ErrPermission):
			fmt.Fprintln(stderr, "vext-filter: hint: run vext-filter as the user that owns the state directory, or name another one with -state; see vext-queue(7)")
		}
		return exitTempFail
	}
	if opts.verbose {
		fmt.Fprintf(stderr, "vext-filter: %v: %s\n", result.Verdict, result.Reason)
	}
	switch {
	case opts.exact && result.Verdict == filter.Ignored:
		return exitIgnored
	case opts.exact && result.Verdict == filter.Bad:
		return exitDataErr
	}
	return exitOK
}

// memoryLimit keeps the process within 16 MiB on an input of any size.
const memoryLimit = 8 << 20

func decide(opts options, stdin io.Reader) (filter.Result, error) {
	state := opts.state
	if state == "" {
		var err error
		if state, err = spool.DefaultState(); err != nil {
			return filter.Result{}, err
		}
	}
	if err := spool.BecomeOwner(state, nil); err != nil {
		return filter.Result{}, err
	}
	f, err := filter.New(spool.New(state), time.Now, opts.trailers...)
	if err != nil {
		return filter.Result{}, err
	}
	for _, name := range opts.conventions {
		if f.Trailers, err = asking.With(f.Trailers, name); err != nil {
			return filter.Result{}, err
		}
	}
	f.MemoryLimit = memoryLimit
	return f.Run(stdin)
}

func parse(args []string) (options, error) {
	var opts options
	flags := flag.NewFlagSet("vext-filter", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	flags.StringVar(&opts.state, "state", "", "")
	flags.BoolVar(&opts.exact, "e", false, "")
	flags.BoolVar(&opts.verbose, "v", false, "")
	flags.Func("convention", "", func(name string) error {
		opts.conventions = append(opts.conventions, name)
		return nil
	})
	flags.Func("trailer", "", func(name string) error {
		opts.trailers = append(opts.trailers, name)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	if flags.NArg() > 0 {
		return opts, fmt.Errorf("unexpected argument: %q", flags.Arg(0))
	}
	return opts, nil
}

// drain reads the rest of the input, unless it is a terminal.
func drain(stdin io.Reader) {
	if f, ok := stdin.(*os.File); ok {
		if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice != 0 {
			return
		}
	}
	io.Copy(io.Discard, stdin)
}

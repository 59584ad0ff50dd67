package wake

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// report returns a channel that gets something when the clock was set, as it is after a
// suspend, or when an address of this machine has changed; and a function that ends that.
func report() (reports <-chan struct{}, stop func(), err error) {
	clock, err := openClock()
	if err != nil {
		return nil, nil, err
	}
	addresses, err := openAddresses()
	if err != nil {
		clock.Close()
		return nil, nil, err
	}
	out := make(chan struct{}, 1)
	var readers sync.WaitGroup
	for _, file := range []*os.File{clock, addresses} {
		readers.Go(func() { readReports(file, out) })
	}
	return out, func() {
		clock.Close()
		addresses.Close()
		readers.Wait()
	}, nil
}

// readReports passes on that there is something to read, or was, until the file is closed.
func readReports(file *os.File, out chan<- struct{}) {
	buffer := make([]byte, 4096)
	for {
		_, err := file.Read(buffer)
		if err != nil && !errors.Is(err, unix.ECANCELED) && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		select {
		case out <- struct{}{}:
		default:
		}
	}
}

// openClock opens a timer that never expires, and is canceled when the clock is set.
func openClock() (*os.File, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("timerfd_create: %w", err)
	}
	never := unix.ItimerSpec{Value: unix.Timespec{Sec: 1 << 33}} // the year 2242
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("timerfd_settime: %w", err)
	}
	return os.NewFile(uintptr(fd), "clock"), nil
}

// openAddresses opens a socket at which the changes of addresses arrive, rtnetlink(7).
func openAddresses() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind: %w", err)
	}
	return os.NewFile(uintptr(fd), "addresses"), nil
}

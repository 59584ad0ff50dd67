//go:build !linux

package watch

import "vext/internal/watchable"

// A notifier does not exist here: everything is polled.
type notifier struct{}

func newNotifier() (*notifier, error) { return nil, watchable.Unreliable("") }

func (*notifier) add(string) (int32, error)     { panic("no notifier") }
func (*notifier) addSelf(string) (int32, error) { panic("no notifier") }
func (*notifier) remove(int32)                  {}
func (*notifier) close()                        {}
func (*notifier) read() ([]report, bool, error) { panic("no notifier") }

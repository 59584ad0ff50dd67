//go:build !linux

package watchable

import "errors"

// Supported says that files are not watched: kqueue would keep every one of them open.
const Supported = false

// Unreliable returns the reason why changed files are not reported.
func Unreliable(string) error { return errors.New("only Linux reports changed files cheaply") }

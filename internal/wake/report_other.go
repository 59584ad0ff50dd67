//go:build !linux

package wake

import "errors"

// report is for systems that report it.
func report() (reports <-chan struct{}, stop func(), err error) {
	return nil, nil, errors.ErrUnsupported
}

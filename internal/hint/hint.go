// Package hint attaches advice to an error: what a person can do about it.
package hint

import "errors"

type hinted struct {
	error
	text string
}

func (h hinted) Unwrap() error { return h.error }

// Wrap returns err with a hint: a sentence in lower case without a full stop.
// It returns nil if err is nil.
func Wrap(err error, text string) error {
	if err == nil {
		return nil
	}
	return hinted{err, text}
}

// Of returns the outermost hint of an error, "" for none.
func Of(err error) string {
	var h hinted
	errors.As(err, &h)
	return h.text
}

package repo

// SetFault sets what is called at each step of a checkout.
func SetFault(f func(point string)) (restore func()) {
	was := fault
	fault = f
	return func() { fault = was }
}

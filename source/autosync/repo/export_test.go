package repo

// SetFault sets what is called at each step of a checkout.
func SetFault(f func(point string)) (restore func()) {
	was := fault
	fault = f
	return func() { fault = was }
}

// RunGit has a git run in a directory until end is called.
var RunGit = runGit

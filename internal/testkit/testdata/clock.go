package time

import "syscall"

// testShift is what is added to the clock, in seconds: $VEXT_TEST_CLOCK.
var testShift = func() (n int64) {
	text, _ := syscall.Getenv("VEXT_TEST_CLOCK")
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			n = n*10 + int64(text[i]-'0')
		}
	}
	if text != "" && text[0] == '-' {
		return -n
	}
	return n
}()

//go:build linux && (amd64 || arm64)

package main

// entry is the program's entry point when it is linked with -E main.entry, as the Makefile
// does. Go's runtime exits with status 2 when it can't start, because memory, files or
// threads have run out, or because a variable such as GOMEMLIMIT is invalid. Mail systems
// bounce a mail on status 2. So entry starts the runtime in a child and waits for it, as
// vfork(2) does. It exits with 75 when the child exits with a status that is not one of
// the filter's, or is killed by a signal, such as by the kernel's OOM killer.
//
// It costs some 30 microseconds: the child shares the parent's memory.
//
//lint:ignore U1000 the linker calls it
func entry()

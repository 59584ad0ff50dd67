//go:build linux && (amd64 || arm64)

package main

// entry is the program's entry point when it is linked with -E main.entry, as
// the Makefile does. Go's runtime exits with status 2 when it can't start:
// because memory, files or threads have run out, or because a variable such as
// GOMEMLIMIT can't be read. Mail systems bounce a mail on status 2. So entry
// starts the runtime in a child and waits for it, as vfork(2) does. It exits
// with 75 when the child exits with a status that is not the filter's own, or
// is killed by a signal, by the kernel's OOM killer for example.
//
// It costs some 30 microseconds: the child has the parent's memory, which
// nobody uses meanwhile.
//
//lint:ignore U1000 the linker calls it
func entry()

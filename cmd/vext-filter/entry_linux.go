//go:build linux && (amd64 || arm64)

package main

// entry is where the program begins when it is linked with -E main.entry, as
// the Makefile links it. Go's runtime ends a program with status 2 when it
// can't start: where memory, files or threads are short, or a variable such as
// GOMEMLIMIT can't be read. Mail systems bounce on a status of 2. So entry
// starts the runtime in a child and waits for it, as vfork(2) does, and gives 75
// in the place of every status that is not the filter's own, and of every
// signal, the killer of a machine without memory included.
//
// It costs some 30 microseconds: the child has the parent's memory, which
// nobody uses meanwhile.
//
//lint:ignore U1000 the linker calls it
func entry()

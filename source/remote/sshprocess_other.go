//go:build !linux

package remote

import "syscall"

func endWithParent(*syscall.SysProcAttr) {}

//go:build !linux

package disk

func syncAll(_ string, names []string) error { return syncEach(names) }

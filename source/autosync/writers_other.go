//go:build !linux

package autosync

func identify(string) (fileID, bool) { return fileID{}, false }

func writers(map[fileID][]string, func(fileID)) error { return nil }

package remote

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vext/internal/disk"
	"vext/internal/socket"
)

// listen makes the socket beside the pipe. A socket's path may have a hundred bytes only,
// so that of a deep clone is in a short directory, and a file beside the pipe has its path.
func (c *Control) listen() (err error) {
	removeAway(c.dir)
	path := filepath.Join(c.dir, socketName)
	if len(path) > socket.MaxPath {
		away, err := awayDir(c.d.CommonDir())
		if err != nil {
			return err
		}
		path = filepath.Join(away, socketName)
		if err := os.WriteFile(filepath.Join(c.dir, awayName), []byte(path+"\n"), 0o600); err != nil {
			return err
		}
	}
	c.listener, err = socket.Listen(path, 0o600)
	return err
}

// removeAway removes a socket that is not beside the pipe, with its directory.
func removeAway(dir string) {
	at := filepath.Join(dir, awayName)
	path := readAway(dir)
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		os.Remove(path)
	}
	if filepath.Base(path) == socketName {
		os.Remove(filepath.Dir(path)) // if it is empty
	}
	os.Remove(at)
}

// readAway returns the path of a socket that is not beside the pipe, "" if it is. After a
// crash the temporary directory may be cleaned, and another user may make one of that name.
func readAway(dir string) string {
	at := filepath.Join(dir, awayName)
	text, err := disk.ReadRegular(at)
	if err != nil {
		return ""
	}
	path := strings.TrimSuffix(string(text), "\n")
	us, _, known := disk.Owner(at)
	if uid, _, exists := disk.Owner(path); known && exists && uid != us {
		return ""
	}
	return path
}

// socketPath returns where the daemon of a clone has its socket.
func socketPath(commonDir string) string {
	dir := runDir(commonDir)
	if path := readAway(dir); path != "" {
		return path
	}
	return filepath.Join(dir, socketName)
}

// awayDir makes a directory for the socket of a clone whose path is too long: below the
// directory that the system gives the user for sockets, or else a temporary one.
func awayDir(commonDir string) (string, error) {
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); isPrivate(runtime) {
		dir := filepath.Join(runtime, "vext", fmt.Sprintf("%.8x", sha256.Sum256([]byte(commonDir))))
		if err := os.MkdirAll(dir, 0o700); err == nil && isPrivate(dir) && isShort(dir) {
			return dir, nil
		}
	}
	if dir, ok := tempDir(isShort); ok {
		return dir, nil
	}
	return "", errors.New("no short directory can be made for the socket, neither in $XDG_RUNTIME_DIR nor in " + os.TempDir())
}

// tempDir makes a temporary directory whose path fits.
func tempDir(fits func(dir string) bool) (dir string, ok bool) {
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		if !fits(filepath.Join(parent, "vext-0123456789")) { // ten digits at most
			continue
		}
		if dir, err := os.MkdirTemp(parent, "vext-"); err == nil {
			return dir, true
		}
	}
	return "", false
}

func isShort(dir string) bool { return len(filepath.Join(dir, socketName)) <= socket.MaxPath }

// isPrivate reports whether a path is a directory that only this user can enter.
func isPrivate(path string) bool { return disk.IsDirOf(path, 0o077, os.Geteuid()) }

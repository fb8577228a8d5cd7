//go:build unix

package livecopy

import (
	"errors"
	"os"
	"syscall"
)

// own gives f the owner that info names, where this process may do that.
func own(f *os.File, info os.FileInfo) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(stat.Uid), int(stat.Gid))
	}
}

// synchronizeDir makes a new name in a folder last. Some file systems have nothing to
// do for that, and say so.
func synchronizeDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil // a folder that may be written to and not read
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

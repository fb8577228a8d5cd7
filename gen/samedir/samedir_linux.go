package samedir

import (
	"os"
	"syscall"
)

// hasRoom reports whether the file system of a folder has room for what the tests link, and
// lets programs run.
func hasRoom(dir string) bool {
	const noExec, enough = 0x8, 2 << 30 // ST_NOEXEC
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return err == nil && s.Flags&noExec == 0 && s.Bavail*uint64(s.Bsize) > enough
}

// lock takes the lock of a file, or none if there can be none. Whoever dies gives it back.
func lock(path string) (unlock func()) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return func() {}
	}
	for syscall.Flock(int(file.Fd()), syscall.LOCK_EX) == syscall.EINTR {
	}
	return func() { file.Close() }
}

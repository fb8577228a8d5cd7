package samedir

import "syscall"

// hasRoom reports whether the file system of a folder has room for what the tests link, and
// lets programs run.
func hasRoom(dir string) bool {
	const noExec, enough = 0x8, 2 << 30 // ST_NOEXEC
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return err == nil && s.Flags&noExec == 0 && s.Bavail*uint64(s.Bsize) > enough
}

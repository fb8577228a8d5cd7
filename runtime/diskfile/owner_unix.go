//go:build unix

package diskfile

import (
	"io/fs"
	"os"
	"syscall"
)

// own gives a file the owner and the group of another, as far as the process may. It
// reports whether the file has the group.
func own(f *os.File, like fs.FileInfo) bool {
	want, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	if f.Chown(int(want.Uid), int(want.Gid)) == nil {
		return true
	}
	return f.Chown(-1, int(want.Gid)) == nil
}

// Ours reports whether a file belongs to this process's user, or to the owner of another.
func Ours(file, other fs.FileInfo) bool {
	f, ok := file.Sys().(*syscall.Stat_t)
	o, ok2 := other.Sys().(*syscall.Stat_t)
	return ok && ok2 && (int(f.Uid) == os.Geteuid() || f.Uid == o.Uid)
}

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

//go:build unix

package database

import (
	"io/fs"
	"os"
	"syscall"
)

// narrow keeps the files that SQLite makes from being more readable than a database. (The
// driver makes them with all permissions that the umask leaves.)
func narrow(db fs.FileInfo) (widen func()) {
	mode := int(db.Mode().Perm())
	if s, ok := db.Sys().(*syscall.Stat_t); !ok || int(s.Gid) != os.Getegid() {
		mode &^= 0o070 // it would be another group
	}
	was := syscall.Umask(0o077)
	syscall.Umask(was | 0o077&^mode)
	return func() { syscall.Umask(was) }
}

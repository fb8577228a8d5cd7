//go:build unix && !aix && !solaris

package diskfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// own gives a file the owner and the group of another, as far as the process may. It
// reports whether the file has the group.
func own(path string, like fs.FileInfo) bool {
	want := like.Sys().(*syscall.Stat_t)
	return os.Chown(path, int(want.Uid), int(want.Gid)) == nil || os.Chown(path, -1, int(want.Gid)) == nil
}

// Ours reports whether a file belongs to this process's user, or to the owner of another.
func Ours(file, other fs.FileInfo) bool {
	f, o := file.Sys().(*syscall.Stat_t), other.Sys().(*syscall.Stat_t)
	return int(f.Uid) == os.Geteuid() || f.Uid == o.Uid
}

// Narrow sets the umask so that new files are not more readable than the file like. (SQLite
// has drivers that make journals with all permissions that the umask leaves.)
func Narrow(like fs.FileInfo) (widen func()) {
	mode := int(like.Mode().Perm())
	if int(like.Sys().(*syscall.Stat_t).Gid) != os.Getegid() {
		mode &^= 0o070 // it would be another group
	}
	was := syscall.Umask(0o077)
	syscall.Umask(was | 0o077&^mode)
	return func() { syscall.Umask(was) }
}

// MayWrite returns nil if the process may write to the file or folder. It opens nothing: to
// close a database's file would give up the process's locks on it.
func MayWrite(path string) error {
	const write = 2 // W_OK
	return syscall.Access(path, write)
}

// lock takes the lock of a folder, which ends with the process.
func lock(folder string) (unlock func(), err error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		_, err = os.Lstat(folder) // its last owner may have removed it
	} else if err != syscall.EWOULDBLOCK { // some network disks have no locks
		err = errors.ErrUnsupported
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

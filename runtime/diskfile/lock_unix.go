//go:build unix && !aix && !solaris

package diskfile

import (
	"errors"
	"os"
	"syscall"
)

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

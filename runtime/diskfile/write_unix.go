//go:build unix

package diskfile

import "syscall"

// MayWrite returns nil if the process may write to the file or folder. It opens nothing: to
// close a database's file would give up the process's locks on it.
func MayWrite(path string) error {
	const write = 2 // W_OK
	return syscall.Access(path, write)
}

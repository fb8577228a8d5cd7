package diskfile

import (
	"io/fs"
	"syscall"
)

// own does nothing: a file has the owner and permissions of its folder.
func own(string, fs.FileInfo) bool { return true }

// Ours reports true, because a file has no owner that this package knows.
func Ours(file, other fs.FileInfo) bool { return true }

// lock takes the lock of a folder, which ends with the process: a file beside it that
// nobody else can open, and that the system removes when it is closed.
func lock(folder string) (unlock func(), err error) {
	name, err := syscall.UTF16PtrFromString(folder + ".lock")
	if err != nil {
		return nil, err
	}
	const deleteOnClose = 0x04000000
	f, err := syscall.CreateFile(name, syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, deleteOnClose, 0)
	if err != nil {
		return nil, err
	}
	return func() { syscall.CloseHandle(f) }, nil
}

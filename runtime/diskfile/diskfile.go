// Package diskfile is not for programs and promises nothing: it may change in any release.
//
// It makes new files last, and gives them the owner and permissions of the
// files that they are copied from.
package diskfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Finish writes the content of the file at path through to the disk, and gives the file
// the permissions and the owner of the file like. Where the process may not give it the
// group of like, the group gets no permissions: it would be another group.
func Finish(path, like string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	mode := info.Mode().Perm()
	if !own(f, info) {
		mode &^= 0o070
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	return f.Close()
}

// Sync writes the content of the file at path through to the disk.
func Sync(path string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// open opens a file to be synchronized, for which some systems want it writable.
func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		return os.Open(path)
	}
	return f, err
}

// SyncFolder makes new names in a folder survive a loss of power, where the system can do
// that.
func SyncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return nil // a folder may be writable and not readable
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

//go:build !unix || aix || solaris

package diskfile

import (
	"errors"
	"io/fs"
	"os"
)

// Nothing here is known of owners, groups and the umask.

func own(string, fs.FileInfo) bool           { return false }
func Ours(file, other fs.FileInfo) bool      { return true }
func Narrow(like fs.FileInfo) (widen func()) { return func() {} }
func lock(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }

// MayWrite returns an error if the file is for reading only.
func MayWrite(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() && info.Mode()&0o200 == 0 {
		return fs.ErrPermission
	}
	return err
}

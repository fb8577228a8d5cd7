//go:build !windows && (!unix || aix || solaris)

package diskfile

import (
	"errors"
	"io/fs"
)

// own does nothing here, and so the group of a file may be another.
func own(string, fs.FileInfo) bool { return false }

// Ours reports true, because a file has no owner that this package knows.
func Ours(file, other fs.FileInfo) bool { return true }

// lock takes no lock: here, what dead processes leave stays.
func lock(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }

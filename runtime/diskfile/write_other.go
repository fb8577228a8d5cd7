//go:build !unix

package diskfile

import (
	"io/fs"
	"os"
)

// MayWrite returns an error if the file is for reading only.
func MayWrite(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() && info.Mode()&0o200 == 0 {
		return fs.ErrPermission
	}
	return err
}

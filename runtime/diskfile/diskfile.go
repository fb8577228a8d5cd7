// Package diskfile is not for programs and promises nothing: it may change in any release.
//
// It makes new files that are complete or not there, that last, and that have the owner and
// permissions of the files that they are copied from.
package diskfile

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"syscall"
)

// Finish writes the content of the database at path through to the disk, and gives the file
// the permissions and the owner of the file like. Where the process may not give it the
// group of like, the group gets no permissions: it would be another group.
func Finish(path, like string) error {
	if err := errors.Join(Alone(path), Sync(path)); err != nil {
		return err
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	mode := info.Mode().Perm()
	if !own(path, info) {
		mode &^= 0o070
	}
	return os.Chmod(path, mode)
}

// Sync writes the content of the file at path through to the disk.
func Sync(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // some systems want it writable
	if errors.Is(err, fs.ErrPermission) {
		f, err = os.Open(path)
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
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

// Name gives a file a name that no file has. Otherwise errors.Is finds [fs.ErrExist]. (A
// rename would replace the other file.) The file may keep its old name, too.
func Name(file, name string) error {
	err := os.Link(file, name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// Not all file systems have links. Take the name first.
		f, e := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if e != nil {
			return e
		}
		f.Close()
		if err = os.Rename(file, name); err != nil {
			os.Remove(name)
		}
	}
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		return &fs.PathError{Op: e.Op, Path: name, Err: e.Err} // the caller knows this name
	}
	return err
}

// Equal reports whether two files have the same bytes. It reports false if one cannot be
// read.
func Equal(a, b string) bool {
	x, err := digest(a)
	y, e := digest(b)
	return err == nil && e == nil && x == y
}

func digest(path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return [sha256.Size]byte(h.Sum(nil)), err
}

// Compare compares the names of what is in a folder, where nil has nothing, with n known ones,
// and returns those that it has more, in order, and the first that is missing, or "". (They are
// sorted as all else is that every program has: each type brings a sort of its own from
// package slices.)
func Compare(folder fs.FS, n int, known func(i int) string) (more []string, missing string, err error) {
	var entries []fs.DirEntry
	if folder != nil {
		dir, err := folder.Open(".")
		if err != nil {
			return nil, "", err
		}
		defer dir.Close()
		if dir, ok := dir.(fs.ReadDirFile); ok {
			if entries, err = dir.ReadDir(-1); err != nil {
				return nil, "", err
			}
		}
	}
	same := 0 // which is all there is to do at nearly every start
	for same < min(n, len(entries)) && entries[same].Name() == known(same) {
		same++
	}
	for _, entry := range entries[same:] {
		more = append(more, entry.Name())
	}
	for ; same < n; same++ {
		if i := slices.Index(more, known(same)); i >= 0 {
			more = append(more[:i], more[i+1:]...)
		} else if missing == "" {
			missing = known(same)
		}
	}
	sort.Stable(sort.StringSlice(more))
	return more, missing, nil
}

package diskfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	partSuffix = ".backup-part" // of a folder for a database that is not complete
	partName   = "copy.db"      // in there
)

// MakePart makes a folder for a database that is not complete, beside the path where that
// will be. Nobody else can read what is in there, whatever permissions SQLite gives to its
// journals. part is the path of the database, which the caller makes. remove removes both.
// What dead processes left in the same way, MakePart removes first.
func MakePart(path string) (part string, remove func(), err error) {
	dir := filepath.Dir(path)
	Tidy(dir)
	for tries := 1; ; tries++ {
		folder, err := os.MkdirTemp(dir, filepath.Base(path)+".*"+partSuffix)
		if e := (*fs.PathError)(nil); errors.As(err, &e) {
			err = &fs.PathError{Op: e.Op, Path: dir, Err: e.Err}
		}
		if err != nil {
			return "", nil, err
		}
		unlock, err := lock(folder)
		if errors.Is(err, errors.ErrUnsupported) {
			unlock, err = func() {}, nil
		}
		if err == nil {
			return filepath.Join(folder, partName), func() { removePart(folder, unlock) }, nil
		}
		os.Remove(folder)
		if tries == 10 { // others take it for that of a dead process, until it is locked
			return "", nil, err
		}
	}
}

// Tidy removes the parts in a folder of processes that have died: those whose lock is free.
// (Where the system has no such locks, they stay.)
func Tidy(dir string) {
	entries, _ := os.ReadDir(dir) // a folder may be writable and not readable
	for _, e := range entries {
		if folder := filepath.Join(dir, e.Name()); e.IsDir() && strings.HasSuffix(folder, partSuffix) {
			if unlock, err := lock(folder); err == nil {
				removePart(folder, unlock)
			}
		}
	}
}

// removePart removes a part, unless something else is in the folder.
func removePart(folder string, unlock func()) {
	entries, err := os.ReadDir(folder)
	isOther := func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), partName) }
	if err == nil && !slices.ContainsFunc(entries, isOther) {
		os.RemoveAll(folder)
	}
	unlock()
}

// SideFiles are the ends of the names of what SQLite makes beside a database, and reads as
// a part of it.
//
// https://sqlite.org/tempfiles.html
var SideFiles = []string{"-journal", "-wal", "-shm"}

// Alone returns an error if there is a file that SQLite would read as a part of a new
// database at path.
func Alone(path string) error {
	for _, suffix := range SideFiles {
		if _, err := os.Lstat(path + suffix); err == nil {
			return fmt.Errorf("%s: belongs to a database that does not exist; move it away", path+suffix)
		}
	}
	return nil
}

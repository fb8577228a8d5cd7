package diskfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// partSuffix ends the name of a folder for a database that is not complete.
const partSuffix = ".backup-part"

// A Part is a database that is not complete, in a folder of its own beside the place where
// it will be. Nobody else can read what is in there, whatever permissions SQLite gives to
// its journals.
type Part struct {
	Path   string // of the database, which the caller makes
	unlock func()
}

// MakePart makes a part of the database at path. It first removes from the same folder the
// parts of processes that have died: those whose lock is free.
func MakePart(path string) (*Part, error) {
	dir := filepath.Dir(path)
	entries, _ := os.ReadDir(dir) // a folder may be writable and not readable
	for _, e := range entries {
		folder := filepath.Join(dir, e.Name())
		if !e.IsDir() || !strings.HasSuffix(folder, partSuffix) {
			continue
		}
		if unlock, err := lock(folder); err == nil {
			newPart(folder, unlock).Remove()
		}
	}
	for tries := 1; ; tries++ {
		folder, err := os.MkdirTemp(dir, filepath.Base(path)+".*"+partSuffix)
		if e := (*fs.PathError)(nil); errors.As(err, &e) {
			err = &fs.PathError{Op: e.Op, Path: dir, Err: e.Err}
		}
		if err != nil {
			return nil, err
		}
		unlock, err := lock(folder)
		if errors.Is(err, errors.ErrUnsupported) {
			unlock, err = func() {}, nil
		}
		if err == nil {
			return newPart(folder, unlock), nil
		}
		os.Remove(folder)
		if tries == 10 { // others take it for that of a dead process, until it is locked
			return nil, err
		}
	}
}

func newPart(folder string, unlock func()) *Part {
	return &Part{filepath.Join(folder, "part.db"), unlock}
}

// Remove removes the part, and nothing that is not one.
func (p *Part) Remove() {
	for _, suffix := range append(SideFiles, "") {
		os.Remove(p.Path + suffix)
	}
	os.Remove(filepath.Dir(p.Path))
	p.unlock()
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

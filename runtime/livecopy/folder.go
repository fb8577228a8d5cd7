package livecopy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
)

// folder, appended to the path of a database, is that of the folder for its copies. The name
// is fixed, so that the next holder of the lock finds what a killed process left. In it, each
// copy has a folder of its own: a script of the killed process may still run, and must not
// get at the new copy. If somebody else has made the folder, their files stay.
const folder = ".lockstep"

// MakeFolder makes a folder for a copy of the database in file, and in it the folder "copy".
// Whatever the umask, only the user of this process can enter them. After an error, dir is
// the folder if it was made.
func MakeFolder(file string) (dir string, err error) {
	for range 10 {
		err = mkdir(file + folder)
		if err == nil || errors.Is(err, fs.ErrExist) {
			var root *os.Root
			if root, err = openFolder(file); err == nil {
				root.Close()
				dir, err = os.MkdirTemp(file+folder, "")
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break // otherwise the last holder of the lock has removed it
		}
	}
	if err == nil {
		err = os.Chmod(dir, 0o700)
	}
	if err == nil {
		err = mkdir(filepath.Join(dir, "copy"))
	}
	return dir, err
}

func mkdir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = os.Chmod(dir, 0o700)
	}
	return err
}

// openFolder opens the folder for copies of the database in file. It refuses a link, and a
// folder of somebody who could not write to the database.
func openFolder(file string) (*os.Root, error) {
	dir := file + folder
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder; scripts need a folder of this name", dir)
	}
	db, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !diskfile.Ours(info, db) {
		return nil, fmt.Errorf("%s belongs to another user; scripts need a folder of this name", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(info, opened) {
		root.Close()
		return nil, fmt.Errorf("%s has been replaced", dir)
	}
	return root, nil
}

// HasCopies reports whether there are folders of MakeFolder for the database in file, or what
// a loss of power left of them: nothing but the folder that they were in.
func HasCopies(file string) bool {
	root, err := openFolder(file)
	if err != nil {
		return false
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	return err == nil && len(entries) == 0 || len(copies(root, file)) > 0
}

// copies returns the names of the folders of MakeFolder, which have a number for a name and
// hold nothing but a copy and what belongs to it.
func copies(root *os.Root, file string) (names []string) {
	entries, _ := fs.ReadDir(root.FS(), ".")
	for _, e := range entries {
		if !e.IsDir() || strings.Trim(e.Name(), "0123456789") != "" {
			continue
		}
		held, err := fs.ReadDir(root.FS(), e.Name())
		ours := err == nil
		for _, h := range held {
			name := h.Name()
			ours = ours && (name == "copy" || strings.HasPrefix(name, "scratch") || strings.HasPrefix(name, filepath.Base(file)))
		}
		if ours {
			names = append(names, e.Name())
		}
	}
	return names
}

// Sweep removes the copies of the database in file. The caller holds the lock, so nobody
// uses them.
func Sweep(file string) error { return remove(file, "") }

// RemoveFolder removes a folder of MakeFolder.
func RemoveFolder(dir string) error {
	return remove(strings.TrimSuffix(filepath.Dir(dir), folder), filepath.Base(dir))
}

// remove removes one of the folders for copies, or all of them.
func remove(file, name string) error {
	root, err := openFolder(file)
	if err != nil {
		return nil // there is none of ours
	}
	names := []string{name}
	if name == "" {
		names = copies(root, file)
	}
	for _, name := range names {
		err = errors.Join(err, root.RemoveAll(name))
	}
	root.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", file+folder, err)
	}
	os.Remove(file + folder) // unless others use it
	return nil
}

// Tidy removes the copies that killed processes left of the main database of conn, unless
// another connection has the lock.
func Tidy(conn *sqlite3.Conn) {
	if file, err := File(conn); err == nil && HasCopies(file) && conn.Exec("BEGIN IMMEDIATE") == nil {
		Sweep(file)
		rollback(conn)
	}
}

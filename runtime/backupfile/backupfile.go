// Package backupfile is not for programs and promises nothing: it may change in any release.
//
// It names the backups of a database, and makes files of these names that are complete
// or not there.
package backupfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
)

// A Name is what the name of a backup says: see lockstep.Backup.
type Name struct {
	Version   int
	Unmanaged bool
	Time      time.Time
	Auto      bool
}

// TimeLayout is the layout of the time in a name.
const TimeLayout = "20060102T150405Z"

// Path returns the path of a backup of the database at db.
func (n Name) Path(db string) string {
	s := db
	if !n.Unmanaged {
		s += fmt.Sprintf(".v%04d", n.Version)
	}
	s += "." + n.Time.UTC().Format(TimeLayout)
	if n.Auto {
		s += ".auto"
	}
	return s + ".backup"
}

// Parse is the inverse of [Name.Path]. It reports false for the name of any other file.
func Parse(db, path string) (n Name, ok bool) {
	n.Unmanaged = true
	for field := range strings.SplitSeq(strings.TrimPrefix(path, db+"."), ".") {
		if v, err := strconv.Atoi(strings.TrimPrefix(field, "v")); err == nil {
			n.Version, n.Unmanaged = v, false
		} else if t, err := time.Parse(TimeLayout, field); err == nil {
			n.Time = t
		} else if field == "auto" {
			n.Auto = true
		}
	}
	return n, n.Path(db) == path // there is one way to write each
}

// Each calls f for each backup beside the database, in no order. It opens none: a hard link
// of the database, whatever its name, is not a backup. (Sorting takes code that not every
// program should have to carry.)
func Each(db string, f func(path string, n Name)) error {
	dir, err := os.Open(filepath.Dir(db))
	if err != nil {
		return err
	}
	defer dir.Close()
	self, _ := os.Stat(db)
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		// The name in the folder is the end of the path as the caller writes it.
		path := strings.TrimSuffix(db, filepath.Base(db)) + name
		if n, ok := Parse(db, path); ok {
			info, err := os.Lstat(path)
			if err == nil && info.Mode().IsRegular() && !os.SameFile(self, info) {
				f(path, n)
			}
		}
	}
	return err
}

// Before returns the path of the backup with which the database can go back to before a
// version: of those beside it, the newest of the highest earlier version. "" means that
// there is none.
func Before(db string, version int) (path string) {
	return last(db, func(n Name) bool { return !n.Unmanaged && n.Version < version })
}

// Last returns the path of the newest backup of the same version that is kept as long, or "".
func Last(db string, of Name) (path string) {
	return last(db, func(n Name) bool {
		return n.Version == of.Version && n.Unmanaged == of.Unmanaged && (of.Auto || !n.Auto)
	})
}

// last returns the path of the newest of the highest version among backups, or "".
func last(db string, among func(Name) bool) (path string) {
	var best Name
	Each(db, func(p string, n Name) {
		if among(n) && (path == "" || cmp.Or(cmp.Compare(n.Version, best.Version), n.Time.Compare(best.Time)) > 0) {
			path, best = p, n
		}
	})
	return path
}

// Make makes a backup of the database at the path db and returns its path: to, or if that
// is "" the one that its Name gives it. It never overwrites a file: errors.Is finds
// [fs.ErrExist]. It opens no file but the new one: closing the database's would release
// the locks that this process holds on it.
//
// fill makes the database at the path that it is given, and returns what the name has to
// say but for the time. The file gets the name of a backup only when fill has succeeded and
// the content is on the disk. After an error nothing is left, and what is left after a
// crash, the next backup in the same folder removes. The backup has the permissions of the
// database, and its owner where the process may give it away; until it is complete,
// nobody else may read it.
//
// https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
func Make(db, to string, fill func(part string) (Name, error)) (path string, err error) {
	if to != "" {
		if _, err := os.Lstat(to); err == nil {
			return "", &fs.PathError{Op: "create", Path: to, Err: fs.ErrExist}
		}
		if err := diskfile.Alone(to); err != nil {
			return "", err
		}
	}
	part, remove, err := diskfile.MakePart(cmp.Or(to, db))
	if err != nil {
		return "", err
	}
	defer remove()
	begun := time.Now()
	name, err := fill(part)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(part); err != nil || info.Size() == 0 {
		return "", errors.New("the copy is empty; SQLite wrote it somewhere else")
	}
	if err := diskfile.Finish(part, db); err != nil {
		return "", err
	}
	for name.Time = begun; ; name.Time = name.Time.Add(time.Second) {
		path = cmp.Or(to, name.Path(db))
		err := diskfile.Name(part, path)
		if errors.Is(err, fs.ErrExist) && to == "" {
			continue // made within the same second
		}
		if err != nil {
			return "", err
		}
		if err := diskfile.SyncFolder(filepath.Dir(path)); err != nil {
			os.Remove(path)
			return "", err
		}
		return path, nil
	}
}

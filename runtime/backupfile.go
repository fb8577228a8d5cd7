package lockstep

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
)

// A Backup is a file beside a database that holds what the database was, and says
// in its name of what and when:
//
//	data.db.v0010.20261123T101502Z.backup       kept until somebody removes it
//	data.db.v0010.20261123T101502Z.auto.backup  made by WithBackup(n), n > 0, which removes it in time
//	data.db.20261123T101502Z.backup             of a database without a version
//
// The names of one database's backups sort by version, and then by time. Each is an
// SQLite database.
type Backup struct {
	Path      string
	Version   Version   // of the database, when the backup was made
	Unmanaged bool      // it had none
	Time      time.Time // UTC, in seconds
	Auto      bool      // one that [WithBackup] counts, and removes when there are enough newer ones
}

const (
	backupSuffix = ".backup"
	autoSuffix   = ".auto"
	backupTime   = "20060102T150405Z"
)

// path returns the path of a backup of the database at db.
func (b Backup) path(db string) string {
	s := db
	if !b.Unmanaged {
		s += ".v" + b.Version.String()
	}
	s += "." + b.Time.UTC().Format(backupTime)
	if b.Auto {
		s += autoSuffix
	}
	return s + backupSuffix
}

// parseBackup is the inverse of path. It reports false for the name of any other
// file.
func parseBackup(db, path string) (b Backup, ok bool) {
	s, ok := strings.CutPrefix(path, db+".")
	if ok {
		s, ok = strings.CutSuffix(s, backupSuffix)
	}
	if !ok {
		return Backup{}, false
	}
	b.Path = path
	s, b.Auto = strings.CutSuffix(s, autoSuffix)
	b.Unmanaged = true
	if version, rest, found := strings.Cut(s, "."); found {
		n, err := strconv.Atoi(strings.TrimPrefix(version, "v"))
		if err != nil {
			return Backup{}, false
		}
		b.Version, b.Unmanaged, s = Version(n), false, rest
	}
	t, err := time.Parse(backupTime, s)
	if err != nil {
		return Backup{}, false
	}
	b.Time = t
	return b, b.path(db) == path // there is one way to write each
}

// Backups returns the backups that lie beside the database at the path db, oldest
// first. It goes by their names, and opens none.
func Backups(db string) ([]Backup, error) {
	var backups []Backup
	err := eachBackup(db, func(b Backup) {
		if info, err := os.Lstat(b.Path); err == nil && info.Mode().IsRegular() {
			backups = append(backups, b)
		}
	})
	slices.SortFunc(backups, func(a, b Backup) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Path, b.Path))
	})
	return backups, err
}

// eachBackup calls f for each name of a backup beside the database, in no order. (To
// put them in order takes code that not every program should have to carry.)
func eachBackup(db string, f func(Backup)) error {
	dir, err := os.Open(filepath.Dir(db))
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		// The name in the folder is the end of the path as the caller writes it.
		path := strings.TrimSuffix(db, filepath.Base(db)) + name
		if b, ok := parseBackup(db, path); ok {
			f(b)
		}
	}
	return err
}

// findWayBack sets the Backup of a divergence: of those beside the database, the newest of
// the highest version before the first migration that differs.
func (g *gate) findWayBack(v verdict) {
	if v.refusal.Kind != ErrDiverged {
		return
	}
	var best Backup
	eachBackup(g.conn.file, func(b Backup) {
		if !b.Unmanaged && b.Version < v.since && (best.Path == "" || b.Version > best.Version || b.Version == best.Version && b.Time.After(best.Time)) {
			best = b
		}
	})
	v.refusal.Backup = best.Path
}

// WriteBackup makes a file for a backup of the database at the path db, and returns
// its path: to, or if that is "", beside the database with the name by which
// [Backups] finds it. It never writes over a file that is there (errors.Is finds
// [fs.ErrExist]).
//
// fill writes the content to the path that it is given, which is that of a file of
// no bytes in the same folder (it may remove that and make another), and returns what the name has to say. The backup has
// its own name only when it is complete: when fill has returned no error, and the
// content is on the disk. Before that, and after an error or a crash, there is no
// file of that name. It gets the permissions of the database, and its owner where
// the process may give it away; until then nobody else may read it.
//
// The database's own file is not opened: to close it would take away the locks of
// the SQLite in this process. https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
func WriteBackup(db, to string, fill func(path string) (Backup, error)) (path string, err error) {
	target := db
	if to != "" {
		target = to
		if _, err := os.Lstat(to); err == nil {
			return "", &fs.PathError{Op: "create", Path: to, Err: fs.ErrExist}
		}
	}
	f, err := os.CreateTemp(filepath.Dir(target), filepath.Base(target)+".*"+partSuffix)
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return writeBackup(db, to, f.Name(), fill)
}

// partSuffix ends the name of a backup that is not complete.
const partSuffix = ".backup-part"

// writeBackup is WriteBackup with the path of the file that becomes the backup.
func writeBackup(db, to, part string, fill func(path string) (Backup, error)) (path string, err error) {
	defer os.Remove(part)
	begun := time.Now()
	b, err := fill(part)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(part); err == nil && info.Size() == 0 {
		return "", &fs.PathError{Op: "write", Path: part, Err: errors.New("is empty; SQLite has written to another place")}
	}
	if err := diskfile.Finish(part, db); err != nil {
		return "", err
	}
	for b.Time = begun; ; b.Time = b.Time.Add(time.Second) {
		path = to
		if to == "" {
			path = b.path(db)
		}
		err := name(part, path)
		if errors.Is(err, fs.ErrExist) && to == "" {
			continue // made within the same second
		}
		if err == nil {
			if err = diskfile.SyncFolder(filepath.Dir(path)); err != nil {
				os.Remove(path)
			}
		}
		if err != nil {
			return "", err
		}
		return path, nil
	}
}

// name gives a file a name that no other has. A rename would ask nobody.
func name(file, path string) error {
	err := os.Link(file, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return linkError(path, err)
	}
	// The file system has one name for each file. The name is taken first.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	if err := os.Rename(file, path); err != nil {
		os.Remove(path)
		return linkError(path, err)
	}
	return nil
}

// linkError names the one file that the caller knows.
func linkError(path string, err error) error {
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		return &fs.PathError{Op: e.Op, Path: path, Err: e.Err}
	}
	return err
}

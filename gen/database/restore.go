package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/backupfile"
	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/livecopy"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A Restoration says what to restore.
type Restoration struct {
	DB, Backup string        // paths of the database and of the backup
	NoBackup   bool          // do not keep what the database holds
	Force      bool          // move a damaged database aside
	Full       bool          // compare indexes with the rows, too
	Timeout    time.Duration // of the wait for locks

	Report func(doing string) // as in [DB]; or nil

	upgrade func(part string) error // of the copy that is restored; nil for none. Without Backup, it makes it
}

// A Restored is what became of a database.
type Restored struct {
	DB       string            `json:"db"`
	From     *lockstep.Version `json:"from"` // nil if there was none
	To       *lockstep.Version `json:"to"`
	Restored string            `json:"restored"` // the backup
	Backup   string            `json:"backup"`   // of what the database held, or ""
	Aside    string            `json:"aside"`    // where a damaged database is, or ""

	Warnings gen.Problems `json:"-"` // faults of the backup and of the database
}

// Restore replaces the content of a database by that of a backup, in one transaction. With
// an error the database is as it was, unless the error says that this is not known.
func Restore(ctx context.Context, what Restoration) (*Restored, error) {
	var damage sqlite.Damage
	if what.Report == nil {
		what.Report = func(string) {}
	}
	r := &restoring{Restoration: what, out: Restored{DB: what.DB, Restored: what.Backup}}
	exists, err := r.examineFiles()
	if err != nil {
		return nil, err
	}
	part, remove, err := diskfile.MakePart(r.file)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%s: not restored: cannot create a file beside it: %w", r.DB, fs.ErrPermission)
	}
	if err != nil {
		return nil, gen.FileError(filepath.Dir(r.DB), err)
	}
	defer remove()
	r.part = part
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	if !exists {
		err = r.put(r.Backup, func() error { return diskfile.Name(r.part, r.file) })
	} else if err = r.replace(ctx); errors.As(err, &damage) {
		if !r.Force {
			return nil, gen.Refuse("unreadable", "%s: %s; not overwritten\n\t%s",
				r.DB, string(damage), wording.CommandLine("lockstep", "restore", "--force", "--db", r.DB, r.Backup))
		}
		err = r.put(r.file, r.displace)
	}
	if err != nil {
		return nil, err
	}
	// A power loss must not bring back what was there, with or without its journal.
	if err := diskfile.SyncFolder(filepath.Dir(r.file)); err != nil {
		return nil, r.failed(ctx, fmt.Errorf("%w: %w", livecopy.ErrUndecided, err))
	}
	return &r.out, nil
}

// restoring is one call of Restore.
type restoring struct {
	Restoration
	file string // path of the database without links
	part string // path of a private copy of the backup
	out  Restored
}

// examineFiles looks at the names, and reports whether there is a database.
func (r *restoring) examineFiles() (exists bool, err error) {
	from, err := os.Stat(r.Backup)
	switch {
	case r.Backup == "":
	case errors.Is(err, fs.ErrNotExist):
		return false, gen.Refuse("missing", "%s: no such file", r.Backup)
	case err != nil:
		return false, gen.FileError(r.Backup, err)
	case from.IsDir():
		return false, gen.FileError(r.Backup, errors.New("is a directory; want a backup"))
	case from.Size() == 0:
		return false, gen.Refuse("unreadable", "%s: is empty; want a backup", r.Backup)
	}
	r.file = target(r.DB)
	info, err := os.Stat(r.DB)
	if !errors.Is(err, fs.ErrNotExist) {
		if os.SameFile(from, info) {
			err = fmt.Errorf("%s: is the database itself; want a backup of it", r.Backup)
		}
		return true, err
	}
	if _, err := os.Lstat(r.DB); err == nil {
		return false, gen.Refuse("missing", "%s: links to a file that does not exist; not restored", r.DB)
	}
	return false, diskfile.Alone(r.DB)
}

// prepare makes what is to be restored.
func (r *restoring) prepare(ctx context.Context) error {
	if r.Backup != "" {
		if err := r.copy(ctx); err != nil {
			return err
		}
	}
	if r.upgrade != nil {
		if err := r.upgrade(r.part); err != nil {
			return err
		}
	}
	if err := clearCookie(ctx, r.part); err != nil {
		return r.failed(ctx, err)
	}
	return nil
}

// copy copies the backup and checks the copy.
func (r *restoring) copy(ctx context.Context) error {
	from, err := OpenUnchanged(r.Backup)
	if err != nil {
		return err
	}
	defer from.Close()
	from.Report = r.Report
	if _, err := from.read(ctx, r.Timeout); err != nil {
		return err
	}
	var copied *Backup
	if err = from.CopyTo(ctx, r.part, r.Timeout); err == nil {
		r.Report("checking the copy of " + r.Backup)
		copied, err = check(ctx, r.part, r.Backup, r.Full)
	}
	if d := sqlite.Damage(""); errors.As(err, &d) {
		return gen.Refuse("unreadable", "%s: damaged; not restored: %v", r.Backup, d)
	}
	if err != nil {
		return r.failed(ctx, err)
	}
	r.out.Warnings = copied.Warnings
	if copied.Managed {
		r.out.To = &copied.Version
	}
	return nil
}

// clearCookie makes the next start of a program compare the schema of what is restored. The
// number by which it recognizes the schema could come back with another schema.
func clearCookie(ctx context.Context, path string) error {
	db, err := Connect(path, "rw", Prepare)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "UPDATE _lockstep_history SET cookie = NULL WHERE cookie IS NOT NULL")
	if errors.Is(err, sqlite3.ERROR) { // there is no history
		err = nil
	}
	return err
}

// replace puts the content of the copy in the place of the database's. The error is a
// [sqlite.Damage] if there is no database to replace.
func (r *restoring) replace(ctx context.Context) error {
	db, err := Open(r.DB)
	if err != nil {
		return err
	}
	defer db.Close()
	state, err := db.read(ctx, r.Timeout)
	if e := (*lockstep.Error)(nil); errors.Is(err, lockstep.ErrUnreadable) && errors.As(err, &e) {
		nameless := *e
		nameless.DB = ""
		return sqlite.Damage(nameless.Error())
	}
	if err != nil {
		return err
	}
	if state != nil && state.Managed {
		r.out.From = &state.Version
	}
	return db.Raw(ctx, func(conn *sqlite3.Conn) error {
		livecopy.Tidy(conn)
		db.Report = r.Report
		r.Report("waiting for " + r.DB)
		lock, err := r.hold(ctx, conn)
		if err != nil {
			return r.failed(ctx, err)
		}
		defer lock.Release()
		if !r.NoBackup && (state == nil || len(state.Objects) > 0) {
			if err := r.keep(ctx, db, conn); err != nil {
				return err
			}
		}
		limited, cancel := context.WithTimeout(ctx, r.Timeout)
		defer cancel()
		r.Report("replacing the content of " + r.DB)
		err = lock.Replace(limited, r.part)
		if err != nil && !errors.Is(err, livecopy.ErrUndecided) && r.out.Backup != "" {
			os.Remove(r.out.Backup) // of what is still there
			r.out.Backup = ""
		}
		return r.failed(ctx, err)
	})
}

// hold takes the write lock: from the backup to the replacement nobody else writes, and
// readers go on. In WAL mode others can come in between while it is taken.
func (r *restoring) hold(ctx context.Context, conn *sqlite3.Conn) (*livecopy.Lock, error) {
	limited, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	for {
		lock, err := livecopy.Hold(limited, conn, r.part)
		if !errors.Is(err, livecopy.ErrChanged) || limited.Err() != nil {
			return lock, err
		}
	}
}

// keep makes a backup of what is to be replaced.
func (r *restoring) keep(ctx context.Context, db *DB, conn *sqlite3.Conn) error {
	kept, err := db.backup(ctx, conn, "", r.Full, r.Timeout)
	if refusal := (*gen.Refusal)(nil); errors.As(err, &refusal) {
		return sqlite.Damage("damaged, and cannot be backed up")
	}
	if err != nil {
		return err
	}
	r.out.Backup, r.out.From = kept.Path, nil
	r.out.Warnings = append(r.out.Warnings, kept.Warnings...)
	if kept.Managed {
		r.out.From = &kept.Version
	}
	return nil
}

// failed says in the user's words why the database is not restored, or that this is not
// known. It names each file that holds data of it.
func (r *restoring) failed(ctx context.Context, err error) error {
	fact := "not restored"
	switch {
	case err == nil:
		return nil
	case errors.Is(err, livecopy.ErrUndecided):
		fact = "may be restored or not"
		err = errors.New(strings.TrimPrefix(err.Error(), livecopy.ErrUndecided.Error()+": "))
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
	case errors.Is(err, livecopy.ErrChanged):
		return &lockstep.Error{Kind: lockstep.ErrBusy, DB: r.DB, Detail: "database keeps changing; not restored"}
	case errors.Is(err, sqlite3.BUSY):
		return &lockstep.Error{Kind: lockstep.ErrBusy, DB: r.DB, Err: err,
			Detail: fmt.Sprintf("locked by another connection for %v; not restored", r.Timeout)}
	case errors.Is(err, livecopy.ErrPageSize):
		return fmt.Errorf("%s: %w", r.DB, livecopy.ErrPageSize)
	}
	if r.out.Backup != "" {
		fact += "; the backup is " + r.out.Backup
	}
	if r.out.Aside != "" {
		fact += "; the damaged file is " + r.out.Aside
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		if err = e.Err; errors.Is(err, fs.ErrExist) {
			fact += ": " + e.Path
		}
	}
	if text, ok := strings.CutPrefix(err.Error(), "sqlite3: "); ok {
		err = errors.New(text) // SQLite's own sentence
	}
	return fmt.Errorf("%s: %s: %w", r.DB, fact, err)
}

// put makes the copy the database, by a call of f, with the permissions of the file like.
func (r *restoring) put(like string, f func() error) error {
	err := diskfile.Finish(r.part, like)
	if err == nil {
		err = f()
	}
	return r.failed(context.Background(), err)
}

// displace gives the copy the name of a file that is no database. That file and what belongs
// to it get other names: SQLite would read its journal as that of the copy. At each moment
// there is a file of the name, unless the file system has no links.
func (r *restoring) displace() (err error) {
	aside := ""
	for at := time.Now().UTC(); ; at = at.Add(time.Second) {
		aside = r.file + "." + at.Format(backupfile.TimeLayout) + ".damaged"
		if _, err := os.Lstat(aside); err != nil {
			break
		} // otherwise it was made within the same second
	}
	var named []string
	defer func() {
		if err == nil {
			r.out.Aside = aside
			return
		}
		for _, suffix := range named {
			if os.Rename(aside+suffix, r.file+suffix) != nil {
				r.out.Aside = aside
			} else {
				os.Remove(aside + suffix) // of a file that had both names, it is still one
			}
		}
	}()
	for _, suffix := range append(diskfile.SideFiles, "") {
		if _, err := os.Lstat(r.file + suffix); suffix != "" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := diskfile.Name(r.file+suffix, aside+suffix); err != nil {
			return err
		}
		named = append(named, suffix)
	}
	if err := diskfile.SyncFolder(filepath.Dir(r.file)); err != nil {
		return err
	}
	for _, suffix := range diskfile.SideFiles {
		if err := os.Remove(r.file + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := diskfile.SyncFolder(filepath.Dir(r.file)); err != nil {
		return err
	}
	return os.Rename(r.part, r.file)
}

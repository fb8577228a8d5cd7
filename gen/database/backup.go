package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/backupfile"
	"github.com/lockstep-db/lockstep/runtime/livecopy"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A Backup is one that was made, and what is in it.
type Backup struct {
	DB      string           `json:"db"`
	Path    string           `json:"backup"`
	Managed bool             `json:"managed"`
	Version lockstep.Version `json:"version"`

	Warnings gen.Problems `json:"-"` // faults of the database, and tables that could not be checked
}

// Backup copies the database, while others use it, to a new file: to, or if that is "", one
// beside the database, named as a backup. It waits for locks until the timeout, and checks
// the copy, in full or quickly. After an error there is no file.
func (db *DB) Backup(ctx context.Context, to string, full bool, timeout time.Duration) (b *Backup, err error) {
	// Whether the database can be read shows first, and is waited for.
	if _, err := db.read(ctx, timeout); err != nil {
		return nil, err
	}
	err = db.Raw(ctx, func(conn *sqlite3.Conn) error {
		livecopy.Tidy(conn)
		b, err = db.backup(ctx, conn, to, full, timeout)
		return err
	})
	return b, err
}

// read inspects the database. It returns nil if this is a database whose version cannot be
// read.
func (db *DB) read(ctx context.Context, timeout time.Duration) (*lockstep.State, error) {
	state, err := db.Inspect(ctx, &lockstep.Schema{}, lockstep.WithTimeout(timeout))
	if errors.Is(err, lockstep.ErrUnreadable) {
		var n int
		if db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n) == nil {
			return nil, nil
		}
	}
	return state, err
}

// backup makes a backup of the database that conn has open.
func (db *DB) backup(ctx context.Context, conn *sqlite3.Conn, to string, full bool, timeout time.Duration) (b *Backup, err error) {
	// A program that has the file open looks for backups beside the file, not beside a link.
	path, err := backupfile.Make(target(db.Path), to, func(part string) (name backupfile.Name, err error) {
		if err = db.copyTo(ctx, conn, part, timeout); err == nil {
			db.Report("checking the copy of " + db.Path)
			b, err = check(ctx, part, db.Path, full)
		}
		if err != nil {
			return name, err
		}
		return backupfile.Name{Version: int(b.Version), Unmanaged: !b.Managed}, nil
	})
	if err != nil {
		return nil, db.backupError(ctx, to, err)
	}
	b.Path = path
	return b, nil
}

// CopyTo copies the database to a new file that its owner may write to. It waits for locks
// until the timeout.
func (db *DB) CopyTo(ctx context.Context, path string, timeout time.Duration) error {
	return db.Raw(ctx, func(conn *sqlite3.Conn) error { return db.copyTo(ctx, conn, path, timeout) })
}

func (db *DB) copyTo(ctx context.Context, conn *sqlite3.Conn, path string, timeout time.Duration) error {
	doing := "copying " + db.Path
	db.Report(doing)
	err := livecopy.Copy(ctx, conn, path, timeout, func(percent int) { db.Report(fmt.Sprintf("%s: %d%%", doing, percent)) })
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()|0o600)
}

// check checks a private copy of the database at the path of, and returns what is in it.
// The error is a [sqlite.Damage] if pages are damaged. (Other faults, and rows without a
// parent, can only have been in the database before: the pages were copied.)
func check(ctx context.Context, path, of string, full bool) (*Backup, error) {
	db, err := Connect(path, "rw", Prepare) // with "ro", SQLite leaves out the CHECKs
	if err != nil {
		return nil, err
	}
	defer db.Close()
	b := &Backup{DB: of}
	by := sqlite.Quick
	if full {
		by = sqlite.Full
	}
	faults, unchecked, err := by.Check(ctx, db, "main")
	if err != nil {
		return nil, err
	}
	orphans, err := orphans(ctx, db)
	if errors.Is(err, sqlite3.ERROR) {
		unchecked, err = append(unchecked, "foreign keys: "+sqlite.Sentence(err)), nil
	}
	if err != nil {
		return nil, err
	}
	for _, what := range unchecked { // they need functions or collations of the application's own
		b.Warnings = append(b.Warnings, gen.Problem{File: of, Fact: "copied but not checked: " + wording.Printable(what)})
	}
	warn := func(fact string, list []string) {
		if n := len(list); n > 0 {
			b.Warnings = append(b.Warnings, gen.Problem{File: of, Fact: fact + wording.List(n, "; ", func(i int) string { return list[i] })})
		}
	}
	warn("has faults, and so has the copy: ", sqlite.Distinct(faults))
	warn("has rows without a parent, and so has the copy: ", orphans)
	state, err := db.read(ctx, time.Minute)
	if err == nil && state != nil {
		b.Managed, b.Version = state.Managed, state.Version
	}
	return b, err
}

// orphans says which rows of the database lack a parent. It asks the indexes, where there are
// any, as an upgrade does.
func orphans(ctx context.Context, db *DB) (list []string, err error) {
	objects, err := sqlite.Objects(ctx, db)
	everywhere := sqltext.NewEffects(objects)
	everywhere.Anything = true
	var found []sqlite.Orphans
	if err == nil {
		found, err = sqlite.FindOrphans(ctx, db, objects, everywhere)
	}
	for _, o := range found {
		list = append(list, lockstep.Violation(o).String())
	}
	return list, err
}

// backupError says in the user's words why there is no backup.
func (db *DB) backupError(ctx context.Context, to string, err error) error {
	d, p := sqlite.Damage(""), (*fs.PathError)(nil)
	switch {
	case to != "" && errors.Is(err, fs.ErrExist):
		return gen.Refuse("exists", "%s: exists; a backup overwrites no file", to)
	case errors.As(err, &d):
		return gen.Refuse("unreadable", "%s: damaged; not backed up: %v", db.Path, d)
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
	case errors.Is(err, sqlite3.BUSY):
		return &lockstep.Error{Kind: lockstep.ErrBusy, DB: db.Path, Detail: "locked by another connection; not backed up", Err: err}
	case errors.As(err, &p) && to != "":
		err = gen.FileError(to, err)
	case errors.As(err, &p):
		err = p.Err
	}
	return &lockstep.Error{Kind: lockstep.ErrBackup, DB: db.Path, Detail: "backup failed", Err: err}
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/livecopy"
)

func restoreCommand() command {
	return command{
		name:  "restore",
		args:  "[--db FILE] [--no-backup] [--force] BACKUP",
		short: "put a backup in the place of a database, in one step",
		long: `
Replaces the content of a database by that of a backup, in one transaction of
SQLite: other programs may have the database open, and see the old content or the
new. (What they write afterwards is written to the restored content. A program that
is older or newer than that finds out when it starts again.) A database that does
not exist is made.

First the backup is copied and the copy examined (PRAGMA integrity_check); the
backup itself is only read. Any SQLite database can be one. What is restored has
the file's journal mode; with WAL its page size has to be the same.

What the database holds is lost by this, so a backup of it is made first, by the
rules of "lockstep backup"; its path is printed. If somebody writes to the database
between the two, both are done again. --no-backup leaves it out.

A database that is damaged, or no database, is not written over. With --force it is
moved aside, with the files that belong to it, and the backup takes its place. Stop
the programs that have it open first: they go on with the file that was moved.

Example:

	$ lockstep restore --db data.db data.db.v0010.20261123T101502Z.backup
	data.db: from version 0011 to 0010
	  backup: data.db.v0011.20261123T142210Z.backup

With --json, "result" has db, from and to (null where there is no version), restored
(the backup), backup (what the database was before, or "") and aside (where a
damaged file was moved to, or "").`,
		takesArgs: true,
		flags: func(fs *flag.FlagSet) action {
			db := dbFlag(fs)
			r := &restoration{}
			fs.BoolVar(&r.noBackup, "no-backup", false, "do not keep what the database holds now")
			fs.BoolVar(&r.force, "force", false, "move a damaged database aside")
			timeout := timeoutFlag(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				if len(args) != 1 {
					return nil, usage(fmt.Sprintf("found %d arguments; want one, the backup", len(args)))
				}
				if args[0] == "" {
					return nil, usage("the path of the backup is empty")
				}
				r.path, r.backup, r.timeout = db.value, args[0], *timeout
				return r.restore(ctx, s)
			}
		},
	}
}

// A restoration is one run of the command.
type restoration struct {
	path, backup    string
	file            string // path without links
	noBackup, force bool
	timeout         time.Duration

	out restoreResult
}

func (r *restoration) restore(ctx context.Context, s *streams) (result, error) {
	r.out.DB, r.out.Restored = r.path, r.backup
	info, err := r.examineFiles()
	if err != nil {
		return nil, err
	}
	part, err := r.prepare(ctx, s)
	if part != "" {
		defer removeDatabase(part)
	}
	if err != nil {
		return nil, err
	}
	if info == nil {
		if err := r.create(part); err != nil {
			return nil, err
		}
		return &r.out, nil
	}
	err = r.replace(ctx, part)
	if d := damaged(""); errors.As(err, &d) {
		if !r.force {
			return nil, refuse("unreadable", "%s: %v; it is not written over\n\tlockstep restore --force --db %s %s",
				r.path, string(d), quoteArg(r.path), quoteArg(r.backup))
		}
		if r.out.Aside, err = moveAside(r.file); err == nil {
			err = r.create(part)
		}
	}
	if err != nil {
		return nil, err
	}
	return &r.out, nil
}

// examineFiles looks at the names, and returns what is at that of the database: nil
// if there is nothing.
func (r *restoration) examineFiles() (fs.FileInfo, error) {
	from, err := os.Stat(r.backup)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, refuse("missing", "%s: no such file", r.backup)
	case err != nil:
		return nil, fileError(r.backup, err)
	case from.IsDir():
		return nil, fileError(r.backup, errors.New("is a directory; want a backup"))
	case from.Size() == 0:
		return nil, refuse("unreadable", "%s: is empty; want a backup", r.backup)
	}
	r.file = r.path
	if p, err := filepath.EvalSymlinks(r.path); err == nil {
		r.file = p // what is beside it is beside the file, not beside a link
	}
	info, err := os.Stat(r.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(r.path); err == nil {
			return nil, refuse("missing", "%s: is a link to a file that does not exist; nothing was restored", r.path)
		}
		for _, suffix := range sideFiles {
			if _, err := os.Lstat(r.path + suffix); err == nil {
				// SQLite would take it for a part of what is restored.
				return nil, fmt.Errorf("%s: belongs to a database that is not there; move it away", r.path+suffix)
			}
		}
		return nil, nil
	case err != nil:
		return nil, fileError(r.path, err)
	case info.IsDir():
		return nil, fileError(r.path, errors.New("is a directory; want a database"))
	case os.SameFile(from, info):
		return nil, fmt.Errorf("%s: is the database itself; want a backup of it", r.backup)
	}
	return info, nil
}

// sideFiles are the files that SQLite makes beside a database, and reads as a part of
// it. https://sqlite.org/tempfiles.html
var sideFiles = []string{"-journal", "-wal", "-shm"}

// prepare makes a private copy of the backup beside the database, to be examined and
// changed, and returns its path, also with an error.
func (r *restoration) prepare(ctx context.Context, s *streams) (part string, err error) {
	f, err := os.CreateTemp(filepath.Dir(r.file), filepath.Base(r.file)+".*.restore-part")
	if errors.Is(err, fs.ErrPermission) {
		return "", fmt.Errorf("%s: nothing was restored: no file can be made beside it: %w", r.path, fs.ErrPermission)
	}
	if err != nil {
		return "", fileError(filepath.Dir(r.path), err)
	}
	f.Close()
	part = f.Name()
	from, err := openDatabase(r.backup)
	if err != nil {
		return part, err
	}
	defer from.Close()
	if err := from.readable(ctx, r.timeout); err != nil {
		return part, err
	}
	err = from.raw(ctx, func(conn *sqlite3.Conn) error { return copyDatabase(ctx, conn, part, r.timeout) })
	var copied *contents
	if err == nil {
		err = os.Chmod(part, 0o600) // a backup may be for reading only
	}
	if err == nil {
		copied, err = examine(ctx, part)
	}
	if d := damaged(""); errors.As(err, &d) {
		return part, refuse("unreadable", "%s: damaged, not restored: %v", r.backup, d)
	}
	if err != nil {
		return part, r.failed(ctx, err)
	}
	copied.warn(s, r.backup)
	if copied.managed {
		r.out.To = &copied.version
	}
	return part, r.failed(ctx, clearCookie(ctx, part))
}

// clearCookie has the next start of a program look at the schema of what is restored.
// The number by which it would else recognize the schema could come back with another
// schema.
func clearCookie(ctx context.Context, part string) error {
	db, err := connect(part, "rw", prepare)
	if err != nil {
		return err
	}
	defer db.Close()
	objects, err := db.inspect(ctx, noMigrations())
	if errors.Is(err, lockstep.ErrUnreadable) || err == nil && !(objects.Managed && hasHistory(objects.Objects)) {
		return nil
	}
	if err == nil {
		_, err = db.ExecContext(ctx, "UPDATE _lockstep_history SET cookie = NULL WHERE cookie IS NOT NULL")
	}
	return err
}

// replace puts the content of part in the place of the database's. The error is
// damaged if there is no database to be replaced.
func (r *restoration) replace(ctx context.Context, part string) error {
	db, err := openDatabase(r.path)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.readable(ctx, r.timeout); errors.Is(err, lockstep.ErrUnreadable) {
		var e *lockstep.Error
		errors.As(err, &e)
		return damaged(factOf(e))
	} else if err != nil {
		return err
	}
	state, err := db.inspect(ctx, noMigrations(), lockstep.WithTimeout(r.timeout))
	if err != nil && !errors.Is(err, lockstep.ErrUnreadable) {
		return err
	}
	empty := err == nil && len(state.Objects) == 0
	if err == nil && state.Managed {
		r.out.From = &state.Version
	}
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return db.raw(ctx, func(conn *sqlite3.Conn) error {
		if r.noBackup || empty {
			return r.replaceError(ctx, livecopy.Replace(limited, conn, part))
		}
		defer conn.Exec("ROLLBACK") // if there is a transaction still
		for {
			// With the lock nobody else writes, but readers go on. It is given up for the
			// moment in which the replacement takes its own.
			if err := lockDatabase(limited, conn); err != nil {
				return r.replaceError(ctx, err)
			}
			seen, err := livecopy.ReadVersion(limited, conn)
			if err != nil {
				return r.replaceError(ctx, err)
			}
			copied, err := db.backupTo(ctx, conn, "", r.timeout)
			if kindOf(err) == "unreadable" {
				return damaged("damaged, and no backup of it can be made")
			}
			if err != nil {
				return err
			}
			r.out.Backup, r.out.From = copied.path, nil
			if copied.managed {
				r.out.From = &copied.version
			}
			err = livecopy.ReplaceIf(limited, conn, part, seen)
			if err != nil && !errors.Is(err, livecopy.ErrUndecided) {
				os.Remove(r.out.Backup) // of what is still there
				r.out.Backup = ""
			}
			if err == nil || !errors.Is(err, livecopy.ErrChanged) || limited.Err() != nil {
				return r.replaceError(ctx, err)
			}
		}
	})
}

// lockDatabase begins a transaction with the lock for writing. It waits for others
// until ctx ends, and returns SQLite's answer then.
func lockDatabase(ctx context.Context, conn *sqlite3.Conn) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := conn.Exec("BEGIN IMMEDIATE")
		if !errors.Is(err, sqlite3.BUSY) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// factOf returns what an error says behind the name of the database.
func factOf(e *lockstep.Error) string {
	nameless := *e
	nameless.DB = ""
	return nameless.Error()
}

func (r *restoration) replaceError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, errors.Is(err, livecopy.ErrUndecided):
	case errors.Is(err, livecopy.ErrChanged):
		return &lockstep.Error{Kind: lockstep.ErrBusy, DB: r.path, Detail: "written to all the time; nothing was restored", Err: sqlite3.BUSY}
	case errors.Is(err, sqlite3.BUSY):
		return &lockstep.Error{Kind: lockstep.ErrBusy, DB: r.path, Err: err,
			Detail: fmt.Sprintf("locked by another connection for %v; nothing was restored", r.timeout)}
	case errors.Is(err, livecopy.ErrPageSize):
		return fmt.Errorf("%s: %w", r.path, livecopy.ErrPageSize)
	}
	return r.failed(ctx, err)
}

// failed names the database in an error for which nothing was restored, or what is
// there is not known.
func (r *restoration) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	undecided := errors.Is(err, livecopy.ErrUndecided)
	if undecided {
		err = errors.New(strings.TrimPrefix(err.Error(), livecopy.ErrUndecided.Error()+": "))
	} else if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if text, ok := strings.CutPrefix(err.Error(), "sqlite3: "); ok {
		err = errors.New(text) // SQLite's own sentence
	}
	fact := "nothing was restored"
	if undecided {
		if fact = "it is not known whether it was restored"; r.out.Backup != "" {
			fact += "; the backup is " + r.out.Backup
		}
	}
	return fmt.Errorf("%s: %s: %w", r.path, fact, err)
}

// create makes part the database, where there is none, with the permissions of the
// backup.
func (r *restoration) create(part string) error {
	info, err := os.Stat(r.backup)
	if err == nil {
		err = os.Chmod(part, info.Mode().Perm())
	}
	if err != nil {
		return r.failed(context.Background(), err)
	}
	if err := os.Link(part, r.file); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: was made by somebody else meanwhile; nothing was restored", r.path)
	} else if err == nil {
		return nil
	}
	// The file system has one name for each file.
	if err := os.Rename(part, r.file); err != nil {
		return r.failed(context.Background(), err)
	}
	return nil
}

// moveAside renames a file that is no database, and what belongs to it, in a way that
// they still belong together.
func moveAside(path string) (aside string, err error) {
	aside = path + "." + time.Now().UTC().Format("20060102T150405Z") + ".damaged"
	if _, err := os.Lstat(aside); err == nil {
		return "", refuse("exists", "%s: exists; nothing was restored", aside)
	}
	for _, suffix := range append(sideFiles, "") {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s: nothing was restored: %w", path+suffix, err)
		}
	}
	return aside, nil
}

// removeDatabase removes a file of ours and what SQLite may have made beside it.
func removeDatabase(path string) {
	os.Remove(path)
	for _, suffix := range sideFiles {
		os.Remove(path + suffix)
	}
}

type restoreResult struct {
	DB       string            `json:"db"`
	From     *lockstep.Version `json:"from"`
	To       *lockstep.Version `json:"to"`
	Restored string            `json:"restored"`
	Backup   string            `json:"backup"`
	Aside    string            `json:"aside"`
}

func (r *restoreResult) print(w io.Writer) {
	name := func(v *lockstep.Version) string {
		if v == nil {
			return "no version"
		}
		return "version " + v.String()
	}
	switch {
	case r.From == nil && r.Backup == "":
		fmt.Fprintf(w, "%s: restored at %s\n", r.DB, name(r.To))
	case r.From == nil || r.To == nil:
		fmt.Fprintf(w, "%s: from %s to %s\n", r.DB, name(r.From), name(r.To))
	default:
		fmt.Fprintf(w, "%s: from %s to %v\n", r.DB, name(r.From), *r.To)
	}
	if r.Backup != "" {
		fmt.Fprintf(w, "  backup: %s\n", r.Backup)
	}
	if r.Aside != "" {
		fmt.Fprintf(w, "  what was there is in %s\n", r.Aside)
	}
}

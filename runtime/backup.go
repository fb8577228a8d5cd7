package lockstep

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// WithBackup has [Migrate] make a backup of a database that is not new before it
// upgrades it: a file beside the database, named for its version and the time (see
// [Backup]), with its permissions, on the disk and checked by
// PRAGMA integrity_check before any migration runs. It holds exactly what the
// upgrade begins with. When many processes start at once, the one that upgrades
// makes it; others may read the database meanwhile. If the upgrade fails, the error
// names the file ([Error.Backup], [MigrationError.Backup]). If no backup can be
// made, because the disk is full or the folder not writable, nothing is upgraded,
// and the error is an [ErrBackup].
//
// After an upgrade that succeeded, the last keep backups that WithBackup made with
// such a limit remain and those before them are removed. Backups without "auto" in
// their name are nobody's to remove: those of the command, and with a keep of 0 or
// less those of WithBackup. A start that fails again and again makes one backup:
// one that is the same as the last of its version, byte for byte, takes its place.
//
// The backup costs the time to read and write the whole database, and its size on
// the disk. It is made by VACUUM INTO, on a second connection of the pool, for which
// the pool's limit is raised by one if it has one. Where an upgrade is several
// transactions ([WithPerMigration], or a migration without a transaction), the backup is
// of what was there before the first; several processes that start at once can each
// run some of them, and then each makes a backup of what it began with. A database
// in memory has no backup, which is logged.
//
// https://sqlite.org/lang_vacuum.html#vacuuminto
func WithBackup(keep int) Option {
	return func(c *config) { c.backup = &upgradeBackup{keep: keep} }
}

// backups is what an upgrade has of [WithBackup]. (It is an interface so that only programs
// that make backups have the code for it.)
type backups interface {
	// before makes a backup of what there was before any migration was committed. It is
	// called under the write lock, with the state that was read under it.
	before(ctx context.Context, u *upgrade, st *state) error

	// after removes older backups if the upgrade has succeeded, and otherwise has its
	// error name the backup.
	after(u *upgrade, err error) error
}

// An upgradeBackup is the backup that one call of Migrate makes.
type upgradeBackup struct {
	keep int
	path string        // "" if there is none
	made bool          // by this call: there was none with the same content
	at   sql.NullInt64 // PRAGMA data_version then
}

func (a *upgradeBackup) before(ctx context.Context, u *upgrade, st *state) error {
	if u.ran > 0 || st.isNew() {
		return nil
	}
	// If the upgrade begins again, another connection may have written in between.
	var now sql.NullInt64
	if err := u.conn.read(ctx, "PRAGMA data_version", &now); err != nil {
		return err
	}
	if now == a.at {
		return nil
	}
	a.at = now
	fail := func(err error) error {
		return &Error{Kind: ErrBackup, DB: u.conn.file, Version: st.version, Expected: u.schema.Expected,
			Detail: "no backup could be made, still at " + st.version.String(), Err: err, ended: ended(ctx)}
	}
	file := u.conn.file
	if file == "" { // it could not be read, and without it nothing could be told from memory
		return fail(errors.New("the database's file is not known"))
	}
	// Only its backup's file is opened here, never the database's.
	if _, err := os.Stat(file); file == ":memory:" || errors.Is(err, fs.ErrNotExist) {
		u.log.Warn("no backup: the database is not a file", "database", file)
		return nil
	}
	begun := time.Now()
	b := Backup{Version: st.version, Unmanaged: !st.managed, Time: begun, Auto: a.keep > 0}
	u.progress.report(ctx, Progress{Backup: b.path(file)}, begun, false)
	made, err := u.writeBackup(ctx, &b)
	if err != nil {
		if e := (*fs.PathError)(nil); errors.As(err, &e) {
			err = fmt.Errorf("%s: %w", e.Path, e.Err)
		}
		return fail(err)
	}
	if a.made && a.path != b.Path {
		os.Remove(a.path) // nothing was upgraded from there
		a.made = false
	}
	a.path, a.made = b.Path, a.made || made
	u.log.Info("backup made", "database", file, "version", st.version.String(), "file", b.Path, "took", time.Since(begun))
	u.progress.report(ctx, Progress{Backup: b.Path}, begun, true)
	return nil
}

func (a *upgradeBackup) after(u *upgrade, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Kind != ErrDiverged && a.path != "" {
		e.Backup = a.path
	}
	if e := (*MigrationError)(nil); errors.As(err, &e) {
		e.Backup = a.path
	}
	if err == nil && a.path != "" && a.keep > 0 {
		a.prune(u)
	}
	return err
}

// prune removes the older backups of an upgrade that has succeeded.
func (a *upgradeBackup) prune(u *upgrade) {
	backups, err := Backups(u.conn.file)
	keep := a.keep
	for _, b := range slices.Backward(backups) {
		if !b.Auto {
			continue
		}
		if keep--; keep < 0 && b.Path != a.path {
			err = errors.Join(err, os.Remove(b.Path))
		}
	}
	if err != nil {
		u.log.Warn("older backups remain", "database", u.conn.file, "error", err)
	}
}

// writeBackup makes the file that b describes and sets its path. made is false if
// there is one already.
func (u *upgrade) writeBackup(ctx context.Context, b *Backup) (made bool, err error) {
	conn, release, err := u.reader(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		if e := release(); e != nil && err == nil {
			if made {
				os.Remove(b.Path)
			}
			made, err = false, e
		}
	}()
	// Whoever has the lock may use this name. What is there was left by a process
	// that was killed.
	part := u.conn.file + partSuffix
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	last := u.lastBackup(b)
	if err := f.Close(); err != nil {
		return false, err
	}
	b.Path, err = writeBackup(u.conn.file, "", part, func(part string) (Backup, error) {
		if _, err := conn.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
			return *b, err
		}
		return *b, verify(ctx, conn, part)
	})
	if err == nil && last != "" && sameFile(last, b.Path) && os.Remove(b.Path) == nil {
		b.Path = last
		return false, nil
	}
	return err == nil, err
}

// reader returns a connection that can read the database while the write lock is
// held, and the function that gives it back.
func (u *upgrade) reader(ctx context.Context) (*sql.Conn, func() error, error) {
	var mode string
	if err := u.conn.read(ctx, "PRAGMA main.locking_mode", &mode); err != nil {
		return nil, nil, err
	}
	if mode == "exclusive" {
		return u.ownReader(ctx)
	}
	limit := u.db.Stats().MaxOpenConnections
	if limit > 0 {
		u.db.SetMaxOpenConns(limit + 1)
	}
	var conn *sql.Conn
	err := u.wait(ctx, func(ctx context.Context) (err error) {
		conn, err = u.db.Conn(ctx)
		return err
	})
	if limit > 0 && u.db.Stats().MaxOpenConnections == limit+1 {
		u.db.SetMaxOpenConns(limit) // the pool closes the first connection over the limit that comes back
	}
	return conn, func() error { conn.Close(); return nil }, err
}

// ownReader is for a connection that lets no other read, whatever it does itself.
// VACUUM cannot run in a transaction, so the transaction ends and begins again
// afterwards. In between the connection still keeps others out, which is checked.
func (u *upgrade) ownReader(ctx context.Context) (*sql.Conn, func() error, error) {
	var before, after int64
	const version = "PRAGMA data_version"
	if err := u.conn.read(ctx, version, &before); err != nil {
		return nil, nil, err
	}
	u.conn.rollback(ctx)
	return u.conn.Conn, func() error {
		err := u.lock(ctx)
		if err == nil {
			err = u.conn.read(ctx, version, &after)
		}
		if err == nil && before != after {
			err = errors.New("another connection has written meanwhile")
		}
		return err
	}, nil
}

// verify has SQLite look at every page of a file. The connection attaches it, since
// this package cannot open databases.
func verify(ctx context.Context, conn *sql.Conn, path string) (err error) {
	if _, err := conn.ExecContext(ctx, "ATTACH DATABASE ? AS lockstep_backup", path); err != nil {
		return err
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "DETACH DATABASE lockstep_backup")
		if e != nil { // the application must not find it
			conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		if err == nil {
			err = e
		}
	}()
	var answer string
	if err := conn.QueryRowContext(ctx, "PRAGMA lockstep_backup.integrity_check(1)").Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return errors.New("integrity_check: " + strings.ReplaceAll(answer, "\n", " "))
	}
	return nil
}

// lastBackup returns the path of the last backup of the same version that is kept
// for as long, or "".
func (u *upgrade) lastBackup(of *Backup) (path string) {
	backups, _ := Backups(u.conn.file)
	for _, b := range backups {
		if b.Version == of.Version && b.Unmanaged == of.Unmanaged && (of.Auto || !b.Auto) {
			path = b.Path
		}
	}
	return path
}

// sameFile reports whether two files have the same bytes.
func sameFile(a, b string) bool {
	f, err := os.Open(a)
	if err != nil {
		return false
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		return false
	}
	defer g.Close()
	fi, err := f.Stat()
	if err != nil {
		return false
	}
	if gi, err := g.Stat(); err != nil || fi.Size() != gi.Size() {
		return false
	}
	p, q := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(f, p)
		m, _ := io.ReadFull(g, q)
		if !bytes.Equal(p[:n], q[:m]) {
			return false
		}
		if err != nil {
			return err == io.EOF || err == io.ErrUnexpectedEOF
		}
	}
}

package lockstep

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/backupfile"
	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// WithBackup has [Migrate] back up a database before upgrading it, unless it is new. The
// backup is a file beside the database, named for its version and the time (see [Backup]),
// with the permissions of the database. Before any migration runs, it is on the disk, and
// PRAGMA quick_check has found no damaged page. (Rows that violate a constraint are copied as
// they are; [WithLogger] logs them. A copy breaks no foreign keys, so none are checked.) It
// holds exactly what the upgrade begins with. When many processes start at once, the one that
// upgrades makes it; the others may read the database meanwhile. If the upgrade fails, its
// error names the file ([Error.Backup], [MigrationError.Backup]). If no backup can be made,
// because the disk is full or the folder is not writable, nothing is upgraded and the error is
// an [ErrBackup]. What a killed process leaves of one, the next backup in the folder removes.
//
// After an upgrade that succeeds, the last keep backups remain and older ones are removed: of
// those with "auto" in their names, which WithBackup gives them if keep is above 0. Nothing
// removes other backups. A start that fails again and again makes only one: a backup replaces
// the last of the same version if both have the same bytes.
//
// A backup costs the time to read and write the whole database, and its size on the disk.
// VACUUM INTO makes it, on a second connection of the pool; if the pool has a limit, the limit
// is one higher meanwhile. If an upgrade takes several transactions ([WithPerMigration], or a
// migration without a transaction), the backup holds what was there before the first. Several
// processes that start at once can each run some of them, and then each makes a backup of what
// it begins with. A database in memory is not backed up, which is logged.
//
// A backup of an encrypted database is encrypted, too: the parameters are those with which
// SQLite opens it by a URI, such as "vfs=adiantum", "hexkey="+key. No error has them in it.
//
// https://sqlite.org/lang_vacuum.html#vacuuminto
func WithBackup(keep int, parameters ...string) Option {
	return func(c *config) { c.backup = &upgradeBackup{keep: keep, query: strings.Join(parameters, "&")} }
}

// A Backup is a file beside a database that holds an earlier content of it. Its name says
// of which version it is and when it was made:
//
//	data.db.v0010.20261123T101502Z.backup       kept until somebody removes it
//	data.db.v0010.20261123T101502Z.auto.backup  made by WithBackup(n), n > 0, which removes it in time
//	data.db.20261123T101502Z.backup             of a database without a version
//
// The names of a database's backups sort by version and then by time. Each file is an
// SQLite database.
type Backup struct {
	Path      string
	Version   Version   // of the database, when the backup was made
	Unmanaged bool      // it had none
	Time      time.Time // UTC, in seconds
	Auto      bool      // [WithBackup] removes it when there are enough newer ones
}

// Backups returns the backups beside the database at the path db, oldest first. It goes by
// their names and opens none.
func Backups(db string) ([]Backup, error) {
	var backups []Backup
	err := backupfile.Each(db, func(path string, n backupfile.Name) {
		backups = append(backups, Backup{path, Version(n.Version), n.Unmanaged, n.Time, n.Auto})
	})
	slices.SortFunc(backups, func(a, b Backup) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Path, b.Path))
	})
	return backups, err
}

// backups makes and removes the backups of an upgrade. (It is an interface so that only
// programs that make backups have the code for it.)
type backups interface {
	// before makes a backup if no migration has run yet. It is called under the write
	// lock, with the state that was read under it.
	before(ctx context.Context, u *upgrade, st *state) error

	// after removes older backups if the upgrade has succeeded; if not, its error names
	// the backup.
	after(u *upgrade, err error) error
}

// An upgradeBackup is the backup that one call of Migrate makes.
type upgradeBackup struct {
	keep  int
	query string        // of the URI
	path  string        // "" if there is none
	made  bool          // by this call: there was none with the same content
	ran   bool          // a migration has, before a connection was lost
	at    sql.NullInt64 // PRAGMA data_version then
}

func (a *upgradeBackup) before(ctx context.Context, u *upgrade, st *state) error {
	if a.ran || u.ran > 0 || st.isNew() {
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
			Detail: "backup failed, still at " + st.version.String(), Err: err, ended: ended(ctx)}
	}
	file := u.conn.file
	if file == "" || sqlite.OnServer(file) { // without its name, it may as well be in memory
		return fail(errors.New("the database's file is not known here; leave out WithBackup, and back it up where it is"))
	}
	if _, err := os.Stat(file); file == ":memory:" || errors.Is(err, fs.ErrNotExist) {
		u.log.Warn("no backup: the database is not a file", "database", file)
		return nil
	}
	begun := time.Now()
	name := backupfile.Name{Version: int(st.version), Unmanaged: !st.managed, Time: begun, Auto: a.keep > 0}
	u.progress.report(ctx, &Progress{Doing: copying, Backup: name.Path(file)}, begun, false)
	path, made, err := u.writeBackup(ctx, name, a.query)
	if err != nil {
		if e := (*fs.PathError)(nil); errors.As(err, &e) {
			err = fmt.Errorf("%s: %w", e.Path, e.Err)
		}
		return fail(err)
	}
	if a.made && a.path != path {
		os.Remove(a.path) // no upgrade began with its content
		a.made = false
	}
	a.path, a.made = path, a.made || made
	u.log.Info("backup made", "database", file, "version", st.version.String(), "file", path, "took", time.Since(begun))
	u.progress.report(ctx, &Progress{Doing: copying, Backup: path}, begun, true)
	return nil
}

func (a *upgradeBackup) after(u *upgrade, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Kind != ErrDiverged && a.path != "" {
		e.Backup = a.path
	}
	if e := (*MigrationError)(nil); errors.As(err, &e) {
		e.Backup = a.path
	}
	a.ran = a.ran || u.ran > 0
	if err == nil && a.path != "" && a.keep > 0 {
		a.prune(u)
	}
	return err
}

// prune removes older backups.
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

// writeBackup makes a backup and returns its path. made is false if there is one already with
// the same content.
func (u *upgrade) writeBackup(ctx context.Context, name backupfile.Name, query string) (path string, made bool, err error) {
	var mode string
	if err := u.conn.read(ctx, "PRAGMA main.locking_mode", &mode); err != nil {
		return "", false, err
	}
	on := u.conn
	if mode == "exclusive" {
		// Nobody else can read. VACUUM cannot run in a transaction, so that ends. The
		// connection keeps its lock. https://sqlite.org/pragma.html#pragma_locking_mode
		u.conn.rollback(ctx)
	} else {
		if on, err = u.reader(ctx); err != nil {
			return "", false, err
		}
		defer on.Close()
		defer sqlite.Discard(on.Conn) // with its settings, and a lock that it could not give back
	}
	last := backupfile.Last(u.conn.file, name)
	path, err = backupfile.Make(u.conn.file, "", func(part string) (backupfile.Name, error) {
		to := sqlite.URI(part, query)
		err := on.settings.SpareFiles(ctx, on.Conn) // VACUUM sorts the indexes
		if err == nil {
			err = on.exec(ctx, "VACUUM INTO ?", to)
		}
		if err == nil {
			u.progress.does(checking)
			err = u.verify(ctx, on.Conn, to)
		}
		return name, sqlite.Without(query, err)
	})
	if err == nil && mode == "exclusive" {
		if _, err = u.lock(ctx); err != nil {
			os.Remove(path)
		}
	}
	if err == nil && last != "" && diskfile.Equal(last, path) && os.Remove(path) == nil {
		return last, false, nil
	}
	return path, err == nil, err
}

// reader returns another connection of the pool, if need be beyond its limit.
func (u *upgrade) reader(ctx context.Context) (*conn, error) {
	on := &conn{}
	limit := u.db.Stats().MaxOpenConnections
	if limit > 0 {
		u.db.SetMaxOpenConns(limit + 1)
	}
	err := u.wait(ctx, func(ctx context.Context) (err error) {
		on.Conn, err = u.db.Conn(ctx)
		return err
	})
	if limit > 0 && u.db.Stats().MaxOpenConnections == limit+1 {
		u.db.SetMaxOpenConns(limit) // the pool closes the first connection over the limit that comes back
	}
	return on, err
}

// verify has SQLite check every page of a copy. A fault of rows that the database has, too,
// is logged. The file is attached to a connection, since this package cannot open databases.
func (u *upgrade) verify(ctx context.Context, conn *sql.Conn, path string) (err error) {
	const name = "lockstep_backup"
	if _, err := conn.ExecContext(ctx, "ATTACH DATABASE ? AS "+name, path); err != nil {
		return err
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "DETACH DATABASE "+name)
		if e != nil { // the application must not find it
			sqlite.Discard(conn)
		}
		if err == nil {
			err = e
		}
	}()
	faults, unchecked, err := sqlite.Quick.Check(ctx, conn, name)
	if err != nil || len(faults)+len(unchecked) == 0 {
		return err
	}
	before, unchecked, err := sqlite.Quick.Check(ctx, u.conn, "main")
	if err != nil {
		return err
	}
	for i, fault := range faults {
		faults[i] = strings.ReplaceAll(fault, name+".", "main.")
	}
	if fault := sqlite.FirstNew(faults, before); fault != "" {
		return sqlite.Damage("quick_check: the database does not have this fault: " + fault)
	}
	list := append(sqlite.Distinct(before), unchecked...)
	u.log.Warn("the database has faults, and so has its backup", "database", u.conn.file,
		"faults", wording.Printable(wording.List(len(list), "; ", func(i int) string { return list[i] })))
	return nil
}

package lockstep

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// upgrade brings a database that is behind to the expected version. seen is what
// was read of it before: the lock is taken now, and everything is decided on what
// is read under the lock.
func (g *gate) upgrade(ctx context.Context, seen *state) (err error) {
	u := &upgrade{gate: g, begun: time.Now(), migrations: len(g.schema.after(seen.version)), at: seen, program: program()}
	// A text that is not the one that was generated must stop the program before it
	// waits for anybody.
	for _, m := range g.schema.after(seen.version) {
		if _, err := u.prepare(m); err != nil {
			return err
		}
	}
	for _, m := range g.schema.after(seen.version) {
		if p, ok := m.Program.(onCopy); ok {
			if err := p.ready(ctx, u, m); err != nil {
				return err
			}
		}
	}

	// PRAGMA foreign_keys does nothing inside a transaction, and with it on, the
	// documented way to rebuild a table empties its child tables through
	// ON DELETE CASCADE. https://sqlite.org/lang_altertable.html#otheralter
	defer u.restore(ctx)
	if err := u.set(ctx, "foreign_keys", "0"); err != nil {
		return u.failed(ctx, seen, "", 0, false, err)
	}
	if err := u.needJournal(ctx); err != nil {
		return u.failed(ctx, seen, "", 0, false, err)
	}
	for done := false; !done; {
		done, err = u.step(ctx)
		if resultCode(err) == codeReadOnly && u.ran == 0 {
			e := g.judge(seen).(*Error)
			e.Err = err
			if failed := (*MigrationError)(nil); errors.As(err, &failed) {
				e.Err = failed.Err
			}
			return e
		}
		if err != nil {
			return u.named(err)
		}
	}
	if u.succeeded != nil {
		u.succeeded()
	}
	return nil
}

// named has the error of an upgrade name the backup that was made before it.
func (u *upgrade) named(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) && e.Kind != ErrDiverged && u.saved != "" {
		e.Backup = u.saved
	}
	if e := (*MigrationError)(nil); errors.As(err, &e) {
		e.Backup = u.saved
	}
	return err
}

// upgrade is the work that one call of Migrate does on a database that is behind.
type upgrade struct {
	*gate
	begun      time.Time
	migrations int           // how many there were to run when it began
	ran        int           // how many of them have
	at         *state        // the last that is known of the database
	program    string        // that runs
	saved      string        // the backup that was made; "" if there is none
	savedMade  bool          // by this call of Migrate: there was none with the same content
	savedAt    sql.NullInt64 // PRAGMA data_version then
	succeeded  func()        // called when the upgrade has succeeded, if it is not nil
	copy       PrivateCopy   // that conn is a connection to; nil if it is to the database
	live       *gate         // to the database, if conn is to a copy

	prepared map[Version]*pending
	pragmas  []pragma // settings of the connection to put back

	doing    Progress  // what was reported last
	reported time.Time // when
	written  int64     // rows, by the transactions that are committed
	counted  int64     // changes, when the present one began

	countFirst bool      // foreign keys were violated at the end: count what was before
	before     *fkReport // what was
}

// pending is a migration that is about to run: its text has been compared with what
// was generated.
type pending struct {
	Migration
	text          []byte
	statements    []sqltext.Statement // none if it is a program
	noTransaction bool
}

type pragma struct{ name, value string }

// onCopy is a [Program] that cannot run in a transaction: see [Outside]. (The code
// for it is its methods, so that it is linked only into programs that have one.)
type onCopy interface {
	ready(ctx context.Context, u *upgrade, m Migration) error
	onCopy(ctx context.Context, u *upgrade, st *state, segment []*pending) (done bool, err error)
	sweep(db string) error
}

// step takes the lock, decides anew, and runs the next migrations in one
// transaction: all of those that can be in one. It reports whether nothing is left
// to do.
func (u *upgrade) step(ctx context.Context) (done bool, err error) {
	// BEGIN IMMEDIATE takes the write lock before anything is read. A transaction
	// that began by reading could not be sure of getting it later: if another
	// process had written in between, SQLite would have to refuse.
	// https://sqlite.org/lang_transaction.html#immediate
	err = u.retry(ctx, func(ctx context.Context) error { return u.begin(ctx, "BEGIN IMMEDIATE") })
	if err != nil {
		return false, err
	}
	open := true
	defer func() {
		if open {
			u.rollback(ctx)
		}
	}()
	if u.progress != nil {
		u.counted = u.changes(ctx)
	}
	st, err := u.readLocked(ctx, true)
	if err != nil {
		return false, err
	}
	switch err := u.judge(st); {
	case err == nil:
		return true, nil // somebody else has done it
	case !errors.Is(err, ErrBehind):
		return false, err
	}
	if u.backup != nil {
		if err := u.backUp(ctx, st); err != nil {
			return false, err
		}
	}
	if u.countFirst {
		if u.before, err = u.foreignKeys(ctx, st.objects); err != nil {
			return false, u.failed(ctx, st, "", 0, true, err)
		}
	}

	segment, err := u.segment(st)
	if err != nil {
		return false, err
	}
	for _, m := range segment {
		if p, ok := m.Program.(onCopy); ok {
			return p.onCopy(ctx, u, st, segment)
		}
	}
	var rows []row
	switch {
	case len(segment) == 0: // the version is 0, and the tables are to be made
	case segment[0].noTransaction:
		// The lock is given up: what the migration does cannot be done under it.
		u.rollback(ctx)
		r, err := u.apply(ctx, st, segment[0], false)
		if err != nil {
			return false, err
		}
		rows = append(rows, r)
		if err := u.retry(ctx, func(ctx context.Context) error { return u.begin(ctx, "BEGIN IMMEDIATE") }); err != nil {
			return false, err
		}
		now, err := u.readLocked(ctx, false)
		if err != nil {
			return false, err
		}
		if now.version != st.version {
			return false, nil // somebody else ran it, too, and has recorded it
		}
		st = now
	default:
		for _, m := range segment {
			r, err := u.apply(ctx, st, m, true)
			if err != nil {
				return false, err
			}
			rows = append(rows, r)
		}
	}

	again, err := u.seal(ctx, st, rows)
	if again || err != nil {
		return false, err
	}
	// From here on the caller's context no longer counts: a driver can report a
	// COMMIT as cancelled that has taken place.
	committing := context.WithoutCancel(ctx)
	err = u.retry(committing, func(context.Context) error { return u.run(committing, "COMMIT") })
	if e := (*Error)(nil); errors.As(err, &e) { // readers did not let it
		e.Version, e.upgrading = st.version, true
		return false, e
	} else if err != nil {
		if err := u.commitFailed(ctx, st, rows, err); err != nil {
			return false, err
		}
	}
	open = false
	u.written = u.doing.Rows
	return u.applied(rows), nil
}

// applied notes that migrations are there to stay. It reports whether they were the
// last.
func (u *upgrade) applied(rows []row) (done bool) {
	u.ran += len(rows)
	for _, r := range rows {
		u.at = &state{version: r.version}
		u.log.Info("migration applied", "database", u.name, "version", r.version.String(), "file", r.file, "took", r.duration)
	}
	return len(rows) == 0 || rows[len(rows)-1].version == u.schema.Expected
}

// backUp makes the backup that the options ask for, under the lock, of what was there
// before any migration was committed: again, if the upgrade begins again and somebody
// has written in between.
func (u *upgrade) backUp(ctx context.Context, st *state) error {
	if u.ran > 0 || st.isNew() {
		return nil
	}
	var now sql.NullInt64
	if err := u.conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&now); err != nil {
		return u.failed(ctx, st, "", 0, true, err)
	}
	if now == u.savedAt {
		return nil
	}
	err := u.backup(ctx, u, st)
	u.savedAt = now
	return err
}

// isNew reports whether nothing would be lost with the database: it has no version
// but 0, and nothing in it but what lockstep and Litestream have put there.
func (st *state) isNew() bool {
	if st.version > 0 {
		return false
	}
	for _, o := range st.objects {
		switch {
		case st.managed && sqltext.IsOurs(o.Name):
		case sqlite.IsLitestream(o.Name):
		default:
			return false
		}
	}
	return true
}

// commitFailed finds out what has become of a transaction whose COMMIT returned err,
// and returns nil if it took place. The last that a COMMIT does is to delete the
// journal, or to truncate and to synchronize it: when that fails, the journal can be
// gone nevertheless. https://sqlite.org/atomiccommit.html#_deleting_the_rollback_journal
func (u *upgrade) commitFailed(ctx context.Context, st *state, rows []row, err error) error {
	version := st.version
	if len(rows) > 0 {
		version = rows[len(rows)-1].version
	}
	u.rollback(ctx)
	now, unread := u.read(context.WithoutCancel(ctx))
	switch {
	case unread != nil:
		failed := u.failed(ctx, st, "", 0, false, err)
		failed.committed = version
		return failed
	case !now.managed || now.version != version:
		return u.failed(ctx, st, "", 0, true, err)
	}
	u.log.Warn("the upgrade took place, though its COMMIT failed", "database", u.name, "error", err)
	return nil
}

// readLocked reads the state of the database under the lock.
func (u *upgrade) readLocked(ctx context.Context, rolledBack bool) (*state, error) {
	st, err := u.readState(ctx)
	if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
		return nil, u.failed(ctx, u.at, "", 0, rolledBack, err)
	}
	u.at = st
	return st, err
}

// segment returns the pending migrations that the next transaction holds. One
// without a transaction is alone.
func (u *upgrade) segment(st *state) (segment []*pending, err error) {
	for _, next := range u.schema.after(st.version) {
		m, err := u.prepare(next)
		if err != nil {
			return nil, err
		}
		if m.noTransaction && len(segment) > 0 {
			break
		}
		segment = append(segment, m)
		if m.noTransaction || u.perMigration {
			break
		}
	}
	return segment, nil
}

// prepare reads the text of a migration, checks that it is the one that was
// generated, and cuts it into statements.
func (u *upgrade) prepare(m Migration) (*pending, error) {
	if p, ok := u.prepared[m.Version]; ok {
		return p, nil
	}
	text, err := fs.ReadFile(u.schema.Files, m.File)
	if err != nil {
		return nil, stale(m.File, err.Error())
	}
	p := &pending{Migration: m, text: text}
	if m.Program != nil {
		err = p.checkProgram()
	} else {
		err = p.cut()
	}
	if err != nil {
		return nil, err
	}
	if u.prepared == nil {
		u.prepared = make(map[Version]*pending)
	}
	u.prepared[m.Version] = p
	return p, nil
}

// checkProgram compares the text of a program with what was generated.
func (p *pending) checkProgram() error {
	if p.Program.Checksum(p.text) != p.Checksum {
		return stale(p.File, otherText)
	}
	return nil
}

// cut parses SQL.
func (p *pending) cut() (err error) {
	parsed := sqltext.Parse(sqltext.Normalize(p.text))
	if parsed.Checksum() != p.Checksum {
		return stale(p.File, otherText)
	}
	p.noTransaction = parsed.NoTransaction()
	if p.statements, err = parsed.Statements(p.Ends); err != nil {
		return stale(p.File, err.Error())
	}
	return nil
}

const otherText = "changed since lockstep_gen.go was generated; generate before building"

// apply runs one migration and returns its row for the history.
func (u *upgrade) apply(ctx context.Context, st *state, m *pending, transaction bool) (row, error) {
	begun := time.Now()
	p := Progress{Version: m.Version, File: m.File, Statements: len(m.statements), Migrations: u.migrations}
	p.Migration = u.ran + len(u.schema.after(st.version)) - len(u.schema.after(m.Version))
	u.report(ctx, p, begun, false)
	if m.Program != nil {
		if err := u.runProgram(ctx, m); err != nil {
			return row{}, u.failed(ctx, st, m.File, 0, transaction, err)
		}
	}
	for i, stmt := range m.statements {
		if stmt.Skipped(transaction) {
			continue
		}
		began := time.Now()
		p.Statement, p.Line = i+1, stmt.Line
		u.report(ctx, p, began, false)
		execute := u.execute
		if !transaction {
			execute = u.executeAlone
		}
		if err := execute(ctx, &stmt); err != nil {
			return row{}, u.failed(ctx, st, m.File, stmt.Line, transaction, err)
		}
		u.report(ctx, p, began, true)
	}
	p.Statement, p.Line = 0, 0
	u.report(ctx, p, begun, true)
	return row{
		version: m.Version, file: m.File, checksum: m.Checksum,
		appliedAt: time.Now(), duration: time.Since(begun), program: u.program,
	}, nil
}

// execute runs a statement to its end. Drivers differ in what Exec does with a
// statement that returns rows: some take one step and stop, and a SELECT that is
// there for its effect has a part of it.
func (u *upgrade) execute(ctx context.Context, stmt *sqltext.Statement) error {
	// Some drivers run a short statement although the context has ended.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := u.guard(ctx, stmt); err != nil {
		return err
	}
	if stmt.ReturnsRows() {
		return u.query(ctx, stmt.SQL, func(scanner) error { return nil })
	}
	return u.run(ctx, stmt.SQL)
}

// executeAlone is execute where no lock is held, and another connection can have one. It
// is waited for as for any other; the statement itself may take longer.
func (u *upgrade) executeAlone(ctx context.Context, stmt *sqltext.Statement) error {
	var failed error
	err := u.retry(ctx, func(context.Context) error {
		if failed = u.execute(ctx, stmt); isBusy(failed) {
			return failed
		}
		return nil
	})
	if err == nil {
		return failed
	}
	return err
}

func (u *upgrade) run(ctx context.Context, q string) error {
	_, err := u.conn.ExecContext(ctx, q)
	return err
}

// report tells the application how the upgrade goes on.
func (u *upgrade) report(ctx context.Context, p Progress, begun time.Time, done bool) {
	if u.progress == nil {
		return
	}
	p.Rows = u.written + u.changes(ctx) - u.counted
	now := time.Now()
	p.Elapsed = now.Sub(u.begun)
	if p.Done = done; done {
		p.Took = now.Sub(begun)
	}
	u.doing, u.reported = p, now
	u.progress(p)
}

// changes returns how many rows the connection has inserted, updated and deleted
// since it was opened. (A SELECT does not change what changes() and
// last_insert_rowid() return, which a migration may use.) When the context has ended
// the number no longer matters.
//
// https://sqlite.org/lang_corefunc.html#total_changes
func (u *upgrade) changes(ctx context.Context) int64 {
	n := u.counted + u.doing.Rows - u.written
	u.conn.QueryRowContext(ctx, "SELECT total_changes()").Scan(&n)
	return n
}

// seal ends a transaction in which migrations have run: it records them and, at
// the expected version, proves that the result is what the generator saw. again
// means that the violated foreign keys of the database have to be counted first.
func (u *upgrade) seal(ctx context.Context, st *state, rows []row) (again bool, err error) {
	fail := func(err error) (bool, error) { return false, u.failed(ctx, st, "", 0, true, err) }

	if err := u.inTransaction(ctx); err != nil {
		return fail(err)
	}
	if err := u.manage(ctx, st); err != nil {
		return fail(err)
	}
	if len(rows) == 0 {
		return false, nil
	}
	version := rows[len(rows)-1].version
	if err := u.record(ctx, st, version, rows); err != nil {
		return fail(err)
	}

	objects, err := sqlite.Objects(ctx, u.conn)
	if err != nil {
		return fail(err)
	}
	now := &state{version: version, objects: objects}
	report, err := u.foreignKeys(ctx, now.objects)
	if err != nil {
		return fail(err)
	}
	if !report.empty() {
		if u.before == nil {
			u.countFirst = true
			return true, nil
		}
		if violations := report.since(u.before); len(violations) > 0 {
			return false, &Error{Kind: ErrForeignKey, DB: u.name, Version: st.version, Expected: u.schema.Expected, Violations: violations, upgrading: true}
		}
		u.log.Warn("foreign keys are violated, as they were before the upgrade", "database", u.name, "violations", report.String())
	}

	digest, fingerprint := u.schema.Digest, u.schema.Fingerprint
	if version < u.schema.Expected {
		digest, fingerprint = u.schema.digestAt(version), ""
	} else if err := u.drifted(now); err != nil {
		if e := (*Error)(nil); errors.As(err, &e) {
			e.Version, e.upgrading = st.version, true
		}
		return false, err
	}
	if u.overruled {
		digest, fingerprint = "", "" // the next start is to ask again
	}
	if err := u.gate.seal(ctx, version, digest, fingerprint); err != nil {
		return fail(err)
	}
	return false, nil
}

// inTransaction returns nil if a transaction is open. Some errors end it, and one that a
// driver has kept to itself must not leave the version recorded and the migrations
// rolled back. SQLite has no statement that tells, but it refuses a second BEGIN.
// (A savepoint around the upgrade would tell, too. With one SQLite saves each page
// before it changes it, which makes the rebuild of a table a quarter slower.)
func (u *upgrade) inTransaction(ctx context.Context) error {
	switch err := u.run(ctx, "BEGIN"); {
	case err == nil:
		return errors.New("a statement has ended the transaction of the upgrade")
	case !strings.Contains(err.Error(), "within a transaction"):
		return err
	}
	return nil
}

// digestAt returns the digest over the migrations up to v.
func (s *Schema) digestAt(v Version) string {
	return digest(s.Migrations[:len(s.Migrations)-len(s.after(v))])
}

// failed returns the error for a statement that did not succeed.
func (u *upgrade) failed(ctx context.Context, st *state, file string, line int, rolledBack bool, err error) *MigrationError {
	e := &MigrationError{DB: u.name, File: file, Line: line, Version: st.version, RolledBack: rolledBack, Err: err, ended: ended(ctx)}
	if locked, ok := err.(*Error); ok && locked.Kind == ErrBusy { // see executeAlone
		e.Err, e.kind = locked.Err, ErrBusy
	}
	if wrote, ok := err.(*outputError); ok {
		e.Err, e.Output = wrote.err, wrote.output
	}
	return e
}

// guarded are the settings of a connection that migrations may change. They are
// put back, because the connection goes back to the pool.
var guarded = map[string]bool{
	"legacy_alter_table":       true,
	"recursive_triggers":       true,
	"ignore_check_constraints": true,
	"writable_schema":          true,
}

// guard notes the value of a setting that the statement is about to change.
func (u *upgrade) guard(ctx context.Context, stmt *sqltext.Statement) error {
	if name := stmt.Pragma(); guarded[name] {
		return u.note(ctx, name)
	}
	return nil
}

// set changes a setting of the connection until restore.
func (u *upgrade) set(ctx context.Context, name, value string) error {
	if err := u.note(ctx, name); err != nil {
		return err
	}
	return u.run(ctx, "PRAGMA "+name+" = "+value)
}

// needJournal has the connection keep a journal, on the disk if the database is: with
// journal_mode OFF a ROLLBACK leaves what has been written to the file, and with MEMORY
// so does a process that is killed. https://sqlite.org/pragma.html#pragma_journal_mode
func (u *upgrade) needJournal(ctx context.Context) error {
	var mode string
	if err := u.conn.QueryRowContext(ctx, "PRAGMA main.journal_mode").Scan(&mode); err != nil {
		return err
	}
	_, err := os.Stat(u.name)
	switch file := err == nil; {
	case file && (mode == "off" || mode == "memory"):
		return u.set(ctx, "journal_mode", "delete")
	case mode == "off":
		return u.set(ctx, "journal_mode", "memory")
	}
	return nil
}

// note remembers the value of a setting for restore.
func (u *upgrade) note(ctx context.Context, name string) error {
	for _, p := range u.pragmas {
		if p.name == name {
			return nil
		}
	}
	p := pragma{name: name}
	if err := u.conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&p.value); err != nil {
		return err
	}
	u.pragmas = append(u.pragmas, p)
	return nil
}

// restore gives the connection its settings back, whatever has become of the
// context. It runs when no transaction is open. A connection on which a setting
// does not take is discarded.
func (u *upgrade) restore(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, p := range u.pragmas {
		var value string
		if p.name == "journal_mode" {
			u.conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&value)
			if value == "wal" { // a migration has made it so, for everybody
				continue
			}
		}
		err := u.run(ctx, "PRAGMA "+p.name+" = "+p.value)
		if err == nil {
			err = u.conn.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&value)
		}
		if err != nil || value != p.value {
			u.discard()
			return
		}
	}
}

// program names the running program for the history: the path and version of its
// main module.
func program() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			return info.Main.Path + "@" + v
		}
		return info.Main.Path
	}
	return filepath.Base(os.Args[0])
}

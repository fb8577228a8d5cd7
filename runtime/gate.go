package lockstep

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Migrate brings the database to the version that s expects and returns nil, or
// returns an error and leaves the database as it found it.
//
// A new database gets all migrations, one that is behind those it lacks, in one
// transaction: afterwards the database is at s.Expected, or it is what it was.
// (Migrations that begin with "-- lockstep: no-transaction", and [WithPerMigration],
// divide the upgrade into several.) Any number of processes may call Migrate at
// once: one upgrades, the others wait for it.
//
// On a database that is at head Migrate reads one row. It does not write, takes
// no lock that a writer would wait for, and works on a read-only file.
//
// The error is a [*Error] for a database that is refused, and errors.Is finds in
// it one of [ErrAhead], [ErrUnmanaged], [ErrDiverged], [ErrDrift], [ErrBusy],
// [ErrStale], [ErrUnreadable], [ErrForeignKey], [ErrMemory], [ErrBackup], or
// [ErrBehind] if the database cannot be written to. It is a [*MigrationError] when a migration
// did not succeed; errors.Is then finds the driver's error, and ctx.Err() if the
// context has ended. Foreign keys are not enforced while migrations run; they are
// checked before the upgrade is committed, and the connection's setting is
// restored. See https://sqlite.org/lang_altertable.html#otheralter for why.
func Migrate(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) error {
	g, err := open(ctx, db, s, opts)
	if err != nil {
		return err
	}
	defer g.close()

	st, err := g.readUnlessHead(ctx)
	if st == nil {
		return err
	}
	switch err := g.judge(st); {
	case errors.Is(err, ErrBehind):
		if err := g.upgrade(ctx, st); err != nil {
			return err
		}
		return g.shared(ctx, db)
	case err != nil:
		return err
	}
	g.reseal(ctx, st)
	return nil
}

// Check returns nil if the database is at exactly the version that s expects, and
// otherwise the error with which [Migrate] would refuse it, or [ErrBehind] where
// Migrate would upgrade it. It never writes.
func Check(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) error {
	g, err := open(ctx, db, s, opts)
	if err != nil {
		return err
	}
	defer g.close()

	st, err := g.readUnlessHead(ctx)
	if st == nil {
		return err
	}
	return g.judge(st)
}

// A State is what [Inspect] finds.
type State struct {
	DB      string  // the database's file as SQLite names it, or ":memory:"
	Managed bool    // the database has a version
	Version Version // 0 if it has none
	Applied []Applied
	Pending []Migration          // what Migrate would run; nil if it would refuse
	Objects []sqltext.Object     // the schema of the database, lockstep's tables included
	Changed []sqltext.Difference // at head: objects that are not what the migrations produce
	Extra   []sqltext.Object     // at head: objects that no migration made
	Refusal error                // what Check returns
}

// Applied is a migration that a database has been through, as it was recorded.
type Applied struct {
	Version  Version
	File     string
	Checksum string // "" if another tool applied it
	At       time.Time
	Took     time.Duration
	Program  string // the module and version of the program that applied it
}

// Inspect reads what a database says of itself, whether or not it would be
// refused. It never writes. The error is for what could not be read at all.
func Inspect(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) (*State, error) {
	g, err := open(ctx, db, s, opts)
	if err != nil {
		return nil, err
	}
	defer g.close()

	st, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	state := &State{DB: g.name, Managed: st.managed, Version: st.version, Objects: st.objects, Refusal: g.judge(st)}
	for _, r := range st.history {
		state.Applied = append(state.Applied, Applied{r.version, r.file, r.checksum, r.appliedAt, r.duration, r.program})
	}
	if errors.Is(state.Refusal, ErrBehind) {
		state.Pending = s.after(st.version)
	}
	if st.managed && st.version == s.Expected {
		state.Changed, state.Extra, err = s.diff(st.objects)
	}
	return state, err
}

// judge compares the state of a database with what the program expects. It
// returns nil when they agree, [ErrBehind] when an upgrade is to be made, or the
// refusal. It is the one place that decides.
func (g *gate) judge(st *state) error {
	s := g.schema
	refuse := func(kind error) *Error {
		return &Error{Kind: kind, DB: g.name, Version: st.version, Expected: s.Expected}
	}
	if !st.managed {
		if tables := st.tables(); tables > 0 {
			e := refuse(ErrUnmanaged)
			e.Detail = fmt.Sprintf("%d %s and no version", tables, plural(tables, "table"))
			return e
		}
	}
	if st.version > s.Expected {
		return refuse(ErrAhead)
	}
	if detail, differ := s.diverged(st); detail != "" {
		e := refuse(ErrDiverged)
		e.Detail = detail
		e.Digest = s.allowance(differ)
		if !g.allowed(e) {
			e.Backup = backupBefore(g.name, differ[0].version)
			return e
		}
	}
	if st.version < s.Expected || !st.managed {
		e := refuse(ErrBehind)
		for _, m := range s.after(st.version) {
			e.Pending = append(e.Pending, m.File)
		}
		return e
	}
	// The cookie changes with the schema, so an unchanged one spares the
	// comparison. VACUUM and others change it too, so a changed one proves nothing.
	if r, ok := st.newest(); ok && r.cookie.Valid && r.cookie.Int64 == st.cookie && r.fingerprint == s.Fingerprint {
		return nil
	}
	return g.drifted(st)
}

// drifted compares the tables of a database at the expected version with those
// that the migrations produce.
func (g *gate) drifted(st *state) error {
	changed, extra, err := g.schema.diff(st.objects)
	if err != nil {
		return err
	}
	for _, o := range extra {
		g.log.Info("object that no migration made", "database", g.name, "type", o.Type, "name", o.Name)
	}
	if len(changed) == 0 {
		return nil
	}
	e := &Error{Kind: ErrDrift, DB: g.name, Version: st.version, Expected: g.schema.Expected, Differences: changed}
	e.Digest = allowance(g.schema, changed)
	if g.allowed(e) {
		return nil
	}
	return e
}

// allowed reports whether the operator has allowed exactly this refusal.
func (g *gate) allowed(e *Error) bool {
	if !slices.Contains(g.allow, e.Digest) {
		return false
	}
	g.overruled = true
	g.log.Warn("refusal allowed", "database", g.name, "refusal", e.Error())
	return true
}

// allowance returns the digest by which an operator allows a program to start on a
// database whose history differs in these rows.
func (s *Schema) allowance(differ []row) string {
	h := sha256.New()
	fmt.Fprintf(h, "diverged\n%v %s\n", s.Expected, s.Digest)
	for _, r := range differ {
		fmt.Fprintf(h, "%v %s\n", r.version, r.checksum)
	}
	return "d1:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// allowance returns the digest by which an operator allows a program to start on a
// database in which these objects are not what they should be.
func allowance(s *Schema, changed []sqltext.Difference) string {
	h := sha256.New()
	fmt.Fprintf(h, "drift\n%v %s\n", s.Expected, s.Fingerprint)
	for _, d := range changed {
		fmt.Fprintf(h, "%s %q %q\n", d.Type, d.Name, d.Found)
	}
	return "d1:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// reseal notes that the schema is right under the cookie that it has now, so that
// the next start need not look. That is a convenience: when the lock is not to be
// had at once, or the file is read-only, it is left for another time.
func (g *gate) reseal(ctx context.Context, st *state) {
	if g.overruled || st.version == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	// BEGIN IMMEDIATE would wait for a writer as long as the driver's busy timeout
	// says. A transaction that has begun by reading does not wait.
	// https://sqlite.org/c3ref/busy_handler.html
	if err := g.begin(ctx, "BEGIN"); err != nil {
		return
	}
	now, err := g.readState(ctx)
	if err == nil && now.version == st.version && now.cookie == st.cookie {
		if err = g.manage(ctx, now); err == nil {
			err = g.seal(ctx, now.version, g.schema.Digest, g.schema.Fingerprint)
		}
		if err == nil {
			err = g.sweep() // under the lock, which writing has taken
		}
		if err == nil {
			_, err = g.conn.ExecContext(ctx, "COMMIT")
		}
		if err == nil {
			return
		}
	}
	g.rollback(ctx)
}

// sweep removes what a process that was killed has left beside the database. If it
// had finished, the cookie is missing that the last start of an upgrade with scripts
// notes, and so reseal comes by.
func (g *gate) sweep() error {
	for _, m := range g.schema.Migrations {
		if p, ok := m.Program.(onCopy); ok {
			return p.sweep(g.name)
		}
	}
	return nil
}

// gate is one call of Migrate, Check or Inspect.
type gate struct {
	config
	db        *sql.DB // that conn is of
	schema    *Schema
	conn      *sql.Conn
	name      string // of the database, for errors
	overruled bool   // a refusal was allowed
}

// open takes a connection from the pool. It goes back there, so that the schema
// that SQLite has parsed for it is not parsed once more for the application.
func open(ctx context.Context, db *sql.DB, s *Schema, opts []Option) (*gate, error) {
	g := &gate{config: configure(opts), db: db, schema: s}
	if err := s.stale(); err != nil {
		return nil, err
	}
	// Connecting runs the pragmas of the data source name, and journal_mode=wal can
	// find the database locked, whatever the busy timeout.
	err := g.retry(ctx, func(ctx context.Context) (err error) {
		g.conn, err = db.Conn(ctx)
		return err
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrBusy) {
		err = &Error{Kind: ErrUnreadable, Expected: s.Expected, Err: err}
	}
	return g, err
}

func (g *gate) close() { g.conn.Close() }

// discard has the pool close the connection instead of taking it back: it is in a
// state that the application must not meet.
func (g *gate) discard() {
	g.conn.Raw(func(any) error { return driver.ErrBadConn })
}

// stale compares the names of the embedded migrations with those that the
// generated code knows. Their texts are compared when they are about to run.
func (s *Schema) stale() error {
	var entries []fs.DirEntry
	if s.Files != nil {
		var err error
		if entries, err = fs.ReadDir(s.Files, "."); err != nil {
			return stale("embedded migrations", err.Error())
		}
	}
	i := 0
	for _, entry := range entries { // in order of name, so of version
		name := entry.Name()
		if i < len(s.Migrations) && name == s.Migrations[i].File {
			i++
			continue
		}
		if !likeMigration(name) {
			continue
		}
		return stale(name, "in the program, but not in lockstep_gen.go; generate before building")
	}
	if i < len(s.Migrations) {
		return stale(s.Migrations[i].File, "in lockstep_gen.go, but not in the program; generate before building")
	}
	return nil
}

// likeMigration reports whether a file has, or almost has, the name of a migration.
func likeMigration(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".sql", ".go", ".py", ".sh":
		return '0' <= name[0] && name[0] <= '9'
	}
	return false
}

// readUnlessHead returns the state of a database that is not at head, for all that
// [gate.atHead] can tell, and nil if it is.
func (g *gate) readUnlessHead(ctx context.Context) (*state, error) {
	head := false
	err := g.retry(ctx, func(ctx context.Context) (err error) {
		head, err = g.atHead(ctx)
		return err
	})
	if head || err != nil {
		return nil, err
	}
	st, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	return st, nil
}

// read reads the state of the database in a transaction of its own.
func (g *gate) read(ctx context.Context) (st *state, err error) {
	err = g.retry(ctx, func(ctx context.Context) error {
		if err := g.begin(ctx, "BEGIN"); err != nil {
			return err
		}
		defer g.rollback(ctx)
		g.readName(ctx)
		st, err = g.readState(ctx)
		return err
	})
	return st, err
}

// readName finds out what to call the database in errors.
func (g *gate) readName(ctx context.Context) {
	if g.name != "" {
		return
	}
	var file sql.NullString
	err := g.query(ctx, "PRAGMA database_list", func(scan scanner) error {
		var seq int
		var name string
		var f sql.NullString
		err := scan(&seq, &name, &f)
		if name == "main" {
			file = f
		}
		return err
	})
	if err == nil {
		if g.name = file.String; g.name == "" {
			g.name = ":memory:"
		}
	}
}

// begin begins a transaction.
func (g *gate) begin(ctx context.Context, q string) error {
	_, err := g.conn.ExecContext(ctx, q)
	if err != nil && ctx.Err() != nil {
		g.rollback(ctx) // it can have begun before it was interrupted
	}
	return err
}

// rollback ends the transaction, if there is one, whatever has become of the
// context: drivers do not end it when a connection goes back to the pool. A
// connection on which that fails is discarded, which ends it too.
func (g *gate) rollback(ctx context.Context) {
	_, err := g.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	if err != nil && !isNoTransaction(err) {
		g.discard()
	}
}

// retry calls f until it no longer finds the database locked. It waits as long as
// the options and the context allow, whatever the busy timeout of the connection:
// SQLite does not wait at all where waiting could deadlock. f does nothing that
// takes long but wait for a lock, so an f that was interrupted was waiting.
//
// https://sqlite.org/c3ref/busy_handler.html
func (g *gate) retry(ctx context.Context, f func(context.Context) error) error {
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, max(g.wait, time.Millisecond))
	defer cancel()
	var busy error // the last that was seen
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if err := ctx.Err(); err != nil && busy == nil {
			return err
		}
		err := f(limited)
		if err == nil || !isBusy(err) && (limited.Err() == nil || !isInterrupt(err)) {
			return err
		}
		if busy == nil || isBusy(err) {
			busy = err
		}
		// Those who wait for the same lock should not all ask at the same time.
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-limited.Done():
			timer.Stop()
			return g.busy(ctx, time.Since(begun), busy)
		}
	}
}

// shared refuses a database in memory of which the pool's other connections do
// not see the tables: the application would meet an empty database by chance.
//
// https://sqlite.org/inmemorydb.html
func (g *gate) shared(ctx context.Context, db *sql.DB) error {
	limit := db.Stats().MaxOpenConnections
	if g.name != ":memory:" || limit == 1 || limit > 0 && db.Stats().InUse >= limit {
		return nil
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var n int
	err = conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = '_meta'").Scan(&n)
	if err == nil && n == 0 {
		err = &Error{Kind: ErrMemory, DB: g.name, Expected: g.schema.Expected,
			Detail: "each connection of the pool has a database of its own; call SetMaxOpenConns(1), or share it as the driver documents"}
	}
	return err
}

// tables counts the tables and views that somebody has made. Litestream's do not
// count: it replicates a file before there is anything in it.
func (st *state) tables() (n int) {
	for _, o := range st.objects {
		if (o.Type == "table" || o.Type == "view") && !sqlite.IsLitestream(o.Name) {
			n++
		}
	}
	return n
}

// diverged says in what the history of a database differs from the migrations, or
// "", and in which rows. Versions without a row are unknown: another tool applied
// them.
func (s *Schema) diverged(st *state) (detail string, differ []row) {
	same := 0
	for _, r := range st.history {
		m, ok := s.migration(r.version)
		var d string
		switch {
		case r.version > st.version:
			d = fmt.Sprintf("%s was applied, though _meta says %v", r.file, st.version)
		case !ok:
			d = fmt.Sprintf("%s was applied, and this program has no migration %v", r.file, r.version)
		case r.checksum == "" || r.checksum == m.Checksum || slices.Contains(m.Accepted, r.checksum):
			same++
			continue
		case r.file != m.File:
			d = fmt.Sprintf("%s was applied, where this program has %s", r.file, m.File)
		default:
			d = fmt.Sprintf("%s was applied with another text than this program has", r.file)
		}
		if differ = append(differ, r); detail == "" {
			detail = d
		}
	}
	if n := len(differ); n > 1 && same == 0 {
		detail += "; the database belongs to another program"
	} else if n > 1 {
		detail += fmt.Sprintf("; %d later %s, too", n-1, verb(n-1))
	}
	return detail, differ
}

func (s *Schema) migration(v Version) (Migration, bool) {
	i, ok := slices.BinarySearchFunc(s.Migrations, v, func(m Migration, v Version) int { return int(m.Version - v) })
	if !ok {
		return Migration{}, false
	}
	return s.Migrations[i], true
}

// file returns the name of the migration to version v.
func (s *Schema) file(v Version) string {
	m, _ := s.migration(v)
	return m.File
}

// after returns the migrations that a database at version v has not been through.
func (s *Schema) after(v Version) []Migration {
	i, _ := slices.BinarySearchFunc(s.Migrations, v+1, func(m Migration, v Version) int { return int(m.Version - v) })
	return s.Migrations[i:]
}

// diff compares objects with the schema at the expected version.
func (s *Schema) diff(objects []sqltext.Object) (changed []sqltext.Difference, extra []sqltext.Object, err error) {
	want, err := sqltext.ParseSchema(s.SQL)
	if err != nil {
		return nil, nil, stale("lockstep_gen.go", "SchemaSQL: "+err.Error())
	}
	changed, extra = sqltext.Diff(want, objects)
	return changed, extra, nil
}

func verb(n int) string {
	if n == 1 {
		return "one differs"
	}
	return "ones differ"
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

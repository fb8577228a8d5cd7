package gen

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/gen/prove"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A replay runs migrations on an empty database in memory, statement by statement and
// as an upgrade would: with foreign keys off and, unless a migration asks for none, in
// a transaction.
type replay struct {
	conn     *sqlite3.Conn
	tx       *sql.Conn // the same connection
	db       *sql.DB   // its pool
	opts     Options
	cascades cascades
	weights  weights
	prover   *prover // nil until it is needed
	review   *review // or nil
	copies   []prove.Copy
	findings
}

// newReplay opens the database. The caller closes it.
func newReplay(ctx context.Context, opts Options) (r *replay, err error) {
	r = &replay{opts: opts}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	prepare := func(conn *sqlite3.Conn) error {
		err := engine.Prepare(conn)
		if err == nil && opts.Conn != nil {
			err = opts.Conn(conn)
		}
		return cmp.Or(err, conn.Exec("PRAGMA foreign_keys = OFF"), engine.DoubleQuotes(conn, opts.DQS))
	}
	// The driver's own limit is 256 MiB, which a large seed would reach.
	const memory = 1 << 32
	if r.db, err = driver.Open(":memory:", prepare); err != nil {
		return r, err
	}
	if r.tx, err = r.db.Conn(sqlite3.WithMaxMemory(ctx, memory)); err != nil {
		return r, err
	}
	return r, r.tx.Raw(func(conn any) error {
		r.conn = conn.(driver.Conn).Raw()
		r.conn.SetInterrupt(ctx)
		return nil
	})
}

// close closes the database.
func (r *replay) close() {
	r.review.close()
	if r.prover != nil {
		r.prover.close()
	}
	if r.tx != nil {
		r.tx.Close()
	}
	if r.db != nil {
		r.db.Close()
	}
}

// errFailed says that a migration failed, and r.Problems why. What follows it would fail because of it.
var errFailed = errors.New("a migration failed")

func (r *replay) fail(p Problem) error {
	r.Problems = append(r.Problems, p)
	return errFailed
}

// run replays the migrations in order. It adds a statement that it refuses to r.Problems
// and skips it; at the first that fails it stops. The error is not about the migrations.
//
// After each migration it calls after, if that is not nil, outside of a transaction.
func (r *replay) run(ctx context.Context, migrations []*migration, after func(*migration) error) error {
	if err := r.begin(ctx, migrations); err != nil {
		return err
	}
	var all Problems // of foreign keys, on which a migration relies
	for _, m := range migrations {
		if err := r.reached(m); err != nil {
			return err
		}
		found, notes, err := r.prove(ctx, m)
		if err == nil {
			err = r.transaction(!m.alone)
		}
		if err != nil {
			return err
		}
		before := len(r.Problems)
		err = r.step(ctx, m)
		works := err == nil && len(r.Problems) == before
		relied := r.cascades.end()
		all = append(all, relied...)
		found = slices.DeleteFunc(found, relied.hasPlace) // it says more
		switch r.weights[m.Version] {
		case problem:
			r.Problems = append(r.Problems, relied...)
		case note:
			r.Warnings = append(r.Warnings, relied...)
		}
		if works {
			r.Proof, r.Warnings = append(r.Proof, found...), append(r.Warnings, notes...)
		}
		if err = cmp.Or(ctx.Err(), err); err == nil && after != nil {
			if err = r.transaction(false); err == nil {
				err = after(m)
			}
		}
		if errors.Is(err, errFailed) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return cmp.Or(r.transaction(false), r.end(all))
}

// transaction begins or commits, if necessary.
func (r *replay) transaction(open bool) error {
	switch {
	case open && r.conn.GetAutocommit():
		return r.conn.Exec("BEGIN IMMEDIATE")
	case !open && !r.conn.GetAutocommit():
		return r.conn.Exec("COMMIT")
	}
	return nil
}

// step replays one migration.
func (r *replay) step(ctx context.Context, m *migration) (err error) {
	switch {
	case m.alone:
		return r.runAlone(ctx, m)
	case m.sql():
		return r.migration(m)
	case m.Ext == ".go":
		err = r.goProgram(ctx, m)
	default:
		err = r.script(ctx, m)
	}
	r.cascades.action, r.cascades.trigger, r.cascades.replace = true, true, true // it may have created anything
	return err
}

// runAlone runs a migration that asks for no transaction, and tries whether it can run
// again.
func (r *replay) runAlone(ctx context.Context, m *migration) error {
	before, err := serdes.Serialize(r.conn, "main")
	if err != nil {
		return err
	}
	problems := len(r.Problems)
	if err := r.migration(m); err != nil || len(r.Problems) > problems {
		return err
	}
	return r.again(ctx, m, before)
}

// migration runs the statements of m.
func (r *replay) migration(m *migration) error {
	before := len(r.Problems)
	temp := false
	for _, s := range m.statements {
		if problem := s.refused(); problem != nil {
			r.Problems = append(r.Problems, *problem)
			continue
		}
		stmt, err := r.prepare(s)
		if err != nil {
			return err
		}
		if err := r.execute(s, stmt); err != nil {
			return r.fail(s.problem(sqlite.Sentence(err)))
		}
		r.cascades.learn(s)
		temp = temp || s.temp
		if s.ours {
			made, err := r.madeOurs()
			if err != nil {
				return err
			}
			if made {
				return r.fail(s.problem(oursIsRefused))
			}
		}
	}
	if len(r.Problems) > before {
		return nil // a skipped statement may be to blame for the rest
	}
	if temp {
		if err := r.leftTemporary(m); err != nil {
			return err
		}
	}
	if m.alone && !r.conn.GetAutocommit() {
		r.Problems = append(r.Problems, Problem{File: m.name, Fact: "leaves a transaction open; end it with COMMIT or RELEASE"})
	}
	return nil
}

// madeOurs reports whether a migration has made a table of lockstep's.
func (r *replay) madeOurs() (bool, error) {
	names, err := column(r.conn, `SELECT name FROM sqlite_schema WHERE lower(name) IN ('_meta', '_lockstep_history')
		UNION ALL SELECT name FROM sqlite_temp_schema WHERE lower(name) IN ('_meta', '_lockstep_history')`)
	return len(names) > 0, err
}

// leftTemporary reports what the migration created in the schema temp and did not
// drop.
func (r *replay) leftTemporary(m *migration) error {
	names, err := column(r.conn, "SELECT type || ' ' || name FROM sqlite_temp_schema WHERE sql NOT NULL ORDER BY type = 'table' DESC")
	if err == nil && len(names) > 0 {
		r.Problems = append(r.Problems, Problem{File: m.name, Fact: "leaves temporary " + names[0] + "; drop it at the end"})
	}
	return err
}

// prepare has SQLite compile the statement, and checks that SQLite ends it where
// lockstep does.
func (r *replay) prepare(s *statement) (*sqlite3.Stmt, error) {
	if err := r.cascades.inspect(r.conn, s); err != nil {
		return nil, err
	}
	stmt, tail, err := r.conn.Prepare(s.SQL)
	if err != nil {
		problem := s.failure(err)
		if name, ok := strings.CutPrefix(sqlite.Sentence(err), "no such table: "); ok && sqltext.IsOurs(strings.TrimPrefix(name, "main.")) {
			problem.Fact = oursIsRefused
		}
		return nil, r.fail(problem)
	}
	if stmt == nil || tail != "" {
		stmt.Close()
		return nil, r.fail(s.m.at(s.Pos+len(s.SQL)-len(tail), "SQLite ends a statement here and lockstep does not; please report this bug"))
	}
	if r.opts.DQS && s.quoted && (r.opts.Prove == "none" || r.weights[s.m.Version] != nothing) {
		r.warn(s)
	}
	return stmt, nil
}

// warn adds a warning if the statement has a string in double quotes.
func (r *replay) warn(s *statement) {
	if s.Keyword() == "pragma" {
		return // it would act
	}
	_ = engine.DoubleQuotes(r.conn, false)
	defer engine.DoubleQuotes(r.conn, true)
	stmt, _, err := r.conn.Prepare(s.SQL)
	stmt.Close()
	if engine.MeansString(err) {
		r.Warnings = append(r.Warnings, s.failure(err))
	}
}

// execute runs the statement to its end, unless an upgrade skips it, and closes it.
func (r *replay) execute(s *statement, stmt *sqlite3.Stmt) error {
	if !s.Skipped(!s.m.alone) {
		return cmp.Or(stmt.Exec(), stmt.Close()) // Close repeats the error
	}
	// PRAGMA foreign_keys may have acted when it was prepared.
	return cmp.Or(stmt.Close(), r.conn.Exec("PRAGMA foreign_keys = OFF"))
}

// failure returns SQLite's error at the token that it points to, or at the start of
// the statement.
func (s *statement) failure(err error) Problem {
	offset, _ := engine.Offset(err, s.SQL)
	return s.m.at(s.Pos+offset, "%s", sqlite.Sentence(err))
}

// column returns the first column of the query's rows.
func column(conn *sqlite3.Conn, query string, args ...string) (values []string, err error) {
	err = engine.Each(conn, func(row *sqlite3.Stmt) { values = append(values, row.ColumnText(0)) }, query, args...)
	return values, err
}

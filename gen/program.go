package gen

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen/gohost"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// program replays a migration that is not SQL. It returns false when that failed.
func (r *replay) program(ctx context.Context, m *migration) (bool, error) {
	run := r.goProgram
	if m.Ext != ".go" {
		run = r.script
	}
	ok, err := run(ctx, m)
	if !ok || err != nil {
		return false, err
	}
	return true, r.cascades.reread(r.conn)
}

// goProgram runs a Go migration in the replay's transaction, by the code that guards
// one in an upgrade.
func (r *replay) goProgram(ctx context.Context, m *migration) (bool, error) {
	t := &replayTx{replay: r, m: m}
	var returned error
	err := lockstep.Replay(ctx, r.tx, func(ctx context.Context, tx lockstep.Tx) error {
		t.Tx = tx
		returned = r.child.function(m.Version)(ctx, t)
		return returned
	}, nil)
	var (
		problems Problems
		failed   *gohost.Error
	)
	switch {
	case err == nil:
		return true, r.leftTemporary(m)
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.As(returned, &problems):
		r.problems = append(r.problems, problems...)
		return false, nil
	case errors.As(returned, &failed):
		if t.line == 0 {
			t.line = failed.Line
		}
	case returned != nil && t.line == 0:
		return false, returned // it did not run
	}
	r.problems = append(r.problems, Problem{File: m.name, Line: t.line, Fact: plain(err)})
	return false, nil
}

// plain returns the text of an error of a migration, with SQLite's own words in it
// instead of the driver's.
func plain(err error) string {
	text := err.Error()
	if e := (*sqlite3.Error)(nil); errors.As(err, &e) {
		text = strings.ReplaceAll(text, e.Error(), sqlite.Sentence(e))
	}
	return text
}

// replayTx is the Tx of a Go migration in the replay. It looks at statements as the
// replay does at those of an SQL migration, before it has them run.
type replayTx struct {
	lockstep.Tx
	replay *replay
	m      *migration
	line   int // of the first statement that failed
}

func (t *replayTx) ExecContext(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	texts := []string{query}
	if len(args) == 0 {
		// One at a time: what a statement writes shows when SQLite compiles it, which it
		// cannot before what is in front of it has been executed.
		if stmts := sqltext.Parse(query).Cut(); len(stmts) > 1 {
			texts = nil
			for _, stmt := range stmts {
				texts = append(texts, stmt.SQL)
			}
		}
	}
	for _, text := range texts {
		s, err := t.watch(ctx, text)
		if err != nil {
			return nil, err
		}
		if res, err = t.Tx.ExecContext(ctx, text, args...); err != nil {
			return nil, t.failed(ctx, err)
		}
		if s != nil {
			t.replay.cascades.learn(s)
		}
	}
	return res, nil
}

func (t *replayTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if _, err := t.watch(ctx, query); err != nil {
		return nil, err
	}
	rows, err := t.Tx.QueryContext(ctx, query, args...)
	return rows, t.failed(ctx, err)
}

func (t *replayTx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if _, err := t.watch(ctx, query); err != nil {
		return nil, err
	}
	stmt, err := t.Tx.PrepareContext(ctx, query)
	return stmt, t.failed(ctx, err)
}

// failed notes the line of the migration at which the first error came up.
func (t *replayTx) failed(ctx context.Context, err error) error {
	if err != nil && t.line == 0 {
		t.line = gohost.Line(ctx)
	}
	return err
}

// watch looks whether the statement counts on a foreign key's action. It returns the
// statement, if there is one.
func (t *replayTx) watch(ctx context.Context, query string) (*statement, error) {
	r := t.replay
	m := &migration{name: t.m.name}
	m.parse(query)
	stmts := m.statements()
	if len(stmts) == 0 {
		return nil, nil
	}
	s := stmts[0]
	before := len(r.cascades.found)
	done, err := r.cascades.watch(r.conn, s)
	if done == nil || err != nil {
		return s, err
	}
	stmt, _, err := r.conn.Prepare(query)
	if err != nil {
		return s, r.conn.SetAuthorizer(nil) // it will be said when it is executed
	}
	if err := errors.Join(done(), stmt.Close()); err != nil {
		return s, err
	}
	for i := range r.cascades.found[before:] {
		f := &r.cascades.found[before+i]
		f.Line, f.Col = gohost.Line(ctx), 0 // and not in its text
	}
	return s, nil
}

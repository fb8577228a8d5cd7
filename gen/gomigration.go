package gen

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/program"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// goProgram runs a Go migration in the replay's transaction, by the code that guards one
// in an upgrade. It looks at statements as the replay does at those of an SQL migration.
func (r *replay) goProgram(ctx context.Context, m *migration) error {
	line, failed := 0, 0 // of the last statement, and if it has failed
	err := m.program(r.opts.Output, func(query string) (func(error) error, error) {
		line, failed = lineIn(m.name), 0
		s, err := r.watch(m, query, line)
		if err != nil {
			failed = line
		}
		return func(err error) error {
			if err != nil {
				failed = line
			} else if s != nil {
				r.cascades.learn(s)
			}
			return asDriverError(err)
		}, err
	}).(program.Go).Replay(ctx, r.tx)
	if err == nil {
		return r.leftTemporary(m)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fact := err.Error()
	if e := (*sqlite3.Error)(nil); errors.As(err, &e) { // of a row, perhaps
		failed = line
		fact = strings.ReplaceAll(fact, e.Error(), sqlite.Sentence(e))
	}
	if e := (*panicError)(nil); errors.As(err, &e) {
		failed = e.line
	}
	return r.fail(Problem{File: m.name, Line: failed, Fact: fact})
}

// oneByOne executes the statements of a query one by one: what a statement writes shows
// when SQLite compiles it, which it cannot before those before it have been executed.
type oneByOne struct{ lockstep.Tx }

func (t oneByOne) ExecContext(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	stmts := sqltext.Parse(query).Cut()
	if len(args) > 0 || len(stmts) < 2 {
		return t.Tx.ExecContext(ctx, query, args...)
	}
	for _, stmt := range stmts {
		if res, err = t.Tx.ExecContext(ctx, stmt.SQL); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// watch looks whether the statement, at that line of the migration, relies on a foreign
// key's action. It returns the statement, if there is one.
func (r *replay) watch(m *migration, query string, line int) (*statement, error) {
	text := &migration{name: m.name}
	text.parse(query)
	if len(text.statements) == 0 {
		return nil, nil
	}
	s := text.statements[0]
	before := len(r.cascades.found)
	err := r.cascades.inspect(r.conn, s)
	for i := range r.cascades.found[before:] {
		f := &r.cascades.found[before+i]
		f.Line, f.Col = line, 0 // and not in its text
	}
	return s, err
}

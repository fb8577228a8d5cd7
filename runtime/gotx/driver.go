package gotx

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"strconv"
)

// The guard is the driver, its only connection, and the transaction, which is open already.
var _ interface {
	driver.Connector
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Tx
} = (*guard)(nil)

func (g *guard) Connect(context.Context) (driver.Conn, error) { return g, nil }
func (g *guard) Driver() driver.Driver                        { return nil }
func (g *guard) Begin() (driver.Tx, error)                    { return g, nil }
func (g *guard) Commit() error                                { return nil }
func (g *guard) Rollback() error                              { return nil }
func (g *guard) Close() error                                 { return nil }

// CheckNamedValue leaves arguments to [convert], so that the statement is named if one is
// refused.
func (g *guard) CheckNamedValue(*driver.NamedValue) error { return nil }

func (g *guard) Prepare(query string) (driver.Stmt, error) {
	return g.PrepareContext(context.Background(), query)
}

func (g *guard) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	limited, cancel := g.within(ctx)
	defer cancel()
	st := &guardedStmt{guard: g, query: query}
	err := st.do(func() (err error) {
		if on, ok := g.on.(driver.ConnPrepareContext); ok {
			st.real, err = on.PrepareContext(limited, query)
		} else {
			st.real, err = g.on.Prepare(query)
		}
		if err == nil {
			g.opened(&st.prepared, st.real, false)
		}
		return err
	})
	return st, err
}

// ExecContext has package database/sql prepare the query if the driver wants that.
func (g *guard) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if _, ok := g.on.(driver.ExecerContext); !ok || len(args) > 0 && g.prepares.Load() {
		return nil, driver.ErrSkip
	}
	return (&guardedStmt{guard: g, query: query}).ExecContext(ctx, args)
}

// QueryContext has package database/sql prepare the query if the driver wants that.
func (g *guard) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if _, ok := g.on.(driver.QueryerContext); !ok || len(args) > 0 && g.prepares.Load() {
		return nil, driver.ErrSkip
	}
	return (&guardedStmt{guard: g, query: query}).QueryContext(ctx, args)
}

// A guardedStmt is a statement of the migration. To package database/sql it is a driver's.
type guardedStmt struct {
	*guard
	query    string
	real     driver.Stmt // of the upgrade's connection; nil if not prepared
	prepared resource    // the same
}

var _ interface {
	driver.StmtExecContext
	driver.StmtQueryContext
} = (*guardedStmt)(nil)

// do is [guard.do] for a statement that is about to be prepared or executed. (No f outlives it,
// so that Go need not allocate them.)
func (st *guardedStmt) do(f func() error) error {
	return st.guard.do(st.query, func() (err error) {
		after := func(err error) error { return err }
		if st.Before != nil {
			if after, err = st.Before(st.query); err != nil {
				return err
			}
		}
		if st.real == nil {
			err = st.check(st.query)
		}
		if err == nil {
			err = f()
		}
		return after(err)
	})
}

func (st *guardedStmt) Close() error { return st.release(&st.prepared, st.query) }

// NumInput leaves it to [convert] to count them.
func (st *guardedStmt) NumInput() int { return -1 }

func (st *guardedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	limited, cancel := st.within(ctx)
	defer cancel()
	err = st.do(func() error {
		err := st.convert(args)
		if err != nil {
			return err
		}
		switch real := st.real.(type) {
		case nil:
			res, err = st.on.(driver.ExecerContext).ExecContext(limited, st.query, args)
		case driver.StmtExecContext:
			res, err = real.ExecContext(limited, args)
		case interface {
			Exec([]driver.Value) (driver.Result, error)
		}:
			res, err = real.Exec(values(args))
		}
		return err
	})
	return res, err
}

// QueryContext returns rows that are read with the context until they are closed.
func (st *guardedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	limited, cancel := st.within(ctx)
	r := &guardedRows{guardedStmt: st, cancel: cancel}
	err := st.do(func() error {
		err := st.convert(args)
		if err != nil {
			return err
		}
		switch real := st.real.(type) {
		case nil:
			r.real, err = st.on.(driver.QueryerContext).QueryContext(limited, st.query, args)
		case driver.StmtQueryContext:
			r.real, err = real.QueryContext(limited, args)
		case interface {
			Query([]driver.Value) (driver.Rows, error)
		}:
			r.real, err = real.Query(values(args))
		}
		if err != nil {
			return err
		}
		r.columns = r.real.Columns()
		var open io.Closer = r.real
		if st.Whole {
			open, err = io.NopCloser(nil), r.readWhole(limited)
		}
		if err == nil {
			st.opened(&r.reading, open, true)
		}
		return err
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return r, nil
}

// convert makes of arguments what the driver takes, as package database/sql does.
func (st *guardedStmt) convert(args []driver.NamedValue) error {
	checker, ok := st.real.(driver.NamedValueChecker)
	if !ok {
		checker, ok = st.on.(driver.NamedValueChecker)
	}
	for i := range args {
		arg, err := &args[i], driver.ErrSkip
		if ok {
			err = checker.CheckNamedValue(arg)
		}
		if err == driver.ErrSkip {
			arg.Value, err = driver.DefaultParameterConverter.ConvertValue(arg.Value)
		}
		if err != nil {
			name := "$" + strconv.Itoa(arg.Ordinal)
			if arg.Name != "" {
				name = "with name " + strconv.Quote(arg.Name)
			}
			return fmt.Errorf("sql: converting argument %s type: %w", name, err)
		}
	}
	if st.real != nil {
		if n := st.real.NumInput(); n >= 0 && n != len(args) {
			return fmt.Errorf("sql: expected %d arguments, got %d", n, len(args))
		}
	}
	return nil
}

// values is for drivers of before contexts and names.
func values(args []driver.NamedValue) []driver.Value {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		values[i] = arg.Value
	}
	return values
}

// Package database/sql does not call Exec and Query.
func (st *guardedStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (st *guardedStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

// guardedRows are rows of the migration. To package database/sql they are a driver's.
type guardedRows struct {
	*guardedStmt
	real    driver.Rows
	reading resource // the same
	cancel  context.CancelFunc
	columns []string
	rows    [][]driver.Value // with [Upgrade.Whole]: those that are left
}

func (r *guardedRows) Columns() []string { return r.columns }

func (r *guardedRows) Close() error {
	defer r.cancel()
	return r.release(&r.reading, r.query)
}

// Next returns what the migration may look at, as at an [sql.RawBytes], when the rows are closed.
func (r *guardedRows) Next(dest []driver.Value) error {
	return r.guard.do(r.query, func() error {
		if !r.Whole {
			return r.read(dest)
		}
		if len(r.rows) == 0 {
			return io.EOF
		}
		copy(dest, r.rows[0])
		r.rows = r.rows[1:]
		return nil
	})
}

// read reads the next row into copies of the driver's memory.
func (r *guardedRows) read(dest []driver.Value) error {
	err := r.real.Next(dest)
	for i, v := range dest {
		if b, ok := v.([]byte); ok && err == nil {
			dest[i] = bytes.Clone(b)
		}
	}
	return err
}

// readWhole reads the rows, and closes them. The driver may not look at the context.
func (r *guardedRows) readWhole(ctx context.Context) error {
	defer r.real.Close()
	err := ctx.Err()
	for err == nil {
		row := make([]driver.Value, len(r.columns))
		if err = r.read(row); err == nil {
			r.rows = append(r.rows, row)
			err = ctx.Err()
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

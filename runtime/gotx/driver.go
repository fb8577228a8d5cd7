package gotx

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
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

// CheckNamedValue leaves arguments to the upgrade's connection.
func (g *guard) CheckNamedValue(*driver.NamedValue) error { return nil }

func (g *guard) Prepare(query string) (driver.Stmt, error) {
	return g.PrepareContext(context.Background(), query)
}

func (g *guard) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	ctx, cancel := g.within(ctx)
	defer cancel()
	st := &guardedStmt{guard: g, query: query}
	err := st.do(func() (err error) {
		if st.real, err = g.on.PrepareContext(ctx, query); err == nil {
			g.open[st.real] = true
		}
		return err
	})
	return st, err
}

func (g *guard) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return (&guardedStmt{guard: g, query: query}).ExecContext(ctx, args)
}

func (g *guard) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return (&guardedStmt{guard: g, query: query}).QueryContext(ctx, args)
}

// A guardedStmt is a statement of the migration. To package database/sql it is a driver's.
type guardedStmt struct {
	*guard
	query string
	real  *sql.Stmt // of the upgrade's connection; nil if not prepared
}

var _ interface {
	driver.StmtExecContext
	driver.StmtQueryContext
} = (*guardedStmt)(nil)

// do is [guard.do] for a statement that is about to be prepared or executed.
func (st *guardedStmt) do(f func() error) error {
	run := func() (err error) {
		if st.real == nil {
			err = st.check(st.query)
		}
		if err == nil {
			err = f()
		}
		return err
	}
	return st.guard.do(st.query, func() error { return st.Around(st.query, run) })
}

func (st *guardedStmt) Close() error { return st.release(st.real, st.query) }

// NumInput leaves it to the real statement to count them.
func (st *guardedStmt) NumInput() int { return -1 }

func (st *guardedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	ctx, cancel := st.within(ctx)
	defer cancel()
	err = st.do(func() (err error) {
		if st.real != nil {
			res, err = st.real.ExecContext(ctx, values(args)...)
		} else {
			res, err = st.on.ExecContext(ctx, st.query, values(args)...)
		}
		return err
	})
	return res, err
}

// QueryContext returns rows that are read with the context until they are closed.
func (st *guardedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows := &guardedRows{guardedStmt: st}
	ctx, rows.cancel = st.within(ctx)
	err := st.do(func() (err error) {
		if st.real != nil {
			rows.real, err = st.real.QueryContext(ctx, values(args)...)
		} else {
			rows.real, err = st.on.QueryContext(ctx, st.query, values(args)...)
		}
		if err != nil {
			return err
		}
		st.open[rows.real] = true
		rows.columns, err = rows.real.Columns()
		return err
	})
	if err != nil {
		rows.cancel()
		return nil, err
	}
	rows.row, rows.to = make([]any, len(rows.columns)), make([]any, len(rows.columns))
	for i := range rows.row {
		rows.to[i] = &rows.row[i]
	}
	return rows, nil
}

// Package database/sql does not call Exec and Query.
func (st *guardedStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (st *guardedStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

// values returns arguments as ExecContext and QueryContext take them.
func values(args []driver.NamedValue) []any {
	values := make([]any, len(args))
	for i, arg := range args {
		values[i] = arg.Value
		if arg.Name != "" {
			values[i] = sql.Named(arg.Name, arg.Value)
		}
	}
	return values
}

// guardedRows are rows of the migration. To package database/sql they are a driver's.
type guardedRows struct {
	*guardedStmt
	real    *sql.Rows
	cancel  context.CancelFunc
	columns []string
	row, to []any // values, and pointers to them
}

func (r *guardedRows) Columns() []string { return r.columns }

func (r *guardedRows) Close() error {
	defer r.cancel()
	return r.release(r.real, r.query)
}

func (r *guardedRows) Next(dest []driver.Value) error {
	return r.guard.do(r.query, func() error {
		if !r.real.Next() {
			return cmp.Or(r.real.Err(), io.EOF)
		}
		err := r.real.Scan(r.to...)
		for i, v := range r.row {
			dest[i] = v
		}
		return err
	})
}

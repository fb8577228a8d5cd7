package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// A DB is a *sql.DB, *sql.Conn or *sql.Tx, or what can read one row at a time as they do.
type DB interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Scan is [sql.Rows.Scan], for the types that are read here.
type Scan = func(dest ...any) error

// Each calls row for each row of a query. It closes the rows before it returns. row does not
// use the database.
func Each(ctx context.Context, db DB, query string, row func(scan Scan) error) error {
	if conn, ok := db.(*sql.Conn); ok {
		if asked, err := eachOf(ctx, conn, query, row); asked || err != nil {
			return err
		}
	}
	all, ok := db.(interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	})
	if !ok {
		return oneByOne(ctx, db, query, row)
	}
	rows, err := all.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

// oneByOne is Each for a SELECT without a limit, in a transaction.
func oneByOne(ctx context.Context, db DB, query string, row func(scan Scan) error) (err error) {
	for n := 0; err == nil; n++ {
		err = row(db.QueryRowContext(ctx, query+" LIMIT 1 OFFSET "+strconv.Itoa(n)).Scan)
	}
	if err == sql.ErrNoRows {
		return nil
	}
	return err
}

// Read reads the first row that a query returns.
func Read(ctx context.Context, db DB, query string, dest ...any) error {
	found := false
	err := Each(ctx, db, query, func(scan Scan) error {
		if found {
			return nil
		}
		found = true
		return scan(dest...)
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return err
}

// Lines returns the rows of a query, each as SQLite's shell prints it: the values separated
// by "|", and nothing for NULL. Its arguments are what the query returned.
func Lines(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	lines, values, dest := []string{}, make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		line := values[0].String
		for _, v := range values[1:] {
			line += "|" + v.String
		}
		lines = append(lines, line)
	}
	return lines, rows.Err()
}

// eachOf is Each without package database/sql, which starts a goroutine for each query whose
// context can end. That takes as long as a short query; the drivers look at the context
// themselves. asked is false if this one lacks the methods.
func eachOf(ctx context.Context, conn *sql.Conn, query string, row func(scan Scan) error) (asked bool, err error) {
	err = conn.Raw(func(on any) error {
		rows, stmt, err := ask(ctx, on, query)
		if asked = err != nil || rows != nil; err != nil || rows == nil {
			return err
		}
		values := make([]driver.Value, len(rows.Columns()))
		scan := func(dest ...any) error { return scan(dest, values) }
		for err == nil {
			if err = ctx.Err(); err == nil {
				err = rows.Next(values)
			}
			if err == nil {
				err = row(scan)
			}
		}
		closed := rows.Close() // once: not every driver allows it twice
		if stmt != nil {
			stmt.Close()
		}
		if err == io.EOF {
			err = closed
		}
		return err
	})
	return asked, err
}

// ask has a connection of a driver run a query. It returns nil if the driver lacks the methods.
func ask(ctx context.Context, on any, query string) (rows driver.Rows, stmt driver.Stmt, err error) {
	if on, ok := on.(driver.QueryerContext); ok {
		if rows, err = on.QueryContext(ctx, query, nil); err != driver.ErrSkip {
			return rows, nil, err
		}
	}
	prepares, ok := on.(driver.ConnPrepareContext)
	if !ok {
		return nil, nil, nil
	}
	if stmt, err = prepares.PrepareContext(ctx, query); err != nil {
		return nil, nil, err
	}
	if queries, ok := stmt.(driver.StmtQueryContext); ok {
		rows, err = queries.QueryContext(ctx, nil)
	}
	if err != nil || rows == nil {
		stmt.Close()
	}
	return rows, stmt, err
}

// scan converts values as [sql.Rows.Scan] does.
func scan(dest []any, values []driver.Value) error {
	if len(dest) != len(values) {
		return fmt.Errorf("%d destinations for %d columns", len(dest), len(values))
	}
	for i, value := range values {
		err, known := error(nil), true
		switch to := dest[i].(type) {
		case sql.Scanner:
			err = to.Scan(value)
		case *any:
			*to = value
			if b, ok := value.([]byte); ok { // which the driver may use again
				*to = slices.Clone(b)
			}
		case *string:
			if *to, known = value.(string); !known {
				var text sql.NullString
				err = text.Scan(value)
				*to, known = text.String, text.Valid
			}
		case *int:
			var number sql.NullInt64
			err = number.Scan(value)
			*to, known = int(number.Int64), number.Valid
		case *int64:
			var number sql.NullInt64
			err = number.Scan(value)
			*to, known = number.Int64, number.Valid
		default:
			known = false
		}
		if err == nil && !known {
			err = fmt.Errorf("cannot convert %T to %T", value, dest[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

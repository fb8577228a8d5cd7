package database

import (
	"context"
	"database/sql"
)

type DB struct{ db *sql.DB }

func (d *DB) Each(ctx context.Context, f func(*sql.Rows) error, query string, args ...any) error { // want Each:"wrapper"
	return d.each(ctx, f, query, args)
}

func (d *DB) each(ctx context.Context, f func(*sql.Rows) error, query string, args []any) error { // want each:"wrapper"
	rows, err := d.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return f(rows)
}

func One[T any](d *DB, query string, args ...any) (v T, err error) { // want One:"wrapper"
	return v, d.db.QueryRow(query, args...).Scan(&v)
}

func (d *DB) Row(query string, args ...any) *sql.Row { // want Row:"wrapper"
	return d.db.QueryRow(query, args...)
}

func (d *DB) Limited(query string, args ...any) *sql.Row {
	query += " LIMIT 1"
	return d.db.QueryRow(query, args...)
}

func (d *DB) Named(name string) *sql.Row {
	return d.db.QueryRow(map[string]string{}[name])
}

package bun

import "database/sql"

type DB struct{ *sql.DB }

type Ident string

func (Ident) AppendQuery([]byte) ([]byte, error) { return nil, nil }

type RawQuery struct{}

func (*DB) NewRaw(query string, args ...any) *RawQuery         { return nil }
func (*DB) Exec(query string, args ...any) (sql.Result, error) { return nil, nil }
func (*DB) QueryRow(query string, args ...any) *sql.Row        { return nil }

package gorm

import _ "database/sql"

type DB struct{}

func (*DB) Raw(sql string, values ...any) *DB  { return nil }
func (*DB) Exec(sql string, values ...any) *DB { return nil }
func (*DB) Scan(dest any) *DB                  { return nil }

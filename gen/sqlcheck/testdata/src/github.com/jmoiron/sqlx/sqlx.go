package sqlx

import "database/sql"

type DB struct{ *sql.DB }

func (*DB) Get(dest any, query string, args ...any) error       { return nil }
func (*DB) Select(dest any, query string, args ...any) error    { return nil }
func (*DB) NamedExec(query string, arg any) (sql.Result, error) { return nil, nil }
func (*DB) NamedQuery(query string, arg any) (*Rows, error)     { return nil, nil }
func (*DB) Queryx(query string, args ...any) (*Rows, error)     { return nil, nil }
func (*DB) QueryRowx(query string, args ...any) *Row            { return nil }
func (*DB) MustExec(query string, args ...any) sql.Result       { return nil }
func In(query string, args ...any) (string, []any, error)       { return "", nil, nil }
func Get(q any, dest any, query string, args ...any) error      { return nil }

func (*DB) Rebind(query string) string                             { return "" }
func (*DB) BindNamed(query string, arg any) (string, []any, error) { return "", nil, nil }
func Named(query string, arg any) (string, []any, error)           { return "", nil, nil }

func (*DB) Unsafe() *DB { return nil }

type Rows struct{ *sql.Rows }

type Row struct{}

func (*Row) Scan(dest ...any) error { return nil }

func (*Rows) StructScan(dest any) error { return nil }
func (*Row) StructScan(dest any) error  { return nil }

type Stmt struct{ *sql.Stmt }

func (*DB) Preparex(query string) (*Stmt, error)          { return nil, nil }
func (*Stmt) Get(dest any, args ...any) error             { return nil }
func (*Stmt) Select(dest any, args ...any) error          { return nil }
func (*Stmt) Queryx(args ...any) (*Rows, error)           { return nil, nil }
func (*DB) PrepareNamed(query string) (*NamedStmt, error) { return nil, nil }

type NamedStmt struct{}

func (*NamedStmt) Exec(arg any) (sql.Result, error) { return nil, nil }
func (*NamedStmt) Get(dest any, arg any) error      { return nil }
func (*NamedStmt) QueryRowx(arg any) *Row           { return nil }

package sqlitex

import "zombiezen.com/go/sqlite"

type ExecOptions struct {
	Args       []any
	Named      map[string]any
	ResultFunc func(*sqlite.Stmt) error
}

func Execute(conn *sqlite.Conn, query string, opts *ExecOptions) error { return nil }
func ExecuteScript(conn *sqlite.Conn, queries string, opts *ExecOptions) error {
	return nil
}
func Exec(conn *sqlite.Conn, query string, resultFn func(*sqlite.Stmt) error, args ...any) error {
	return nil
}

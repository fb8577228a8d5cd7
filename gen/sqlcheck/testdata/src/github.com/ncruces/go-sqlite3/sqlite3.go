package sqlite3

type Conn struct{}

type Stmt struct{}

func (*Conn) Exec(sql string) error                                   { return nil }
func (*Conn) Prepare(sql string) (stmt *Stmt, tail string, err error) { return nil, "", nil }

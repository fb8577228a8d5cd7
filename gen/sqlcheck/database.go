package sqlcheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A database is an empty one in memory that has the tables of a schema, or of
// several.
type database struct {
	conn    *sqlite3.Conn
	name    string          // "version 0007"
	known   map[string]bool // tables, views and columns, in lower case
	unknown map[string]bool // what SQLite could not make here, in lower case
	stubs   []string        // functions that SQLite does not have
}

// A fault is why SQLite does not prepare a statement.
type fault struct {
	offset   int // in the statement
	sentence string
}

// open opens a database for each schema and, if there are several, one that
// has the tables of all. A schema that cannot be read leaves none.
func (c *checker) open() []*database {
	if c.opened {
		return c.databases
	}
	c.opened = true
	var names []string
	var all []sqltext.Object
	for _, s := range c.schemas {
		objects, err := sqltext.ParseSchema(s.SQL)
		if err != nil {
			continue
		}
		name := fmt.Sprintf("version %04d", s.Version)
		if len(c.schemas) > 1 {
			name += " of " + s.Package
		}
		names = append(names, name)
		all = append(all, objects...)
		if d, err := openDatabase(name, objects); err == nil {
			c.databases = append(c.databases, d)
		}
	}
	if len(names) > 1 {
		if d, err := openDatabase(strings.Join(names, " and "), all); err == nil {
			c.databases = append(c.databases, d)
		}
	}
	return c.databases
}

func (c *checker) close() {
	for _, d := range c.databases {
		d.conn.Close()
	}
}

func openDatabase(name string, objects []sqltext.Object) (*database, error) {
	conn, err := sqlite3.OpenContext(context.Background(), ":memory:")
	if err != nil {
		return nil, err
	}
	d := &database{conn: conn, name: name, known: map[string]bool{}, unknown: map[string]bool{"_lockstep_history": true}}
	_, dml := conn.Config(sqlite3.DBCONFIG_DQS_DML, false)
	err = errors.Join(dml,
		// Other builds of SQLite have these two built in.
		fts5.Register(conn), rtree.Register(conn),
		// What a collation does makes no difference here.
		conn.AnyCollationNeeded(),
		// Programs may ask for their version.
		conn.Exec("CREATE TABLE _meta (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL DEFAULT 0)"))
	if err != nil {
		conn.Close()
		return nil, err
	}
	for _, o := range objects {
		if d.make(o.SQL) != nil {
			// An index that is missing would be missed by ON CONFLICT.
			d.unknown[sqltext.Fold(o.Name)] = true
			d.unknown[sqltext.Fold(o.Table)] = true
		}
	}
	d.learnNames()
	return d, nil
}

// make executes a statement of the schema.
func (d *database) make(sql string) error {
	err := d.conn.Exec(sql)
	for err != nil && d.stub(sqlite.Sentence(err)) {
		err = d.conn.Exec(sql)
	}
	return err
}

// stub gives SQLite a function, if the sentence is that it has none of that name,
// so that it can read on. It returns false if there is nothing to gain.
func (d *database) stub(sentence string) bool {
	name, ok := strings.CutPrefix(sentence, "no such function: ")
	if !ok || slices.Contains(d.stubs, sqltext.Fold(name)) {
		return false
	}
	d.stubs = append(d.stubs, sqltext.Fold(name))
	return d.conn.CreateFunction(name, -1, sqlite3.DETERMINISTIC|sqlite3.INNOCUOUS,
		func(sqlite3.Context, ...sqlite3.Value) {}) == nil
}

// isUnknown reports whether SQLite could not make the table here, or the virtual
// table that keeps its content in it.
func (d *database) isUnknown(name string) bool {
	for i := range len(name) {
		if name[i] == '_' && d.unknown[name[:i]] {
			return true
		}
	}
	return d.unknown[name]
}

func (d *database) learnNames() {
	stmt, _, err := d.conn.Prepare(`SELECT t.name, c.name FROM pragma_table_list AS t
		LEFT JOIN pragma_table_xinfo(t.name) AS c WHERE t.schema = 'main'`)
	if err != nil {
		return // a view that SQLite cannot read
	}
	defer stmt.Close()
	for stmt.Step() {
		d.known[sqltext.Fold(stmt.ColumnText(0))] = true
		d.known[sqltext.Fold(stmt.ColumnText(1))] = true
	}
}

// prepare has SQLite read one statement. The caller closes the result.
func (d *database) prepare(sql string) (*sqlite3.Stmt, *fault) {
	stmt, _, err := d.conn.Prepare(sql)
	for err != nil && d.stub(sqlite.Sentence(err)) {
		stmt, _, err = d.conn.Prepare(sql)
	}
	if err == nil {
		return stmt, nil
	}
	f := &fault{sentence: sqlite.Sentence(err)}
	var e *sqlite3.Error
	if errors.As(err, &e) && e.SQL() != "" {
		f.offset = len(sql) - len(e.SQL())
	} else {
		f.offset = locate(sql, f.sentence)
	}
	return nil, f
}

// locate returns the offset of what the sentence is about, where SQLite does not
// tell, or of the first word.
func locate(sql, sentence string) int {
	if sentence == "incomplete input" {
		return len(strings.TrimRight(sql, " \t\r\n"))
	}
	name := ""
	switch words := strings.Fields(sentence); {
	case strings.HasPrefix(sentence, "no such ") && strings.Contains(sentence, ": "):
		_, name, _ = strings.Cut(sentence, ": ")
		name = name[strings.LastIndexByte(name, '.')+1:]
	case strings.Contains(sentence, " has no column named "):
		name = words[len(words)-1]
	case strings.HasPrefix(sentence, "cannot modify "), strings.HasPrefix(sentence, "table ") && strings.Contains(sentence, " may not be modified"):
		if name = words[1]; words[0] == "cannot" {
			name = words[2]
		}
	case strings.HasPrefix(sentence, "cannot INSERT into generated column"), strings.HasPrefix(sentence, "cannot UPDATE generated column"):
		name = words[len(words)-1]
	case strings.HasPrefix(sentence, "ON CONFLICT clause"):
		name = "conflict"
	case strings.Contains(sentence, " values for "), strings.HasSuffix(sentence, " values were supplied"):
		name = "values"
	}
	stmts := split(sql)
	if len(stmts) == 0 {
		return 0
	}
	s := stmts[0]
	table := strings.HasPrefix(sentence, "no such table")
	best, offset := 0, s.Tokens[0].Pos
	for i, t := range s.Tokens {
		rank := 0
		switch {
		case s.Name(i) != sqltext.Name(name):
		case t.Kind == sqltext.String:
			rank = 1
		case table && !s.afterFrom(i):
			rank = 2
		default:
			rank = 3
		}
		if rank > best {
			best, offset = rank, t.Pos
		}
	}
	return s.offset + offset
}

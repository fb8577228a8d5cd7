package sqlcheck

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A database is in memory, and has the tables of one or more schemas.
type database struct {
	conn    *sqlite3.Conn
	name    string          // "version 0007"
	tables  map[string]bool // whether a table is STRICT, by its name in lower case
	known   map[string]bool // tables, views and columns, in lower case
	unknown map[string]bool // what SQLite could not create here, in lower case
	stubs   []string        // functions that SQLite lacks
	added   string          // see [addedColumns]
}

// open opens a database for each schema that it can read and, if there are several,
// one with the tables of all.
func (c *checker) open() []*database {
	if c.opened {
		return c.databases
	}
	c.opened = true
	open := func(name, added string, objects []sqltext.Object) {
		if d, err := openDatabase(name, objects); err == nil {
			d.added = added
			c.databases = append(c.databases, d)
		}
	}
	var names []string
	var all []sqltext.Object
	added := ""
	for _, s := range c.schemas {
		objects, err := sqltext.ParseSchema(s.SQL)
		if err != nil {
			continue
		}
		name := fmt.Sprintf("version %04d", s.Version)
		if len(c.schemas) > 1 {
			name += " of " + s.Package
		}
		open(name, s.Added, objects)
		names, all, added = append(names, name), append(all, objects...), added+s.Added
	}
	if len(names) > 1 {
		open(strings.Join(names, " and "), added, all)
	}
	return c.databases
}

func (c *checker) close() {
	for _, d := range c.databases {
		d.conn.Close()
	}
}

func openDatabase(name string, objects []sqltext.Object) (*database, error) {
	conn, err := sqlite3.Open(":memory:")
	if err != nil {
		return nil, err
	}
	d := &database{conn: conn, name: name, tables: map[string]bool{}, known: map[string]bool{}, unknown: map[string]bool{"_lockstep_history": true}}
	err = errors.Join(engine.Prepare(conn), engine.DoubleQuotes(conn, false),
		// What a collation does makes no difference here.
		conn.AnyCollationNeeded(),
		// Programs may ask for their version.
		conn.Exec("CREATE TABLE _meta (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL DEFAULT 0)"))
	if err != nil {
		conn.Close()
		return nil, err
	}
	for _, o := range objects {
		stmt, err := d.prepare(o.SQL)
		if err != nil || errors.Join(stmt.Exec(), stmt.Close()) != nil {
			// ON CONFLICT needs the indexes of its table.
			d.unknown[sqltext.Fold(o.Name)] = true
			d.unknown[sqltext.Fold(o.Table)] = true
		}
	}
	d.learnNames()
	return d, nil
}

// prepare has SQLite prepare a statement, with stubs for the functions that it lacks.
func (d *database) prepare(sql string) (*sqlite3.Stmt, error) {
	stmt, _, err := d.conn.Prepare(sql)
	for err != nil && d.stub(sqlite.Sentence(err)) {
		stmt, _, err = d.conn.Prepare(sql)
	}
	return stmt, err
}

// stub gives SQLite the function that it lacks, if that is what the sentence says, and
// reports whether it did.
func (d *database) stub(sentence string) bool {
	name, ok := strings.CutPrefix(sentence, "no such function: ")
	if !ok || slices.Contains(d.stubs, sqltext.Fold(name)) {
		return false
	}
	d.stubs = append(d.stubs, sqltext.Fold(name))
	return d.conn.CreateFunction(name, -1, sqlite3.DETERMINISTIC|sqlite3.INNOCUOUS,
		func(sqlite3.Context, ...sqlite3.Value) {}) == nil
}

// isUnknown reports whether SQLite could not create the table here, or the virtual
// table of which it may be a shadow table.
func (d *database) isUnknown(name string) bool {
	for i := range len(name) {
		if name[i] == '_' && d.unknown[name[:i]] {
			return true
		}
	}
	return d.unknown[name]
}

func (d *database) learnNames() {
	// It ends at a view that SQLite cannot read.
	engine.Each(d.conn, func(row *sqlite3.Stmt) {
		d.known[sqltext.Fold(row.ColumnText(0))] = true
		d.known[sqltext.Fold(row.ColumnText(1))] = true
		if row.ColumnBool(2) {
			d.tables[sqltext.Fold(row.ColumnText(0))] = row.ColumnBool(3)
		}
	}, `SELECT t.name, c.name, t.type = 'table', t.strict FROM pragma_table_list AS t
		LEFT JOIN pragma_table_xinfo(t.name) AS c WHERE t.schema = 'main'`)
}

// A reading is what SQLite says of a statement that it has prepared.
type reading struct {
	name    string   // of the database
	params  []string // ":tag", "?5", or "" for one without a name
	columns []resultColumn
	missing []string // columns that are NOT NULL and get no value: "notes.title"
	ignores bool     // it is INSERT OR IGNORE
	quoted  *fault   // a string in double quotes, which not every driver accepts
}

// readings has SQLite prepare a statement in each database. If it does so in none, fault is why
// not in the last, which has the tables of all.
func (c *checker) readings(s statement) (all []*reading, fault *fault) {
	for _, d := range c.databases {
		r, f := d.read(s)
		if f == nil {
			all = append(all, r)
		}
		fault = f
	}
	return all, fault
}

// read has SQLite prepare a statement.
func (d *database) read(s statement) (*reading, *fault) {
	r := &reading{name: d.name}
	stmt, err := d.prepare(s.Text)
	if engine.MeansString(err) {
		r.quoted = d.fault(s, err)
		engine.DoubleQuotes(d.conn, true)
		stmt, err = d.prepare(s.Text)
		engine.DoubleQuotes(d.conn, false)
	}
	if err != nil {
		return nil, d.fault(s, err)
	}
	defer stmt.Close()
	r.columns = d.results(s, stmt)
	for i := range stmt.BindCount() {
		r.params = append(r.params, stmt.BindName(i+1))
	}
	r.missing, r.ignores = d.missing(s)
	return r, nil
}

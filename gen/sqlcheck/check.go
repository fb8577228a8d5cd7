package sqlcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// check has SQLite read a query, and compares what the program does with it with
// what SQLite says of it.
func (c *checker) check(q *query) {
	databases := c.open()
	if len(databases) == 0 {
		c.skip(q.At, "SchemaSQL cannot be read")
		return
	}
	stmts := split(q.Text.SQL)
	if why := c.unknown(q, databases, stmts); why != "" {
		c.skip(q.At, why)
		return
	}
	if len(q.Text.Holes) > 0 {
		c.fill(q, databases)
		return
	}
	if len(stmts) > 1 {
		c.several(q, stmts[1].offset)
	}
	for _, s := range stmts {
		if !s.reads() {
			c.skip(q.Text.place(s.offset), strings.ToUpper(s.keyword)+" is not a statement that is checked")
			continue
		}
		c.statement(q, s, databases, len(stmts) == 1)
	}
}

// unknown returns why SQLite cannot be asked about the query: most often, it names
// something that SQLite does not have here, and the program does.
func (c *checker) unknown(q *query, databases []*database, stmts []statement) string {
	if strings.IndexByte(q.Text.SQL, 0) >= 0 {
		return "SQLite stops reading at a NUL"
	}
	for _, s := range stmts {
		for _, name := range s.names() {
			if slices.Contains(c.reach.Owns, name) {
				return "the program itself creates " + name
			}
			for _, d := range databases {
				if d.unknown[name] {
					return "SQLite cannot make " + name + " here"
				}
			}
		}
	}
	return ""
}

// several reports a second statement, if it is known to be refused: the driver of
// ncruces does, but for Exec without arguments. The others run it.
func (c *checker) several(q *query, offset int) {
	others := func(path string) bool { return !strings.HasPrefix(path, ncrucesPath) }
	if !slices.Contains(c.reach.Drivers, ncrucesPath+"/driver") || slices.ContainsFunc(c.reach.Drivers, others) {
		return
	}
	args := false
	for _, a := range q.Calls {
		args = args || a.Count > 0
	}
	switch {
	case !q.Several:
		c.complain(q, "several", offset, "second statement: the driver takes one")
	case args:
		c.complain(q, "several", offset, "second statement: the driver takes one when there are arguments")
	}
}

// statement checks one statement of the query. Against several schemas it is wrong
// only if it is wrong with each of them, and with all their tables together.
func (c *checker) statement(q *query, s statement, databases []*database, alone bool) {
	var readings []*reading
	var last *fault
	for _, d := range databases {
		r, f := d.read(s)
		if f == nil {
			readings = append(readings, r)
		} else {
			last = f
		}
	}
	if len(readings) == 0 {
		d := databases[len(databases)-1]
		if why := c.silent(d, s, last); why != "" {
			c.skip(q.At, why)
			return
		}
		c.complain(q, "sql", s.offset+last.offset, "at "+d.name+": "+last.sentence)
		return
	}
	// What is said must be true whichever of the schemas is meant.
	for _, m := range readings[0].missing {
		if everywhere(readings, func(r *reading) bool { return slices.Contains(r.missing, m) }) {
			c.complain(q, "notnull", s.offset, fmt.Sprintf("at %s: NOT NULL constraint failed: %s: the INSERT gives it no value", readings[0].name, m))
		}
	}
	if !alone {
		return // whose the arguments are depends on the driver
	}
	for _, a := range q.Calls {
		for _, wrong := range a.wrong(readings[0]) {
			if everywhere(readings, func(r *reading) bool { return slices.Contains(a.wrong(r), wrong) }) {
				c.report(q, "args", a.Place, wrong)
			}
		}
	}
	for _, scan := range q.Scans {
		wrong := scan.wrong(readings[0])
		if wrong != "" && everywhere(readings, func(r *reading) bool { return scan.wrong(r) == wrong }) {
			c.report(q, "scan", scan.Place, wrong)
		}
	}
}

func everywhere(readings []*reading, so func(*reading) bool) bool {
	return !slices.ContainsFunc(readings, func(r *reading) bool { return !so(r) })
}

// A reading is what SQLite says of a statement that it has prepared.
type reading struct {
	name    string   // of the database
	params  []string // ":tag", "?5", or "" for one without a name
	columns int
	missing []string // columns that are NOT NULL and get no value: "notes.title"
}

func (d *database) read(s statement) (*reading, *fault) {
	stmt, f := d.prepare(s.Text)
	if f != nil {
		return nil, f
	}
	defer stmt.Close()
	r := &reading{name: d.name, columns: stmt.ColumnCount()}
	for i := range stmt.BindCount() {
		r.params = append(r.params, stmt.BindName(i+1))
	}
	if s.inserts() {
		r.missing = d.missing(s)
	}
	return r, nil
}

// wrong returns what is wrong with the arguments of a call.
func (a *arguments) wrong(r *reading) []string {
	if len(a.Names) == 0 {
		if a.Count == len(r.params) {
			return nil
		}
		return []string{fmt.Sprintf("call has %s for %s", count(a.Count, "argument"), count(len(r.params), "parameter"))}
	}
	var all []string
	given := map[string]bool{}
	for _, name := range a.Names {
		given[name] = true
		if !slices.ContainsFunc(r.params, func(p string) bool { return p != "" && p[0] != '?' && p[1:] == name }) {
			all = append(all, fmt.Sprintf("argument %q names no parameter", name))
		}
	}
	if a.Count > len(a.Names) {
		return all // which of the parameters the others are for, nobody can tell
	}
	for i, p := range r.params {
		switch {
		case p == "" || p[0] == '?':
			all = append(all, fmt.Sprintf("parameter ?%d has no argument", i+1))
		case !given[p[1:]]:
			all = append(all, "parameter "+p+" has no argument")
		}
	}
	return all
}

// wrong returns what is wrong with the destinations, or "".
func (s *scan) wrong(r *reading) string {
	switch {
	case r.columns == 0:
		return "Scan has " + count(s.Count, "destination") + ", and the statement returns no rows"
	case r.columns != s.Count:
		return "Scan has " + count(s.Count, "destination") + " for " + count(r.columns, "column")
	}
	return ""
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// silent returns why nothing is said about a fault, or "".
func (c *checker) silent(d *database, s statement, f *fault) string {
	for _, about := range [...]string{"no such module", "no such function", "no such collation", "unknown database", "no such vfs"} {
		if strings.HasPrefix(f.sentence, about) {
			return f.sentence
		}
	}
	if strings.HasSuffix(f.sentence, "should this be a string literal in single-quotes?") &&
		len(c.reach.Drivers) > 0 && !slices.Contains(c.reach.Drivers, ncrucesPath) && !slices.Contains(c.reach.Drivers, ncrucesPath+"/driver") {
		return "the driver takes text in double quotes for a string"
	}
	if name, ok := strings.CutPrefix(f.sentence, "no such table: "); ok {
		if schema, rest, ok := strings.Cut(name, "."); ok {
			if sqltext.Fold(schema) != "main" {
				return "schema " + schema + " is not main"
			}
			name = rest
		}
		switch {
		case d.isUnknown(sqltext.Fold(name)) || slices.Contains(c.reach.Owns, sqltext.Fold(name)):
			return name + " is not in SQLite here" // and in a trigger or a view
		case strings.HasPrefix(sqltext.Fold(name), "sqlite_") || sqltext.Fold(name) == "dbstat":
			return name + " is SQLite's"
		case strings.HasPrefix(sqltext.Fold(name), "_litestream_"):
			return name + " is Litestream's"
		case s.isCalled(f.offset):
			return name + " is a table-valued function"
		case slices.Contains(c.reach.Owns, attached):
			return "the program attaches another database, which may have " + name
		}
		return ""
	}
	if strings.HasSuffix(f.sentence, "syntax error") || strings.HasPrefix(f.sentence, "unrecognized token") {
		if mark := s.dialect(); mark != "" {
			return "SQL of another database: " + mark
		}
	}
	if !strings.HasPrefix(f.sentence, "no such column") {
		for _, name := range s.names() {
			if slices.Contains(d.stubs, name) {
				return "function " + name + " is not one of SQLite's"
			}
		}
	}
	return ""
}

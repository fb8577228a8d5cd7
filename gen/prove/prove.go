// Package prove is not for programs and promises nothing: it may change in any release.
//
// It runs a migration on tables with rows, and finds where it fails and what it takes from
// them without saying so. A migration has to be total: it succeeds on every database that
// the schema before it allows, and keeps what it does not say that it drops.
//
// What it finds is true: it has seen it happen in a database with the rows that it shows and
// no others. What it does not find may still be wrong.
package prove

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/lockstep-db/lockstep/runtime/rows"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A Migration is what is tried.
type Migration struct {
	Script     *sqltext.Script
	Statements []sqltext.Statement
	Alone      bool         // it runs outside of a transaction
	Run        func() error // runs it on the database if it is a program, which has no statements
	Slow       bool         // it starts a process
}

// A Finding is what a migration does to rows.
type Finding struct {
	Statement int    // the index, or -1 in a program
	Failure   bool   // it fails, which its author may assume that it does not
	Always    bool   // it fails whatever the rows, for which there is no answer
	Fact      string // what it does; what would be right
	Rows      []Row  // that show it

	key   string // the same for the same finding on other rows
	stops bool   // nothing after it has been seen
	whose string // rows are lost, if that shows
	cells cells  // that it fails on
}

// A Row is the statement that makes it, and its table.
type Row = rows.Insert

// A Database is where migrations are tried. Its contents are replaced.
type Database struct {
	Conn *sqlite3.Conn
	DB   rows.DB // the same connection

	names   map[string]map[string]bool // that occur in a text
	follows bool                       // the database is as the migration before left it
}

// A trial is a migration, and the database as it was before it.
type trial struct {
	*Database
	ctx      context.Context
	m        *Migration
	before   []byte                    // as SQLite serializes it
	objects  []sqltext.Object          // its schema
	tables   []string                  // those that the migration may have to do with
	concerns map[string]bool           // the same and views, in lower case
	held     map[string]sqltext.Object // what holds the rowids of a table
	empty    []rows.Empty              // the tables that cannot be filled
	orphans  int                       // that it has
	follows  bool                      // it goes on with the rows that the migration before left
	applied  bool                      // it is what it was before with all the rows
	tracks   bool                      // it looks for orphans after each statement
	odd      bool                      // the rows have what nobody writes
	tries    int                       // that are left
}

// Find returns what the migration does wrong to a database that is as before, with rows, and
// the tables that it has to do with in which there were none.
func (d *Database) Find(ctx context.Context, m *Migration, before []byte) (found []Finding, empty []rows.Empty, err error) {
	// A try takes about as long as the migration takes in the replay.
	t := &trial{Database: d, ctx: ctx, m: m, before: before, tries: 500}
	d.follows = false
	if m.Slow {
		t.tries = 10
	}
	made, err := t.fill(rows.Options{})
	if err != nil {
		return nil, nil, err
	}
	if found, err = t.search(made, nil); err != nil || !m.minds() {
		return found, t.empty, err
	}
	empty = t.empty
	if made, err = t.fill(rows.Options{Odd: true}); err == nil {
		t.odd = true
		found, err = t.search(made, found)
	}
	return found, empty, err
}

// search adds what the migration does to the rows to what has been found. It looks for more
// behind a failure: on the rows that it does not fail on.
func (t *trial) search(made []Row, found []Finding) ([]Finding, error) {
	const failures = 12 // at most
	for range failures {
		seen, _, err := t.observe(made)
		if err != nil {
			return nil, err
		}
		again := false
		for _, f := range seen {
			if slices.ContainsFunc(found, func(g Finding) bool { return g.key == f.key }) || t.odd && !t.minds(&f, found) {
				continue
			}
			if err := t.shrink(&f, made); err != nil {
				return nil, err
			}
			if f.stops && len(f.Rows) == 0 {
				return found, nil // the replay fails, too
			}
			if f.stops {
				if err := t.explain(&f, made); err != nil {
					return nil, err
				}
			}
			if t.odd {
				f.Fact = strings.Replace(f.Fact, ": ", map[bool]string{true: ", which nothing forbids: ", false: " with a row such as this, which nothing forbids: "}[f.stops], 1)
			}
			f.Fact = strings.Replace(f.Fact, "loses rows", "loses rows"+f.whose, 1)
			found = append(found, f)
			if f.stops && t.m.Run == nil {
				again = true
				if made, err = t.without(made, f.Rows[len(f.Rows)-1]); err != nil {
					return nil, err
				}
			}
		}
		if !again {
			break
		}
	}
	return found, nil
}

// minds reports whether the migration may fail on values of types that columns allow and
// nobody writes.
func (m *Migration) minds() bool {
	text := strings.ToLower(m.Script.Text)
	return strings.Contains(text, "strict") && strings.Contains(text, "insert") || m.mindsTypes(text)
}

func (m *Migration) mindsTypes(text string) bool {
	return slices.ContainsFunc([]string{"json", "->", "typeof"}, func(s string) bool { return strings.Contains(text, s) })
}

// minds reports whether a finding comes of such a value, and nothing else was found there.
func (t *trial) minds(f *Finding, found []Finding) bool {
	if !f.Failure || slices.ContainsFunc(found, func(g Finding) bool { return g.Failure && g.Statement == f.Statement }) {
		return false
	}
	return strings.Contains(f.Fact, ": cannot store ") || strings.Contains(f.Fact, "JSON") ||
		strings.Contains(f.Fact, ": CHECK constraint failed") && t.m.mindsTypes(strings.ToLower(t.m.Script.Text))
}

// Suspect runs the migration after the one before, on the rows that this has left, and reports
// whether there may be something to find. That costs no more than the migration.
func (d *Database) Suspect(ctx context.Context, m *Migration, before func() ([]byte, error)) (bool, error) {
	if !d.follows {
		b, err := before()
		if err == nil {
			err = serdes.Deserialize(d.Conn, "main", b)
		}
		if err != nil {
			return false, err
		}
	}
	t := &trial{Database: d, ctx: ctx, m: m, follows: true}
	if _, err := t.fill(rows.Options{}); err != nil {
		return false, err
	}
	found, _, err := t.observe(nil)
	d.follows = err == nil && len(found) == 0
	return len(found) > 0, err
}

// fill makes rows in the tables that the migration may have to do with.
func (t *trial) fill(opts rows.Options) (made []Row, err error) {
	if !t.follows {
		if err := serdes.Deserialize(t.Conn, "main", t.before); err != nil {
			return nil, err
		}
	}
	if t.objects, err = sqlite.Objects(t.ctx, t.DB); err != nil {
		return nil, err
	}
	t.held = t.holders()
	t.tables = t.concerned()
	orphans, err := t.findOrphans(t.objects)
	if t.orphans = len(orphans); err != nil {
		return nil, err
	}
	opts.Tables = t.tables
	if t.follows { // others were filled before
		opts.Tables = slices.DeleteFunc(slices.Clone(t.tables), func(name string) bool {
			some, err := t.query("SELECT 1 FROM " + sqltext.Quote(name) + " LIMIT 1")
			return err != nil || len(some) > 0
		})
	}
	if len(opts.Tables) == 0 {
		return nil, nil
	}
	filling, err := rows.Fill(t.ctx, t.DB, opts)
	if err != nil || t.follows {
		return nil, err
	}
	t.empty, t.applied = filling.Empty, true
	return t.gaps(filling.Inserts)
}

// gaps deletes the first row of each table whose rowids others hold: where there is no gap, a
// copy has the same rowids by chance.
func (t *trial) gaps(made []Row) ([]Row, error) {
	for _, table := range t.tables {
		holder, ok := t.held[sqltext.Fold(table)]
		if !ok {
			continue
		}
		name, search := sqltext.Plain(table), sqltext.Plain(holder.Name)
		first := fmt.Sprintf(" WHERE rowid = (SELECT min(rowid) FROM %s);", name)
		row := Row{Table: table, SQL: "DELETE FROM " + name + first}
		more := [][]Row{{row}}
		if external(holder) {
			more[0] = append(more[0], Row{Table: holder.Name, SQL: fmt.Sprintf("INSERT INTO %s (%s) VALUES ('rebuild');", search, search)})
		} else if holder.Type == "table" {
			more = [][]Row{{{Table: holder.Name, SQL: "DELETE FROM " + search + first}, row}, {row}}
		}
		for _, rows := range more {
			all := slices.Concat(made, rows)
			if ok, err := t.apply(all); err != nil {
				return nil, err
			} else if ok {
				made = all
				break
			}
		}
	}
	return made, nil
}

// concerned returns the tables whose rows may matter: those that the migration names, those
// that these name and are named by. Nobody knows what a program names.
func (t *trial) concerned() (tables []string) {
	in := map[string]bool{}
	named := t.namesIn(t.m.Script.Text)
	held := func(o sqltext.Object) bool { _, ok := t.held[sqltext.Fold(o.Name)]; return ok }
	for _, o := range t.objects {
		if t.m.Run != nil || named[sqltext.Fold(o.Name)] || named["vacuum"] && held(o) {
			in[sqltext.Fold(o.Table)] = true
		}
	}
	for level := range 3 { // of views that name views
		more := map[string]bool{}
		for _, o := range t.objects {
			if o.Type == "index" || o.Type == "table" && !o.MayRefer() && !sqlite.IsVirtual(o) {
				continue
			}
			names := t.namesIn(o.SQL)
			for name := range names {
				if in[name] && (level == 0 || o.Type == "view") {
					more[sqltext.Fold(o.Table)] = true
					if o.Type == "view" || o.Type == "trigger" {
						maps.Copy(more, names)
					}
				}
			}
		}
		maps.Copy(in, more)
	}
	for grown := -1; grown != len(in); {
		grown = len(in)
		for _, o := range t.objects {
			if o.Type == "table" && in[sqltext.Fold(o.Name)] && (o.MayRefer() || sqlite.IsVirtual(o)) {
				maps.Copy(in, t.namesIn(o.SQL))
			}
		}
	}
	t.concerns = in
	for _, o := range t.objects {
		if o.Type == "table" && in[sqltext.Fold(o.Name)] {
			tables = append(tables, o.Name)
		}
	}
	return tables
}

// namesIn returns all that may be names in SQL, in lower case.
func (d *Database) namesIn(sql string) map[string]bool {
	if names, ok := d.names[sql]; ok {
		return names
	}
	names := map[string]bool{}
	for script, i := sqltext.Parse(sql), 0; i < len(script.Tokens); i++ {
		switch script.Tokens[i].Kind {
		case sqltext.Word, sqltext.Quoted, sqltext.String:
			names[script.Name(i)] = true
		}
	}
	if d.names == nil {
		d.names = map[string]map[string]bool{}
	}
	d.names[sql] = names
	return names
}

// apply makes the database what it was before the migration, with the rows. ok is false if
// no program could have written just these.
func (t *trial) apply(rows []Row) (ok bool, err error) {
	t.applied = false
	if err := cmp.Or(t.ctx.Err(), serdes.Deserialize(t.Conn, "main", t.before), t.triggers(false)); err != nil {
		return false, err
	}
	ok = !slices.ContainsFunc(rows, func(row Row) bool { return t.Conn.Exec(row.SQL) != nil })
	if err := t.triggers(true); err != nil || !ok {
		return false, err
	}
	orphans, err := t.findOrphans(t.objects)
	return len(orphans) == t.orphans, err
}

// triggers says whether triggers fire.
//
// https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenabletrigger
func (d *Database) triggers(on bool) error {
	_, err := d.Conn.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, on)
	return err
}

// findOrphans returns the table and the parent of each row without a parent.
//
// https://sqlite.org/pragma.html#pragma_foreign_key_check
func (t *trial) findOrphans(objects []sqltext.Object) (orphans [][]string, err error) {
	for _, o := range objects {
		if o.MayRefer() && (t.concerns[sqltext.Fold(o.Name)] || !slices.Contains(t.objects, o)) {
			// A foreign key that is itself wrong is reported without rows.
			found, _ := t.query(`SELECT lower("table"), parent FROM pragma_foreign_key_check(?)`, o.Name)
			orphans = append(orphans, found...)
		}
	}
	return orphans, t.ctx.Err()
}

// shrink finds a smallest set of the rows that shows the finding. It leaves out halves, their
// halves and so on, the last first: those before may be their parents.
func (t *trial) shrink(f *Finding, rows []Row) error {
	f.Rows = rows
	out := make([]bool, len(rows))
	var leaveOut func(from, to int) error
	leaveOut = func(from, to int) error {
		var fewer []Row
		for i, row := range rows {
			if !out[i] && (i < from || i >= to) {
				fewer = append(fewer, row)
			}
		}
		shows, err := t.shows(f, fewer)
		for i := from; shows && i < to; i++ {
			out[i] = true
		}
		if err != nil || shows || to-from < 2 {
			return err
		}
		middle := (from + to) / 2
		return cmp.Or(leaveOut(middle, to), leaveOut(from, middle))
	}
	if err := leaveOut(0, len(rows)); err != nil {
		return err
	}
	for i := len(f.Rows) - 1; i >= 0; i-- { // what belonged to others is alone now
		if _, err := t.shows(f, slices.Delete(slices.Clone(f.Rows), i, i+1)); err != nil {
			return err
		}
	}
	return nil
}

// shows reports whether fewer rows show the finding, which then has them.
func (t *trial) shows(f *Finding, rows []Row) (bool, error) {
	if t.tries--; t.tries < 0 || len(rows) == len(f.Rows) {
		return false, nil
	}
	seen, ok, err := t.observe(rows)
	i := slices.IndexFunc(seen, func(g Finding) bool { return g.key == f.key })
	if err != nil || !ok || i < 0 {
		return false, err
	}
	whose := f.whose
	*f = seen[i]
	f.Rows, f.whose = rows, whose
	return true, nil
}

// without returns the rows without one of them, and without others that would then have no
// parent.
func (t *trial) without(rows []Row, row Row) ([]Row, error) {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r == row })
	orphaned := func(rows []Row) (int, map[string]bool, error) {
		tables := map[string]bool{}
		ok, err := t.apply(rows)
		if err != nil || ok {
			return 0, nil, err
		}
		orphans, err := t.findOrphans(t.objects)
		for _, o := range orphans {
			tables[o[0]] = true
		}
		return len(orphans) - t.orphans, tables, err
	}
	for {
		n, tables, err := orphaned(rows)
		if err != nil || n == 0 {
			return rows, err
		}
		before := len(rows)
		for i := len(rows) - 1; i >= 0 && n > 0; i-- {
			fewer := slices.Delete(slices.Clone(rows), i, i+1)
			if !tables[sqltext.Fold(rows[i].Table)] {
				continue
			}
			if now, _, err := orphaned(fewer); err != nil {
				return nil, err
			} else if now < n {
				rows, n = fewer, now
			}
		}
		if len(rows) == before { // they have children of their own
			for table := range tables {
				rows = otherThan(rows, table)
			}
		}
		if len(rows) == before {
			return nil, nil
		}
	}
}

// otherThan returns the rows of other tables.
func otherThan(rows []Row, table string) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return sqltext.Equal(r.Table, table) })
}

// Package rows is not for programs and promises nothing: it may change or go in any
// release. It puts rows into a database that has none, as a program could have written
// them, to see what becomes of them.
//
// Nothing is forced past a constraint: SQLite is asked with an INSERT, and when it refuses,
// a column that it complains about gets another value. The values come from the column's
// type and name, from its default, and from the literals and patterns of its CHECKs. The
// search is bounded: 1,000 INSERTs for the first row of a table, 150 for each other one.
//
// The same schema gets the same rows on every machine. A value occurs nowhere else in
// the database where its column allows that, so that it can be found again.
package rows

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A DB is a *sql.Conn or *sql.Tx: one connection.
type DB interface {
	sqlite.DB
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Options say what to fill. The zero value fills all tables.
type Options struct {
	Tables []string // these, and those whose rows they need; nil is all
	Odd    bool     // instead, a row of what types allow and programs do not write: text in numbers and times, text that is not JSON, JSON in bytes
	Bytes  bool     // instead, a row whose texts are bytes
	Zero   bool     // instead, a row of empty texts and zeros, also where others hold dates
	Near   []string // instead, rows that tables of the same columns have alike: one for each of these values, as SQL, in all columns that could as well hold it, and such as agree in one column, or in all but one; nil is not so
	All    bool     // Near is not instead, and numbers differ between tables
	Twice  int      // so many of Near: rows that are like those, too
	Case   bool     // with Near, rows that differ from the first only in the case of one column, or in a blank after it
	From   int      // values are made of numbers above it
	More   *More    // add to the rows of a filling before; nil is that there was none
}

// More is what is known of a database that was filled before, and is filled again when its
// schema has changed. Its triggers do not fire.
type More struct {
	Objects []sqltext.Object          // its schema
	Holders map[string]sqltext.Object // what has the rowids of a table, by its name in lower case
	Keep    map[string]bool           // tables, in lower case, that have rows and get no more
	Clean   bool                      // no row is without its parent
	last    int                       // the number that the last value was made of
	narrow  map[string]*column        // that have their candidates, by what these come of
}

// A Filling is what was put into a database.
type Filling struct {
	// Inserts make the rows again, in this order, in a database of the same schema, while
	// its triggers are off.
	Inserts []Insert `json:"inserts"`
	Empty   []Empty  `json:"empty"` // the tables without rows
}

// An Insert is a statement that can be pasted.
type Insert struct {
	Table string `json:"table"`
	SQL   string `json:"sql"`
	row   *row   // that it makes, if it is one of an ordinary table
}

// Values returns what the statement writes into columns, as SQL with commas, or "" if it makes no
// row of an ordinary table.
func (i Insert) Values(columns []string) string {
	if i.row == nil {
		return ""
	}
	values := make([]string, len(columns))
	for n, column := range columns {
		if at := i.row.index(column); at >= 0 { // it is not generated
			values[n] = i.row.values[at]
		}
	}
	return strings.Join(values, ",")
}

// Empty is a table that could not be filled, and why.
type Empty struct {
	Table  string `json:"table"`
	Reason string `json:"reason"`
}

// Fill puts a few rows into each table: with everything set, with every column NULL that
// can be, with every other one, some that agree in everything that need not differ, some that
// differ in case or trailing blanks only, one with empty strings and zeros, and two with the
// other truth values and without dates that may be missing. The last row of a table with
// AUTOINCREMENT is deleted again. Full-text and R-Tree tables follow the tables that their
// content comes from. Triggers do not fire.
//
// It runs in a savepoint: with an error, the database is what it was. A foreign key may be
// enforced or not.
func Fill(ctx context.Context, db DB, opts Options) (*Filling, error) {
	if opts.More == nil {
		objects, err := sqlite.Objects(ctx, db)
		if err != nil {
			return nil, err
		}
		opts.More = &More{Objects: sqlite.Made(objects)}
	}
	if opts.More.narrow == nil {
		opts.More.narrow = map[string]*column{}
	}
	opts.More.last = max(opts.More.last, opts.From)
	// What turns out to be impossible only once all is filled: two tables may need rows of each
	// other that cannot be made.
	impossible := map[string]string{}
	for {
		f, before := newFiller(ctx, db, opts, impossible), len(impossible)
		if err := f.fill(impossible); err != nil {
			return nil, err
		}
		if len(impossible) == before {
			opts.More.last = f.n
			return &f.Filling, nil
		}
	}
}

func exec(ctx context.Context, db DB, query string) error {
	_, err := db.ExecContext(ctx, query)
	return err
}

// fill fills the tables, unless it finds that more of them are impossible to fill.
func (f *filler) fill(impossible map[string]string) error {
	if err := exec(f.ctx, f.db, "SAVEPOINT lockstep_rows"); err != nil {
		return err
	}
	before := len(impossible)
	// Foreign keys that are enforced are so at the end.
	err := exec(f.ctx, f.db, "PRAGMA defer_foreign_keys = ON")
	if err == nil {
		err = f.run()
	}
	if err == nil {
		err = f.orphaned(impossible)
	}
	for _, o := range f.More.Objects {
		if err == nil && slices.Contains(f.dropped, o) {
			err = exec(f.ctx, f.db, o.SQL)
		}
	}
	end := context.WithoutCancel(f.ctx)
	if err != nil || len(impossible) > before {
		err = cmp.Or(err, exec(end, f.db, "ROLLBACK TO lockstep_rows"))
	}
	return cmp.Or(err, exec(end, f.db, "RELEASE lockstep_rows"))
}

// A filler fills the tables of a database.
type filler struct {
	ctx context.Context
	db  DB
	Options
	Filling
	dropped  []sqltext.Object  // triggers of tables that are filled
	err      error             // of reading a table
	tables   map[string]*table // by name, in lower case
	order    []*table          // in which they were made
	n        int               // the last number that a value was made of
	done     map[*table]bool
	promised map[*table][]map[string]string // values, by column, of rows that it has to get
}

// run fills the tables, parents first.
func (f *filler) run() error {
	state := f.done
	var again []*table // they have a foreign key to a table that came later
	var visit func(t *table) error
	visit = func(t *table) error {
		if _, seen := state[t]; seen {
			return nil
		}
		if f.keeps(t) {
			state[t] = true
			return nil
		}
		state[t] = false
		parents := f.needs(t)
		if f.err != nil {
			return f.err
		}
		for _, c := range t.columns {
			if err := f.narrow(t, c); err != nil {
				return err
			}
		}
		for _, parent := range parents {
			if parent != t && !f.keeps(parent) && t.mayMiss(parent) && f.reaches(parent, t, map[*table]bool{}) {
				again = append(again, t)
				continue
			}
			if done, seen := state[parent]; seen && !done && parent != t {
				again = append(again, t)
			}
			if err := visit(parent); err != nil {
				return err
			}
		}
		err := f.fillTable(t)
		state[t] = true
		return err
	}
	slices.SortStableFunc(f.order, func(a, b *table) int { return len(a.module) - len(b.module) }) // virtual tables last
	for _, t := range f.order {
		// What is in a full-text index is so as soon as the table has it.
		follows := func(other *table) bool { return other.filled && t.module != "" && f.feeds(other, t) }
		if f.Tables != nil && !slices.ContainsFunc(f.Tables, func(name string) bool { return sqltext.Equal(name, t.name) }) && !slices.ContainsFunc(f.order, follows) {
			continue
		}
		if err := visit(t); err != nil {
			return err
		}
	}
	for _, t := range again {
		if t.filled {
			if _, err := f.addRow(t, full, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// keeps reports whether a table has the rows that it gets.
func (f *filler) keeps(t *table) bool { return f.More.Keep[sqltext.Fold(t.name)] }

// fillTable fills one table, or notes why it stays empty.
func (f *filler) fillTable(t *table) error {
	for _, o := range f.More.Objects {
		if f.More.Keep == nil && o.Type == "trigger" && sqltext.Equal(o.Table, t.name) {
			if err := exec(f.ctx, f.db, "DROP TRIGGER "+sqltext.Quote(o.Name)); err != nil {
				return err
			}
			f.dropped = append(f.dropped, o)
		}
	}
	reason, err := t.empty, error(nil)
	if reason == "" {
		if t.module != "" {
			reason, err = f.fillVirtual(t)
		} else {
			reason, err = f.fillOrdinary(t)
		}
	}
	if t.filled = reason == ""; !t.filled {
		// One that can have no other row has rows, too.
		if some, _ := f.query(1, "SELECT 1 FROM "+sqltext.Quote(t.name)+" LIMIT 1"); len(some) == 0 {
			f.Empty = append(f.Empty, Empty{t.name, reason})
		}
	}
	return err
}

// orphaned adds the tables that have rows without a parent.
func (f *filler) orphaned(impossible map[string]string) error {
	for _, t := range f.order {
		if len(t.keys) == 0 || !t.filled {
			continue
		}
		// A foreign key that is itself wrong makes this fail. Its columns are NULL.
		found, _ := f.query(1, "SELECT DISTINCT parent FROM pragma_foreign_key_check("+literal(t.name)+")")
		for _, row := range found {
			if !t.orphans[row[0]] {
				impossible[sqltext.Fold(t.name)] = "no row of " + row[0] + " has a key that it can refer to"
			}
		}
	}
	return f.ctx.Err()
}

// insert runs an INSERT, of a row if that is not nil, and keeps it if it works. A conflict is an error,
// whatever the table says.
func (f *filler) insert(t *table, r *row, query string) error {
	run := query
	if values, ok := strings.CutPrefix(query, "INSERT "); ok {
		run = "INSERT OR ABORT " + values
	}
	if t.generated { // a row of which a column cannot be computed cannot be read
		run += " RETURNING *"
	}
	err := exec(f.ctx, f.db, run)
	if err == nil {
		f.Inserts = append(f.Inserts, Insert{t.name, query + ";", r})
	}
	return err
}

// refusal returns why SQLite refuses an INSERT, if it does. The error is that of the context.
func (f *filler) refusal(err error) (string, error) {
	if err == nil || f.ctx.Err() != nil {
		return "", f.ctx.Err()
	}
	return sqlite.Sentence(err), nil
}

// query returns the rows of a query, of that many columns, as text.
func (f *filler) query(columns int, q string) (found [][]string, err error) {
	return found, sqlite.Each(f.ctx, f.db, q, func(scan sqlite.Scan) error {
		row, dest := make([]string, columns), make([]any, columns)
		for i := range row {
			dest[i] = &row[i]
		}
		found = append(found, row)
		return scan(dest...)
	})
}

// literal returns a text as SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

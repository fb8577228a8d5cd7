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
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/lockstep-db/lockstep/runtime/rows"
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
	Note      bool   // only on bytes in a text, which a migration need not be prepared for
	Fact      string // what it does; what would be right
	Rows      []Row  // that show it

	key   string // the same for the same finding on other rows
	about string // the table, in lower case, if it is about one
	free  bool   // rows have nothing to do with it
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

	// Tries is how often Find may still run migrations to find the smallest sets of rows, if it is
	// not nil; 40 times more for each failure. What is found beyond has no rows.
	Tries *int

	// Copies are those of all migrations, of which some show what holds the rowids of a table.
	Copies []Copy

	names map[string]map[string]bool // that occur in a text

	// What Suspect knows of the database.
	follows bool              // it is as the migration before left it
	schema  []sqltext.Object  // or nil
	clean   bool              // it has no orphans
	filled  map[string]string // the SQL of the tables that have rows of all kinds, by name in lower case
	more    rows.More
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
	types    bool                      // the migration asks for types or JSON
	folds    bool                      // it may change the case or blanks of texts
	collates bool                      // it may compare texts whatever their case
	tries    *int                      // that are left
	shrinks  bool                      // what rows have nothing to do with is known
	known    bool                      // it shrinks to know which row comes last
	skip     []bool                    // statements that do not run
	seen     map[uint64]seen           // what was observed, by the rows, while it shrinks
	defines  []sqltext.Definition      // by statement; without a kind where that defines nothing
}

// begin returns a trial that knows nothing of the database yet.
func (d *Database) begin(ctx context.Context, m *Migration) *trial {
	t := &trial{Database: d, ctx: ctx, m: m, seen: map[uint64]seen{}, defines: make([]sqltext.Definition, len(m.Statements))}
	for i := range m.Statements {
		if d, ok := m.Statements[i].Definition(); ok {
			t.defines[i] = d
		}
	}
	return t
}

var folding, collation = regexp.MustCompile(`(?i)\b(?:lower|upper|[lr]?trim)\b`), regexp.MustCompile(`(?i)\bnocase\b`)

// Find returns what the migration does wrong to a database that is as before, with rows, and
// the tables that it has to do with in which there were none.
func (d *Database) Find(ctx context.Context, m *Migration, before []byte) (found []Finding, empty []rows.Empty, err error) {
	t := d.begin(ctx, m)
	t.before, t.tries = before, d.Tries
	t.folds, t.collates = folding.MatchString(m.Script.Text), collation.MatchString(m.Script.Text)
	if tries := 500; t.tries == nil {
		if m.Slow { // a try takes about as long as the migration takes in the replay
			tries = 10
		}
		t.tries = &tries
	}
	d.follows, d.filled = false, nil
	silent, err := t.silent()
	if err != nil {
		return nil, nil, err
	}
	try := func(opts rows.Options, without map[string]bool) error {
		made, err := t.fill(opts)
		if err == nil && without != nil {
			made, err = t.withoutFirst(made, without)
		}
		if err == nil {
			found, err = t.search(made, found)
		}
		return err
	}
	if !silent {
		err = try(rows.Options{}, nil)
	}
	empty = t.empty
	if err == nil && t.numbersKeys() {
		err = try(rows.Options{From: 10_000}, nil)
	}
	more := !silent && !t.quick()
	if in := t.chooses(); err == nil && more && len(in) > 0 {
		err = try(rows.Options{}, in)
	}
	if err == nil && more && len(t.tables) > 0 {
		err = try(rows.Options{Near: []string{}}, nil)
	}
	if err == nil && t.minds() {
		t.odd = true
		err = try(rows.Options{Odd: true}, nil)
		others := len(found)
		if err == nil {
			err = try(rows.Options{Bytes: true}, nil)
		}
		for i := others; err == nil && i < len(found); i++ {
			found[i].Note = true
		}
	}
	if err == nil && !t.quick() && strings.Contains(strings.ToLower(m.Script.Text), "check") {
		t.odd, t.types = true, true
		err = try(rows.Options{Zero: true}, nil)
	}
	return found, empty, err
}

// quick reports whether what a migration has itself is not tried: in a process of its own, or in a
// history.
func (t *trial) quick() bool { return t.m.Slow || t.Tries != nil }

// silent reports whether there is nothing to find on rows of all kinds at once, which costs half
// of what it costs to try them one after the other.
func (t *trial) silent() (bool, error) {
	if t.quick() || t.m.Run != nil {
		return false, nil
	}
	made, err := t.fill(rows.Options{Near: []string{}, All: true})
	if err != nil || t.merges() || len(t.chooses()) > 0 {
		return false, err
	}
	found, _, err := t.observe(made)
	return len(found) == 0 && !t.refersToNear(), err
}

// refersToNear reports whether a foreign key may refer to a value that a migration has itself: with
// a row that has it, there is a parent. No row has such a value for its rowid.
func (t *trial) refersToNear() bool {
	all := slices.Concat(t.objects, t.schema)
	for _, o := range all {
		if !o.MayRefer() || !t.concerns[sqltext.Fold(o.Name)] && slices.Contains(t.objects, o) {
			continue
		}
		for _, r := range sqltext.References(o, all) {
			if len(r.To) != 1 || idOf(all, r.Parent) != sqltext.Fold(r.To[0]) {
				return true
			}
		}
	}
	return false
}

// merges reports whether the migration may copy rows of two tables into one, in which they have
// the same keys.
func (t *trial) merges() bool {
	in := map[string]bool{}
	for _, c := range CopiesIn(t.m.Statements) {
		for _, o := range t.objects {
			if name := sqltext.Fold(o.Name); o.Type == "table" && (name == c.into || c.from[name]) {
				in[name] = true
			}
		}
	}
	return len(in) > 1
}

// chooses returns the tables, in lower case, for which a statement may do something to a row because of
// others of them, or changes the case or blanks of what refers to them: some rows then hide what
// becomes of others.
func (t *trial) chooses() map[string]bool {
	in := map[string]bool{}
	for _, o := range t.objects {
		if !t.folds || !t.concerns[sqltext.Fold(o.Name)] {
			continue
		}
		for _, r := range sqltext.References(o, t.objects) {
			if name := sqltext.Fold(r.Parent); t.concerns[name] {
				in[name] = true
			}
		}
	}
	for _, s := range t.m.Statements {
		script, names, read := t.m.Script, t.namesIn(s.SQL), map[string]bool{}
		for i := s.First; i < s.End; i++ {
			switch script.Name(i) {
			case "update", "from", "join":
				at, or := i+1, script.Name(i+1) == "or" // UPDATE OR IGNORE
				if or {
					at += 2
				}
				if script.Name(at+1) == "." {
					at += 2
				}
				name := script.Name(at)
				if t.concerns[name] && (or || read[name] || names["over"] || names["group"]) {
					in[name] = true
				}
				read[name] = true
			}
		}
	}
	return in
}

// withoutFirst returns the rows without those of the tables that others are like in everything but case
// or blanks.
func (t *trial) withoutFirst(made []Row, in map[string]bool) ([]Row, error) {
	gone, known := make([]bool, len(made)), map[string]bool{}
	for i, row := range made {
		gone[i] = in[sqltext.Fold(row.Table)] && !known[row.Table]
		known[row.Table] = true
	}
	return t.without(made, gone)
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
			was := at(found, &f)
			known := was >= 0
			if known && (!f.stops || t.m.Run != nil) || t.odd && !t.odds(&f, found) {
				continue
			}
			if f.stops && !known && t.Tries != nil {
				*t.tries += 40 // or what is behind it is not seen
			}
			if t.known = known; known && found[was].Always {
				f = found[was]
			} else if err := t.shrink(&f, made); err != nil {
				return nil, err
			}
			if !known {
				if t.Tries != nil && *t.tries == 0 {
					f.Rows = nil
					found = append(found, f)
					continue
				}
				if f.stops && len(f.Rows) == 0 {
					return found, nil // the replay fails, too
				}
				if err := t.describe(&f, made); err != nil {
					return nil, err
				}
				found = append(found, f)
			}
			// Of one that is known, other rows may fail.
			if f.stops && t.m.Run == nil && (!known || (*t.tries > 0 || f.Always) && len(f.Rows) > 0) {
				again = true
				if made, err = t.withoutFailing(&f, made); err != nil {
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

// describe says more of a finding than what has been seen of it.
func (t *trial) describe(f *Finding, made []Row) (err error) {
	if f.stops {
		err = t.explain(f, made)
	}
	if t.odd {
		with := map[bool]string{true: "", false: " with a row such as this"}[f.stops]
		f.Fact = strings.Replace(f.Fact, ": ", with+", which nothing forbids: ", 1)
		if strings.Contains(f.Fact, ": cannot store BLOB value in TEXT column ") {
			f.Fact += "; copy CAST(… AS TEXT)"
		}
	}
	f.Fact = strings.Replace(f.Fact, "loses rows", "loses rows"+f.whose, 1)
	return err
}

// at returns where the same finding is among those that were found, or -1.
func at(found []Finding, f *Finding) int {
	return slices.IndexFunc(found, func(g Finding) bool { return g.key == f.key })
}

// near returns values for which the migration may do something else than for all others: those
// that it has, which are the first ones, the numbers before and after, texts that are longer by
// one, and what the CHECKs of the tables have. It has at most so many, those that the migration has first.
func (t *trial) near() (values []string, own int) {
	const most, twice = 40, 10
	values = []string{}
	script := t.m.Script
	add := func(value string) {
		if value != "" && len(values) < most && !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	var numbers []float64
	for i, token := range script.Tokens {
		text := script.Token(i)
		switch token.Kind {
		case sqltext.Word:
			if script.Name(i) == "null" && script.Name(i-1) == "is" {
				add("NULL")
			}
		case sqltext.String:
			add(text)
		case sqltext.Number:
			n, err := strconv.ParseFloat(text, 64)
			if err != nil || n >= 1<<53 {
				continue // hexadecimal, or with neighbors that are no integers
			}
			if i > 0 && script.Token(i-1) == "-" {
				n = -n
			}
			numbers = append(numbers, n)
			add(strconv.FormatFloat(n, 'f', -1, 64))
		}
	}
	own = min(len(values), twice)
	measures := t.namesIn(script.Text)["length"]
	for _, n := range numbers {
		add(strconv.FormatFloat(n-1, 'f', -1, 64))
		add(strconv.FormatFloat(n+1, 'f', -1, 64))
		if measures {
			add(rows.TextOf(int(n) + 1))
		}
	}
	for _, o := range t.objects {
		if o.Type == "table" && t.concerns[sqltext.Fold(o.Name)] && t.namesIn(o.SQL)["check"] {
			for _, value := range rows.Allowed(o.SQL) {
				add(value)
			}
		}
	}
	return values, own
}

// minds reports whether the migration may fail on values of types that columns allow and
// nobody writes: it copies rows into a STRICT table, or asks for types or JSON.
func (t *trial) minds() bool {
	text := t.m.Script.Text
	for _, c := range CopiesIn(t.m.Statements) {
		text += "\n" + find(t.objects, "table", c.into).SQL
	}
	text = strings.ToLower(text)
	t.types = slices.ContainsFunc([]string{"json", "->", "typeof"}, func(s string) bool { return strings.Contains(text, s) })
	return t.types || strings.Contains(text, "select") && strings.Contains(text, "strict") && strict.MatchString(text)
}

var strict = regexp.MustCompile(`\bstrict\b`)

// odds reports whether a finding comes of such a value, and nothing else was found there.
func (t *trial) odds(f *Finding, found []Finding) bool {
	if !f.Failure || slices.ContainsFunc(found, func(g Finding) bool { return g.Failure && g.Statement == f.Statement }) {
		return false
	}
	return strings.Contains(f.Fact, ": cannot store ") || strings.Contains(f.Fact, "JSON") || t.types && strings.Contains(f.Fact, ": CHECK constraint failed")
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
			found, _ := t.query("PRAGMA main.foreign_key_check(" + sqltext.Quote(o.Name) + ")")
			for _, row := range found {
				orphans = append(orphans, []string{sqltext.Fold(row[0]), row[2]})
			}
		}
	}
	return orphans, t.ctx.Err()
}

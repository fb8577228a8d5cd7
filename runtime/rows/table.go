package rows

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A table is what is known of one.
type table struct {
	sqltext.Object
	name    string
	columns []*column // that can be written
	keys    []*key
	parts   []part // of its CREATE TABLE
	strict  bool
	counts  bool            // AUTOINCREMENT
	rowid   string          // its column that is the rowid, or ""
	module  string          // of a virtual table, in lower case
	content string          // the table that it has its content in, or ""
	empty   string          // why it cannot be filled, if that shows at once
	orphans map[string]bool // that it had before, by parent

	generated bool // it has a generated column

	into     string // begins each INSERT, once there was one
	random   *rand.Rand
	first    []string // the values of the first row, as SQL
	last     []string // those of the last
	made     int      // rows
	nullable int      // columns
	changes  []change // of the first row, that other rows are
	turn     int      // twins that differ in one column of a key
	wide     int      // the columns of that key
	filled   bool
}

// A column is one that can be written.
type column struct {
	name, kind string // kind is the declared type in upper case
	nullable   bool
	nth        int      // of those that are nullable
	free       bool     // any text or number is as good as another
	literals   []string // of the expressions that name it, as SQL, and its DEFAULT
	checked    bool     // an expression names it
	json       bool     // and reads JSON in it
	key        *key     // of which it is a part, or nil
	candidates []candidate
	chosen     int // the candidate in the first row
}

// A key is a foreign key.
type key struct {
	parent   string
	from, to []string
	tuples   [][]string // of literals: the keys that the rows of parent have
	pending  *table     // the parent, if it is filled later
}

// A part is an expression in a CREATE TABLE, or a CREATE INDEX with one: what it names, in lower
// case, and its literals.
type part struct {
	text     string
	name     string // of a generated column
	check    bool
	names    map[string]bool
	literals []string
}

// newFiller returns a filler that has read nothing yet. Tables that are impossible to fill have
// their reason.
func newFiller(ctx context.Context, db DB, opts Options, impossible map[string]string) *filler {
	f := &filler{ctx: ctx, db: db, Options: opts, n: opts.More.last, tables: map[string]*table{}, done: map[*table]bool{}, promised: map[*table][]map[string]string{}}
	for _, o := range f.More.Objects {
		if o.Type != "table" || sqlite.IsLitestream(o.Name) {
			continue
		}
		t := &table{Object: o, name: o.Name, empty: impossible[sqltext.Fold(o.Name)], orphans: map[string]bool{}}
		t.module, t.content = Virtual(o)
		f.tables[sqltext.Fold(o.Name)] = t
		f.order = append(f.order, t)
	}
	return f
}

// read reads what is known of a table, once.
func (f *filler) read(t *table) error {
	if t.random != nil {
		return nil
	}
	seed := fnv.New64()
	seed.Write([]byte(t.name))
	t.random = rand.New(rand.NewPCG(seed.Sum64(), 1))
	if t.module == "" {
		t.parts, t.rowid = partsOf(t.SQL), sqltext.RowidAlias(t.Object)
		t.strict = namesIn(t.SQL[strings.LastIndexByte(t.SQL, ')')+1:])["strict"]
	}
	columns, err := f.query(6, `SELECT name, type, "notnull", ifnull(dflt_value, ''), pk, hidden FROM pragma_table_xinfo(`+literal(t.name)+")")
	if err != nil {
		t.empty = sqlite.Sentence(err) // a module that is missing
		return f.ctx.Err()
	}
	for _, o := range f.More.Objects {
		if o.Type == "index" && sqltext.Equal(o.Table, t.name) && strings.Count(o.SQL, "(") > 1 {
			t.parts = append(t.parts, newPart(o.SQL, "", false))
		}
	}
	for _, c := range columns {
		if c[5] != "0" {
			t.generated = t.generated || c[5] == "2" || c[5] == "3"
			continue
		}
		col := &column{name: c[0], kind: strings.ToUpper(c[1])}
		if col.nullable = c[2] == "0" && c[4] == "0"; col.nullable { // SQLite allows NULL in a primary key, and nobody wants it
			col.nth = t.nullable
			t.nullable++
		}
		if c[3] != "" && !strings.Contains(c[3], "(") && !strings.HasPrefix(strings.ToUpper(c[3]), "CURRENT_") {
			col.literals = append(col.literals, c[3])
		}
		for _, p := range t.parts {
			if p.names[sqltext.Fold(c[0])] {
				col.checked = true
				col.json = col.json || strings.Contains(sqltext.Fold(p.text), "json") || strings.Contains(p.text, "->")
				col.literals = append(col.literals, p.literals...)
			}
		}
		t.columns = append(t.columns, col)
	}
	t.counts = t.rowid != "" && namesIn(t.SQL)["autoincrement"]
	return f.readKeys(t)
}

// narrow makes the candidates of a column, of which it leaves those that the CHECKs allow which
// are about this column alone, those with the most values first.
func (f *filler) narrow(t *table, c *column) error {
	checks := "1"
	for _, p := range t.parts {
		if p.check && p.names[sqltext.Fold(c.name)] && !slices.ContainsFunc(t.columns, func(o *column) bool { return o != c && p.names[sqltext.Fold(o.name)] }) {
			checks += " AND ifnull((" + p.text + "), 1)"
		}
	}
	about := fmt.Sprintf("%s\x00%s\x00%t\x00%t\x00%s\x00%q", c.name, c.kind, c.nullable, c.checked, checks, c.literals)
	if known, ok := f.More.narrow[about]; ok {
		c.candidates, c.free = known.candidates, known.free
		return nil
	}
	c.candidates = c.values()
	defer func() { f.More.narrow[about] = c }()
	if checks == "1" {
		return nil
	}
	all := c.candidates
	values := map[int]map[string]bool{} // of candidates, that pass
	var pass func(from, to int) error
	pass = func(from, to int) error {
		var rows []string
		for i := from; i < to; i++ {
			for _, n := range []int{1, 12, 345} {
				value := c.candidates[i](n)
				if a := c.affinity(); a != "" {
					value = "CAST(" + value + " AS " + a + ")"
				}
				rows = append(rows, fmt.Sprintf("(%d, %s)", i, value))
			}
		}
		found, err := f.query(2, fmt.Sprintf("WITH %[1]s (n, %[2]s) AS (VALUES %[3]s) SELECT n, quote(%[2]s) FROM %[1]s WHERE %[4]s",
			sqltext.Quote(t.name), sqltext.Quote(c.name), strings.Join(rows, ", "), checks))
		if err != nil && to-from > 1 { // one of them is no argument for a function
			middle := (from + to) / 2
			return cmp.Or(pass(from, middle), pass(middle, to))
		}
		for _, row := range found {
			i, _ := strconv.Atoi(row[0])
			if values[i] == nil {
				values[i] = map[string]bool{}
			}
			values[i][row[1]] = true
		}
		return f.ctx.Err()
	}
	err := pass(0, len(c.candidates))
	if len(values) == 0 { // a generated column is named, say: an INSERT can tell
		return err
	}
	c.candidates = nil
	order := slices.Sorted(maps.Keys(values))
	slices.SortStableFunc(order, func(a, b int) int { return len(values[b]) - len(values[a]) })
	for _, i := range order {
		c.candidates = append(c.candidates, all[i])
	}
	return err
}

// readKeys reads the foreign keys, and those that have violations.
func (f *filler) readKeys(t *table) error {
	if !t.MayRefer() {
		return nil
	}
	for _, r := range slices.Backward(sqltext.References(t.Object, f.More.Objects)) { // as SQLite numbers them
		t.keys = append(t.keys, &key{parent: r.Parent, from: r.Columns, to: r.To})
	}
	// Those of many columns decide for those of few.
	slices.SortStableFunc(t.keys, func(a, b *key) int { return len(b.from) - len(a.from) })
	for _, k := range t.keys {
		for _, name := range k.from {
			if c := t.column(name); c != nil && c.key == nil {
				c.key = k
			}
		}
	}
	if f.More.Clean {
		return nil
	}
	violated, _ := f.query(1, "SELECT DISTINCT parent FROM pragma_foreign_key_check("+literal(t.name)+")")
	for _, v := range violated {
		t.orphans[v[0]] = true
	}
	return f.ctx.Err()
}

// column returns the column of that name that can be written, or nil.
func (t *table) column(name string) *column {
	for _, c := range t.columns {
		if sqltext.Equal(c.name, name) {
			return c
		}
	}
	return nil
}

// mayMiss reports whether a row can do without a row of the parent.
func (t *table) mayMiss(parent *table) bool {
	for _, k := range t.keys {
		if sqltext.Equal(k.parent, parent.name) && !slices.ContainsFunc(k.from, func(name string) bool { c := t.column(name); return c != nil && c.nullable }) {
			return false
		}
	}
	return t.module == ""
}

// reaches reports whether rows of t may need rows of another table first.
func (f *filler) reaches(t, other *table, seen map[*table]bool) bool {
	if t == other || seen[t] {
		return t == other
	}
	seen[t] = true
	return slices.ContainsFunc(f.needs(t), func(parent *table) bool { return f.reaches(parent, other, seen) })
}

// needs returns the tables that are to be filled before.
func (f *filler) needs(t *table) (parents []*table) {
	if f.err = cmp.Or(f.err, f.read(t)); f.err != nil {
		return nil
	}
	for _, k := range t.keys {
		if p := f.tables[sqltext.Fold(k.parent)]; p != nil {
			parents = append(parents, p)
		}
	}
	if t.module == "" {
		return parents
	}
	for _, other := range f.order {
		if other != t && f.feeds(other, t) {
			parents = append(parents, other)
		}
	}
	return parents
}

// newPart reads an expression, which is a CHECK or that of a generated column.
func newPart(sql, generated string, check bool) part {
	s := sqltext.Parse(sql)
	p := part{text: sql, name: sqltext.Fold(generated), check: check, names: map[string]bool{}}
	for i := range s.Tokens {
		token := s.Token(i)
		switch s.Tokens[i].Kind {
		case sqltext.Word, sqltext.Quoted:
			p.names[s.Name(i)] = true
		case sqltext.Number:
			if i > 0 && s.Token(i-1) == "-" {
				token = "-" + token
			}
			p.literals = append(p.literals, token)
		case sqltext.String, sqltext.Blob:
			p.literals = append(p.literals, token)
		}
	}
	return p
}

// partsOf returns the expressions in a CREATE TABLE.
func partsOf(create string) (parts []part) {
	for _, e := range sqltext.Expressions(create) {
		parts = append(parts, newPart(e.SQL, e.Generated, e.Generated == ""))
	}
	return parts
}

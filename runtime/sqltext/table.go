package sqltext

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A table is what a CREATE TABLE statement says, clause by clause.
type table struct {
	name         string
	columns      []column
	primary      *key // the PRIMARY KEY, or nil
	unique       []*key
	checks       [][]lexeme
	checkNames   []string
	foreign      []foreignKey
	strict       bool
	withoutRowid bool
}

type column struct {
	name      string
	typ       []lexeme
	notNull   bool
	conflict  string // of NOT NULL
	value     []lexeme
	collation string
	generated []lexeme // nil if it is not
	stored    bool
}

// A key is a PRIMARY KEY or a UNIQUE constraint.
type key struct {
	columns       []keyColumn
	conflict      string
	autoincrement bool
	inline        bool // part of the definition of its column
}

type keyColumn struct {
	name, collation string
	desc            bool
}

type foreignKey struct {
	columns []string
	parent  string
	to      []string  // columns of the parent, or none for its primary key
	clauses [3]string // ON DELETE, ON UPDATE, DEFERRABLE INITIALLY DEFERRED
}

// structure returns what the table is, whatever its wording. Its foreign keys refer to
// tables among objects.
func (t *table) structure(objects []Object) structure {
	s := structure{kind: "table"}
	for i := range t.columns {
		s.columns = append(s.columns, t.columnPart(&t.columns[i]))
	}
	if t.primary != nil {
		s.add(t.keyPart("PRIMARY KEY", t.primary))
	}
	for _, k := range t.unique {
		p := t.keyPart("UNIQUE", k)
		// SQLite makes one index for both, and none for a primary key that is the rowid.
		if t.primary == nil || t.hasRowidAlias() || p.form != s.parts[0].form {
			s.add(p)
		}
	}
	for _, check := range t.checks {
		s.add(part{"CHECK", t.form(check), "CHECK (" + show(check) + ")"})
	}
	for _, fk := range t.foreign {
		s.add(t.foreignPart(fk, objects))
	}
	if t.strict {
		s.add(part{"STRICT", "", "STRICT"})
	}
	if t.withoutRowid {
		s.add(part{"WITHOUT ROWID", "", "WITHOUT ROWID"})
	}
	return s
}

func (t *table) columnPart(c *column) part {
	p := part{name: c.name, form: c.typeForm(), text: show(c.typ)}
	clause := func(form, text string) { p.write("\n"+form, " "+text) }
	if t.isNotNull(c) {
		clause("NOT NULL"+c.conflict, "NOT NULL"+c.conflict)
	}
	if form := t.defaultForm(c); form != "null" {
		clause("DEFAULT "+form, "DEFAULT "+show(c.value))
	}
	if collation := t.columnCollation(c.name); collation != "binary" {
		clause("COLLATE "+collation, "COLLATE "+c.collation)
	}
	if c.generated != nil {
		end := ")"
		if c.stored {
			end = ") STORED"
		}
		clause("AS ("+t.form(c.generated)+end, "AS ("+show(c.generated)+end)
	}
	p.text = strings.TrimPrefix(p.text, " ")
	return p
}

// typeForm returns the type in lower case. SQLite takes the quotes off a type that
// is nothing but one quoted name.
func (c *column) typeForm() string {
	if len(c.typ) == 1 {
		return Name(c.typ[0].text)
	}
	return Fold(exact(c.typ))
}

// defaultForm returns the form of the value that the column has by default, as its type
// makes SQLite store it.
func (t *table) defaultForm(c *column) string {
	if c.value == nil {
		return "null"
	}
	form := (&table{}).form(c.value)
	n, isNumber := numeral(form)
	if text := strings.Trim(Unquote(form), " \t\n\v\f\r"); form[0] == '\'' && strings.Trim(text, "0123456789+-.eE") == "" {
		n, isNumber = numeral(text)
	}
	real, _ := strconv.ParseFloat(n, 64)
	isReal := strings.Contains(n, "e")
	affinity := t.affinity(c)
	switch {
	case !isNumber, affinity == "none", affinity == "text" && (isReal || form[0] == '\''):
		return form
	case affinity == "text":
		return "'" + n + "'"
	case affinity == "real":
		return strconv.FormatFloat(real, 'e', -1, 64)
	case isReal && real == math.Trunc(real) && math.Abs(real) < 1<<63:
		return strconv.FormatInt(int64(real), 10)
	}
	return n
}

// affinity returns "integer", "text", "real", "numeric", or "none".
//
// https://sqlite.org/datatype3.html#determination_of_column_affinity
func (t *table) affinity(c *column) string {
	typ := c.typeForm()
	for _, a := range []string{"int integer", "char text", "clob text", "text text", "blob none", "real real", "floa real", "doub real"} {
		if word, affinity, _ := strings.Cut(a, " "); strings.Contains(typ, word) {
			return affinity
		}
	}
	if typ == "" || t.strict && typ == "any" {
		return "none"
	}
	return "numeric"
}

// keyPart describes a key. A primary key that is the rowid has no order and no
// collation.
func (t *table) keyPart(name string, k *key) part {
	rowid := k == t.primary && t.hasRowidAlias()
	p := part{name: name, form: "(", text: name + " ("}
	for i, c := range k.columns {
		if i > 0 {
			p.write(", ", ", ")
		}
		p.write(quoteFolded(c.name), c.name)
		collation := Fold(c.collation)
		if collation != "" && collation != t.columnCollation(c.name) && !rowid {
			p.write(" COLLATE "+collation, " COLLATE "+c.collation)
		}
		if c.desc && !rowid {
			p.write(" DESC", " DESC")
		}
	}
	end := ")" + k.conflict
	if k.autoincrement {
		end = " AUTOINCREMENT" + end
	}
	p.write(end, end)
	return p
}

// foreignPart describes a foreign key. The order of its columns means nothing.
func (t *table) foreignPart(fk foreignKey, objects []Object) part {
	text := "FOREIGN KEY (" + strings.Join(fk.columns, ", ") + ") REFERENCES " + fk.parent
	if fk.to != nil {
		text += " (" + strings.Join(fk.to, ", ") + ")"
	}
	to, pairs := fk.target(objects), make([]string, len(fk.columns))
	for i, c := range fk.columns {
		if pairs[i] = quoteFolded(c); len(to) == len(pairs) {
			pairs[i] += " " + quoteFolded(to[i])
		}
	}
	if len(to) == len(pairs) {
		sort.Stable(sort.StringSlice(pairs))
	}
	end := strings.Join(fk.clauses[:], "")
	return part{"FOREIGN KEY", quoteFolded(fk.parent) + " (" + strings.Join(pairs, ", ") + ")" + end, text + end}
}

// target returns the columns that the foreign key refers to: those that it names, or else the
// primary key of its parent, if that is among the objects.
func (fk *foreignKey) target(objects []Object) []string {
	if fk.to != nil {
		return fk.to
	}
	return findTable(objects, fk.parent).primary.names()
}

// names returns the names of the columns; none, if there is no key.
func (k *key) names() (names []string) {
	if k != nil {
		for _, c := range k.columns {
			names = append(names, c.name)
		}
	}
	return names
}

// hasRowidAlias reports whether the primary key is the rowid. DESC after the column
// itself prevents that; in a constraint of the table it does not.
//
// https://sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key
func (t *table) hasRowidAlias() bool {
	k := t.primary
	if k == nil || t.withoutRowid || len(k.columns) != 1 || k.inline && k.columns[0].desc {
		return false
	}
	c := t.column(k.columns[0].name)
	return c != nil && c.typeForm() == "integer"
}

// isNotNull reports whether the column is NOT NULL: because it says so, or because it is in
// the primary key, where the kind of table makes that enough. A rowid is never NULL.
//
// https://sqlite.org/withoutrowid.html
// https://sqlite.org/stricttables.html
func (t *table) isNotNull(c *column) bool {
	if !t.inKey(c) {
		return c.notNull
	}
	return (c.notNull || t.withoutRowid || t.strict) && !t.hasRowidAlias()
}

// inKey reports whether c is a column of the primary key.
func (t *table) inKey(c *column) bool {
	return hasName(t.primary.names(), c.name)
}

// column returns the column of that name, or nil.
//
//go:noinline
func (t *table) column(name string) *column {
	i := slices.IndexFunc(t.columns, func(c column) bool { return Equal(c.name, name) })
	if i < 0 {
		return nil
	}
	return &t.columns[i]
}

// Computes reports whether the DEFAULT of a column of the table is an expression.
func (o *Object) Computes() bool {
	may := false // have one, which begins with a parenthesis: this is asked of all new tables at a user's start
	for _, after, found := strings.Cut(Fold(o.SQL), "default"); found && !may; _, after, found = strings.Cut(after, "default") {
		after = strings.TrimLeft(after, " \t\r\n\f")
		may = after != "" && strings.IndexByte("(-/\xef", after[0]) >= 0 // or a comment
	}
	if !may {
		return false
	}
	t, _ := parseTable(lex(o.SQL))
	return slices.ContainsFunc(t.columns, func(c column) bool { return len(c.value) > 0 && c.value[0].text == "(" })
}

// Collation returns the collation of a column of the table, in lower case.
func (o *Object) Collation(column string) string {
	t, _ := parseTable(lex(o.SQL))
	return t.columnCollation(column)
}

func (t *table) columnCollation(name string) string {
	if c := t.column(name); c != nil && c.collation != "" {
		return Fold(c.collation)
	}
	return "binary"
}

// knows reports whether an expression in the table can refer to the name.
func (t *table) knows(name string) bool {
	switch Fold(name) {
	case "rowid", "oid", "_rowid_":
		return true
	}
	return t.column(name) != nil
}

// form returns the form of an expression in the table.
//
//go:noinline
func (t *table) form(lexemes []lexeme) string {
	e := expression{parser{lexemes: lexemes}, true, t.knows}
	return e.form()
}

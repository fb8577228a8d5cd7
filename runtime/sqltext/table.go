package sqltext

import (
	"slices"
	"strings"
)

// A table is what a CREATE TABLE statement says, clause by clause.
type table struct {
	name         string
	columns      []column
	primary      *key // the PRIMARY KEY, or nil
	unique       []key
	checks       [][]lexeme
	foreign      []part
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

// structure returns what the table is, whatever its wording.
func (t *table) structure() structure {
	s := structure{kind: "table"}
	for i := range t.columns {
		s.columns = append(s.columns, t.columnPart(&t.columns[i]))
	}
	for i, k := range t.keys() {
		name := "UNIQUE"
		if i == 0 && t.primary != nil {
			name = "PRIMARY KEY"
		}
		s.add(t.keyPart(name, k))
	}
	for _, check := range t.checks {
		check = unwrap(check)
		s.add(part{"CHECK", form(check, t.knows), "CHECK (" + show(check) + ")"})
	}
	for _, fk := range t.foreign {
		s.add(fk)
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
		clause("NOT NULL"+onConflict(c.conflict), "NOT NULL"+onConflict(c.conflict))
	}
	if c.value != nil {
		value := unwrap(c.value)
		text := show(value)
		if len(value) > 2 {
			text = "(" + text + ")"
		}
		clause("DEFAULT "+form(value, knowsNothing), "DEFAULT "+text)
	}
	if collation := t.columnCollation(c.name); collation != "binary" {
		clause("COLLATE "+collation, "COLLATE "+c.collation)
	}
	if c.generated != nil {
		end := ")"
		if c.stored {
			end = ") STORED"
		}
		generated := unwrap(c.generated)
		clause("AS ("+form(generated, t.knows)+end, "AS ("+show(generated)+end)
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

// keys returns the table's keys, the primary key first. SQLite makes one index for
// constraints that say the same, and none for a primary key that is the rowid.
func (t *table) keys() (keys []key) {
	rowid := 0
	if t.primary != nil {
		keys = append(keys, *t.primary)
		if t.hasRowidAlias() {
			rowid = 1
		}
	}
	for _, k := range t.unique {
		indexed := keys[rowid:]
		i := slices.IndexFunc(indexed, func(earlier key) bool { return t.sameColumns(earlier, k) })
		if i < 0 {
			keys = append(keys, k)
		} else if indexed[i].conflict == "" {
			indexed[i].conflict = k.conflict
		}
	}
	return keys
}

func (t *table) sameColumns(a, b key) bool {
	return slices.EqualFunc(a.columns, b.columns, func(a, b keyColumn) bool {
		return Equal(a.name, b.name) && a.desc == b.desc && t.collation(a) == t.collation(b)
	})
}

// keyPart describes a key. A primary key that is the rowid has no order and no
// collation.
func (t *table) keyPart(name string, k key) part {
	rowid := name == "PRIMARY KEY" && t.hasRowidAlias()
	p := part{name: name, text: name + " ("}
	for i, c := range k.columns {
		if i > 0 {
			p.write(", ", ", ")
		}
		p.write(quoteFolded(c.name), c.name)
		if collation := t.collation(c); collation != t.columnCollation(c.name) && !rowid {
			p.write(" COLLATE "+collation, " COLLATE "+c.collation)
		}
		if c.desc && !rowid {
			p.write(" DESC", " DESC")
		}
	}
	end := ")"
	if k.autoincrement {
		end = " AUTOINCREMENT)"
	}
	end += onConflict(k.conflict)
	p.write(end, end)
	return p
}

func onConflict(how string) string {
	if how == "" {
		return ""
	}
	return " ON CONFLICT " + strings.ToUpper(how)
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

// isNotNull reports whether the column is NOT NULL, because it says so or because it
// is in the primary key of a table of a kind where that suffices.
//
// https://sqlite.org/withoutrowid.html
// https://sqlite.org/stricttables.html
func (t *table) isNotNull(c *column) bool {
	return c.notNull || t.inKey(c) && (t.withoutRowid || t.strict && !t.hasRowidAlias())
}

// inKey reports whether c is a column of the primary key.
func (t *table) inKey(c *column) bool {
	return t.primary != nil && slices.ContainsFunc(t.primary.columns, func(k keyColumn) bool { return Equal(k.name, c.name) })
}

// column returns the column of that name, or nil.
func (t *table) column(name string) *column {
	i := slices.IndexFunc(t.columns, func(c column) bool { return Equal(c.name, name) })
	if i < 0 {
		return nil
	}
	return &t.columns[i]
}

// collation returns the collation of a column in a key.
func (t *table) collation(c keyColumn) string {
	if c.collation != "" {
		return Fold(c.collation)
	}
	return t.columnCollation(c.name)
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
	return t.column(name) != nil || Equal(name, t.name)
}

// knowsNothing is for an expression that has no table.
func knowsNothing(string) bool { return false }

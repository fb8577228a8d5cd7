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
	generated []lexeme // nil: it is not
	stored    bool
}

// A key is a PRIMARY KEY or a UNIQUE constraint.
type key struct {
	columns       []keyColumn
	conflict      string
	autoincrement bool
	inline        bool // stands in the definition of its column
}

type keyColumn struct {
	name, collation string
	desc            bool
}

type foreignKey struct {
	columns            []string
	parent             string
	parentColumns      []string
	onDelete, onUpdate string // "" is NO ACTION
	deferred           bool
}

// parseTable reads a CREATE TABLE statement. ok is false for what it does not
// understand.
//
// https://sqlite.org/lang_createtable.html
func parseTable(lexemes []lexeme) (t *table, ok bool) {
	p := &tableParser{parser: parser{lexemes: lexemes}}
	p.table()
	return &p.t, !p.failed
}

type tableParser struct {
	parser
	t table
}

func (p *tableParser) table() {
	kind, name, _ := p.create()
	if kind != "table" {
		p.failed = true
	}
	p.t.name = name
	p.expect("(")
	for more := true; more && !p.failed; more = p.accept(",") {
		if p.atConstraint() {
			break
		}
		p.column()
	}
	for !p.failed && !p.peek(")") {
		p.constraint()
		p.accept(",") // between constraints it can be missing
	}
	p.expect(")")
	for !p.done() {
		switch {
		case p.accept("strict"):
			p.t.strict = true
		case p.accept("without", "rowid"):
			p.t.withoutRowid = true
		default:
			p.failed = true
		}
		p.accept(",")
	}
}

// atConstraint reports whether a constraint of the table follows. None of the
// words can be the name of a column.
func (p *tableParser) atConstraint() bool {
	return p.peek("constraint") || p.peek("primary") || p.peek("unique") || p.peek("check") || p.peek("foreign")
}

func (p *tableParser) column() {
	c := column{name: p.name()}
	begin := p.at
	for p.atType() {
		p.at++
	}
	if p.at > begin && p.peek("(") {
		p.group()
	}
	c.typ = p.lexemes[begin:p.at]
	for !p.failed && !p.peek(",") && !p.peek(")") {
		p.columnConstraint(&c)
	}
	p.t.columns = append(p.t.columns, c)
}

// atType reports whether what follows can be a word of a column's type.
func (p *tableParser) atType() bool {
	if p.done() {
		return false
	}
	switch l := p.lexemes[p.at]; l.kind {
	case Quoted, String:
		return true
	case Word:
		switch Fold(l.text) {
		case "constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references", "deferrable", "as":
			return false
		case "generated":
			return !p.peek("generated", "always", "as")
		}
		return true
	}
	return false
}

func (p *tableParser) columnConstraint(c *column) {
	switch {
	case p.accept("constraint"):
		p.name()
	case p.accept("null"):
		p.conflict()
	case p.accept("not", "null"):
		c.notNull, c.conflict = true, p.conflict()
	case p.accept("default"):
		if p.peek("(") {
			c.value = p.group()
			break
		}
		begin := p.at
		if !p.accept("+") {
			p.accept("-")
		}
		p.next()
		c.value = p.lexemes[begin:p.at]
	case p.accept("collate"):
		c.collation = p.name()
	case p.accept("generated", "always", "as"), p.accept("as"):
		c.generated = p.group()
		if c.stored = p.accept("stored"); !c.stored {
			p.accept("virtual")
		}
	case p.accept("primary", "key"):
		desc := p.accept("desc")
		if !desc {
			p.accept("asc")
		}
		p.t.primary = &key{
			columns:       []keyColumn{{name: c.name, desc: desc}},
			conflict:      p.conflict(),
			autoincrement: p.accept("autoincrement"),
			inline:        true,
		}
	case p.accept("unique"):
		p.t.unique = append(p.t.unique, key{columns: []keyColumn{{name: c.name}}, conflict: p.conflict()})
	case p.accept("check"):
		p.t.checks = append(p.t.checks, p.group())
	case p.accept("references"):
		p.references([]string{c.name})
	case p.peek("not", "deferrable"), p.peek("deferrable"):
		p.deferrable()
	default:
		p.failed = true
	}
}

func (p *tableParser) constraint() {
	switch {
	case p.accept("constraint"):
		p.name()
	case p.accept("primary", "key"):
		k := p.key()
		p.t.primary = &k
	case p.accept("unique"):
		p.t.unique = append(p.t.unique, p.key())
	case p.accept("check"):
		p.t.checks = append(p.t.checks, p.group())
		p.conflict() // is read by SQLite and has no effect
	case p.accept("foreign", "key"):
		columns := p.names()
		p.expect("references")
		p.references(columns)
	case p.peek("not", "deferrable"), p.peek("deferrable"):
		p.deferrable()
	default:
		p.failed = true
	}
}

// conflict takes an ON CONFLICT clause. ABORT is what holds without one.
//
// https://sqlite.org/lang_conflict.html
func (p *tableParser) conflict() string {
	if !p.accept("on", "conflict") {
		return ""
	}
	how := p.next().key
	if how == "abort" {
		return ""
	}
	return how
}

// key takes the columns of a key of the table.
func (p *tableParser) key() (k key) {
	p.expect("(")
	for more := true; more && !p.failed; more = p.accept(",") {
		c := keyColumn{name: p.name()}
		if p.accept("collate") {
			c.collation = p.name()
		}
		if c.desc = p.accept("desc"); !c.desc {
			p.accept("asc")
		}
		k.columns = append(k.columns, c)
	}
	k.autoincrement = p.accept("autoincrement")
	p.expect(")")
	k.conflict = p.conflict()
	return k
}

// names takes names in parentheses.
func (p *tableParser) names() (names []string) {
	p.expect("(")
	for more := true; more && !p.failed; more = p.accept(",") {
		names = append(names, p.name())
	}
	p.expect(")")
	return names
}

// references takes what stands behind REFERENCES. MATCH is read by SQLite and
// has no effect.
//
// https://sqlite.org/foreignkeys.html#fk_unsupported
func (p *tableParser) references(columns []string) {
	fk := foreignKey{columns: columns, parent: p.name()}
	if p.peek("(") {
		fk.parentColumns = p.names()
	}
	for !p.failed {
		switch {
		case p.accept("on", "delete"):
			fk.onDelete = p.action()
			continue
		case p.accept("on", "update"):
			fk.onUpdate = p.action()
			continue
		case p.accept("on", "insert"): // SQLite's grammar has it
			p.action()
			continue
		case p.accept("match"):
			p.name()
			continue
		}
		break
	}
	p.t.foreign = append(p.t.foreign, fk)
	if p.peek("not", "deferrable") || p.peek("deferrable") {
		p.deferrable()
	}
}

func (p *tableParser) action() string {
	switch {
	case p.accept("set", "null"):
		return "SET NULL"
	case p.accept("set", "default"):
		return "SET DEFAULT"
	case p.accept("cascade"):
		return "CASCADE"
	case p.accept("restrict"):
		return "RESTRICT"
	}
	p.expect("no", "action")
	return ""
}

// deferrable takes a clause that says when the last foreign key is checked. All
// of them but DEFERRABLE INITIALLY DEFERRED mean: at once.
//
// https://sqlite.org/foreignkeys.html#fk_deferred
func (p *tableParser) deferrable() {
	not := p.accept("not")
	p.expect("deferrable")
	deferred := p.accept("initially", "deferred")
	if !deferred {
		p.accept("initially", "immediate")
	}
	if n := len(p.t.foreign); n > 0 {
		p.t.foreign[n-1].deferred = deferred && !not
	}
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
		s.parts = append(s.parts, t.keyPart(name, k))
	}
	for _, check := range t.checks {
		check = unwrap(check)
		s.parts = append(s.parts, part{"CHECK", form(check, t.knows), "CHECK (" + show(check) + ")"})
	}
	for _, fk := range t.foreign {
		s.parts = append(s.parts, fk.part())
	}
	s.sort()
	if t.strict {
		s.parts = append(s.parts, part{"STRICT", "", "STRICT"})
	}
	if t.withoutRowid {
		s.parts = append(s.parts, part{"WITHOUT ROWID", "", "WITHOUT ROWID"})
	}
	return s
}

func (t *table) columnPart(c *column) part {
	forms := []string{c.typeForm()}
	var texts []string
	add := func(form, text string) {
		forms, texts = append(forms, form), append(texts, text)
	}
	if len(c.typ) > 0 {
		texts = append(texts, show(c.typ))
	}
	if t.isNotNull(c) {
		conflict := ""
		if c.conflict != "" {
			conflict = " ON CONFLICT " + strings.ToUpper(c.conflict)
		}
		add("NOT NULL"+conflict, "NOT NULL"+conflict)
	}
	if c.value != nil {
		value := unwrap(c.value)
		text := "DEFAULT " + show(value)
		if len(value) > 2 {
			text = "DEFAULT (" + show(value) + ")"
		}
		add("DEFAULT "+form(value, knowsNothing), text)
	}
	if collation := t.columnCollation(c.name); collation != "binary" {
		add("COLLATE "+collation, "COLLATE "+c.collation)
	}
	if c.generated != nil {
		stored := ""
		if c.stored {
			stored = " STORED"
		}
		generated := unwrap(c.generated)
		add("AS ("+form(generated, t.knows)+")"+stored, "AS ("+show(generated)+")"+stored)
	}
	return part{c.name, strings.Join(forms, "\n"), strings.Join(texts, " ")}
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
// constraints that say the same; a primary key that is the rowid has none.
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

// keyPart describes a key. Where the primary key is the rowid it has no order and
// no collation.
func (t *table) keyPart(name string, k key) part {
	rowid := name == "PRIMARY KEY" && t.hasRowidAlias()
	var forms, texts []string
	for _, c := range k.columns {
		form, text := quoteFolded(c.name), c.name
		if collation := t.collation(c); collation != t.columnCollation(c.name) && !rowid {
			form += " COLLATE " + collation
			text += " COLLATE " + c.collation
		}
		if c.desc && !rowid {
			form += " DESC"
			text += " DESC"
		}
		forms, texts = append(forms, form), append(texts, text)
	}
	end := ")"
	if k.autoincrement {
		end = " AUTOINCREMENT)"
	}
	if k.conflict != "" {
		end += " ON CONFLICT " + strings.ToUpper(k.conflict)
	}
	return part{name, strings.Join(forms, ", ") + end, name + " (" + strings.Join(texts, ", ") + end}
}

func (fk foreignKey) part() part {
	clause := func(name func(string) string) string {
		names := func(list []string) string {
			out := make([]string, len(list))
			for i, s := range list {
				out[i] = name(s)
			}
			return " (" + strings.Join(out, ", ") + ")"
		}
		s := "FOREIGN KEY" + names(fk.columns) + " REFERENCES " + name(fk.parent)
		if fk.parentColumns != nil {
			s += names(fk.parentColumns)
		}
		if fk.onDelete != "" {
			s += " ON DELETE " + fk.onDelete
		}
		if fk.onUpdate != "" {
			s += " ON UPDATE " + fk.onUpdate
		}
		if fk.deferred {
			s += " DEFERRABLE INITIALLY DEFERRED"
		}
		return s
	}
	asWritten := func(name string) string { return name }
	return part{"FOREIGN KEY", clause(quoteFolded), clause(asWritten)}
}

// hasRowidAlias reports whether the primary key is the rowid. Behind the column
// itself DESC prevents that, in a constraint of the table it does not.
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

// knowsNothing is what an expression can refer to that has no table.
func knowsNothing(string) bool { return false }

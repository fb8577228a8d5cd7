package sqltext

import "strings"

// parseTable reads a CREATE TABLE statement. ok is false if it does not understand
// the statement.
//
// https://sqlite.org/lang_createtable.html
//
//go:noinline
func parseTable(lexemes []lexeme) (t *table, ok bool) {
	p := &tableParser{parser: parser{lexemes: lexemes}, t: &table{}}
	p.table()
	return p.t, !p.failed
}

type tableParser struct {
	parser
	t      *table
	called string // the constraint that follows
}

func (p *tableParser) table() {
	kind, name, _ := p.object()
	p.failed = p.failed || kind != "table"
	p.t.name = name
	p.expect("(")
	// The table's constraints follow. None of the words can be the name of a column.
	for more := true; more && !p.failed && !isOneOf(Fold(p.ahead().text), "constraint primary unique check foreign"); more = p.accept(",") {
		p.column()
	}
	for !p.failed && !p.peek(")") {
		p.constraint(nil)
		p.accept(",") // optional between constraints
	}
	p.expect(")")
	for !p.done() {
		switch {
		case p.accept("strict"):
			p.t.strict = true
		case p.accept("without rowid"):
			p.t.withoutRowid = true
		default:
			p.failed = true
		}
		p.accept(",")
	}
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
		p.constraint(&c)
	}
	p.t.columns = append(p.t.columns, c)
}

// atType reports whether what follows can be a word of a column's type.
func (p *tableParser) atType() bool {
	l := p.ahead()
	clause := isOneOf(Fold(l.text), "constraint primary not null unique check default collate references deferrable as") || p.peek("generated always as")
	return !clause && (l.kind == Word || l.kind == Quoted || l.kind == String)
}

// constraint takes a constraint of a column, or of the table if c is nil.
func (p *tableParser) constraint(c *column) {
	switch {
	case p.accept("constraint"):
		p.called = p.name()
		return
	case p.accept("check"):
		p.t.checks, p.t.checkNames = append(p.t.checks, p.group()), append(p.t.checkNames, p.called)
		p.conflict() // has no effect
	case p.accept("primary key"):
		p.t.primary = p.key(c)
	case p.accept("unique"):
		p.t.unique = append(p.t.unique, p.key(c))
	case c == nil && p.accept("foreign key"):
		columns := p.names()
		p.expect("references")
		p.references(columns)
	case c == nil:
		p.deferrable()
	case p.accept("references"):
		p.references([]string{c.name})
	case p.accept("null"):
		p.conflict()
	case p.accept("not null"):
		c.notNull, c.conflict = true, p.conflict()
	case p.accept("default"):
		c.value = p.value()
	case p.accept("collate"):
		c.collation = p.name()
	case p.accept("generated always as"), p.accept("as"):
		c.generated = p.group()
		if c.stored = p.accept("stored"); !c.stored {
			p.accept("virtual")
		}
	default:
		p.deferrable()
	}
	p.called = ""
}

// value takes what follows DEFAULT.
func (p *tableParser) value() []lexeme {
	begin := p.at
	if p.peek("(") {
		p.group()
	} else {
		if !p.accept("+") {
			p.accept("-")
		}
		p.next()
	}
	return p.lexemes[begin:p.at]
}

// conflict takes an ON CONFLICT clause and returns it, or "" for ABORT, the default.
//
// https://sqlite.org/lang_conflict.html
func (p *tableParser) conflict() string {
	if !p.accept("on conflict") || p.accept("abort") {
		return ""
	}
	return " ON CONFLICT " + strings.ToUpper(p.next().text)
}

// desc takes the order of a column. ASC is the default.
func (p *parser) desc() bool { return !p.accept("asc") && p.accept("desc") }

// key takes the rest of a key: of a column, or of the table if c is nil.
func (p *tableParser) key(c *column) *key {
	k := &key{inline: c != nil}
	if c != nil {
		k.columns = []keyColumn{{name: c.name, desc: p.desc()}}
	} else {
		p.list(func() {
			c := keyColumn{name: p.name()}
			if p.accept("collate") {
				c.collation = p.name()
			}
			c.desc = p.desc()
			k.columns = append(k.columns, c)
			k.autoincrement = p.accept("autoincrement")
		})
	}
	k.conflict = p.conflict()
	k.autoincrement = p.accept("autoincrement") || k.autoincrement
	return k
}

// names takes names in parentheses.
//
//go:noinline
func (p *tableParser) names() (names []string) {
	p.list(func() { names = append(names, p.name()) })
	return names
}

// list takes items in parentheses.
func (p *tableParser) list(item func()) {
	p.expect("(")
	for item(); p.accept(","); item() {
	}
	p.expect(")")
}

// references takes what follows REFERENCES. MATCH has no effect.
//
// https://sqlite.org/foreignkeys.html#fk_unsupported
func (p *tableParser) references(columns []string) {
	fk := foreignKey{columns: columns, parent: p.name()}
	if p.peek("(") {
		fk.to = p.names()
	}
	for {
		switch {
		case p.accept("on delete"):
			fk.clauses[0] = p.action(" ON DELETE ")
		case p.accept("on update"):
			fk.clauses[1] = p.action(" ON UPDATE ")
		case p.accept("on insert"): // SQLite's grammar has it
			p.action("")
		case p.accept("match"):
			p.name()
		default:
			p.t.foreign = append(p.t.foreign, fk)
			return
		}
	}
}

// action takes an action and returns it after the event, or "" for NO ACTION.
func (p *tableParser) action(event string) string {
	for _, action := range []string{"SET NULL", "SET DEFAULT", "CASCADE", "RESTRICT"} {
		if p.accept(Fold(action)) {
			return event + action
		}
	}
	p.expect("no action")
	return ""
}

// deferrable takes a clause that says when the last foreign key is checked: only
// DEFERRABLE INITIALLY DEFERRED means not at once. The last such clause counts.
//
// https://sqlite.org/foreignkeys.html#fk_deferred
func (p *tableParser) deferrable() {
	end := ""
	not := p.accept("not")
	p.expect("deferrable")
	if p.accept("initially deferred") && !not {
		end = " DEFERRABLE INITIALLY DEFERRED"
	}
	p.accept("initially immediate")
	if n := len(p.t.foreign); n > 0 {
		p.t.foreign[n-1].clauses[2] = end
	}
}

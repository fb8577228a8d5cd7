package sqltext

import (
	"strings"
)

// A Write is what an UPDATE, an INSERT … SELECT or a CREATE UNIQUE INDEX makes of the rows
// of one table.
type Write struct {
	Table   string   // it writes to this
	Source  string   // and reads rows of this
	Alias   string   // which it calls this
	Columns []string // the columns that it names
	Values  string   // their values, each after a comma
	From    string   // what follows FROM in a query for the rows; "" for an index
	Where   string   // of an UPDATE or an index
	Update  bool
	Key     []string // the terms of an index
	Check   string   // of a new column, whose value is its DEFAULT
}

// Write returns what the statement writes. ok is false if it is another statement, if a row
// that it writes can depend on several rows or on chance, or if it leaves something behind
// when it fails.
func (s *Statement) Write() (w *Write, ok bool) {
	w = &Write{}
	p := &tableParser{parser: parser{lexemes: lex(s.SQL)}, t: &table{}}
	switch s.Keyword() {
	case "create":
		kind, _, unique := p.object()
		p.failed = p.failed || kind != "index" || !unique
		w.index(p)
	case "insert":
		w.insert(p)
	case "update":
		w.update(p)
	case "alter":
		w.add(p)
	default:
		return w, false
	}
	return w, !p.failed && (p.done() || p.peek("returning")) && !strings.Contains(Fold(w.Values), "random")
}

// add takes a new column with a CHECK and a constant DEFAULT that is stored as written.
func (w *Write) add(p *tableParser) {
	p.next()
	p.expect("table")
	w.Table = p.qualified()
	w.Source, w.Alias, w.Values = w.Table, "c", ", NULL"
	p.expect("add")
	p.accept("column")
	p.lexemes = append(p.lexemes, lex(")")...) // as in CREATE TABLE
	p.column()
	p.expect(")")
	c := p.t.columns[0]
	var checks []string
	for _, check := range p.t.checks {
		checks = append(checks, exact(check))
	}
	w.Columns, w.Check = []string{c.name}, "("+strings.Join(checks, ") AND (")+")"
	p.failed = p.failed || len(checks) == 0 || c.generated != nil || c.collation != "" || strings.Contains(Fold(w.Check), "typeof")
	if c.value != nil {
		w.Values = ", " + exact(c.value)
		isText, last := p.t.affinity(&c) == "text", c.value[len(c.value)-1]
		p.failed = p.failed || isText != (last.kind == String) || last.kind != String && last.kind != Number && !isOneOf(Fold(last.text), "true false null")
	}
}

func (w *Write) index(p *tableParser) {
	p.expect("on")
	w.Table = p.name()
	w.Source, w.Alias = w.Table, "c"
	for terms := (&parser{lexemes: p.group()}); !terms.done(); terms.accept(",") {
		if p.failed = p.failed || terms.lexemes[terms.at].kind == String; p.failed { // may be a column
			return
		}
		w.Key = append(w.Key, exact(terms.until(", asc desc")))
		terms.desc()
	}
	if w.Where = "1"; p.accept("where") {
		w.Where = exact(p.until(""))
	}
}

// Indexed returns what is true of the rows that a unique index must not have twice.
func (w *Write) Indexed() string {
	return "(" + strings.Join(w.Key, ") IS NOT NULL AND (") + ") IS NOT NULL AND (" + w.Where + ")"
}

// verb takes the first word of the statement, and what it does on a conflict.
func (p *tableParser) verb() {
	p.next()
	if p.accept("or") && !p.accept("abort") && !p.accept("replace") {
		p.failed = true
	}
}

// source takes what the rows of a table are called, if not by its name.
func (w *Write) source(p *tableParser, table string) {
	w.Source, w.Alias = table, table
	if l := p.ahead(); p.accept("as") || l.kind == Quoted || l.kind == Word && !isKeyword(Fold(l.text)) {
		w.Alias = p.name()
	}
}

func (w *Write) insert(p *tableParser) {
	p.verb()
	p.expect("into")
	w.Table = p.qualified()
	if p.peek("(") {
		w.Columns = p.names()
	}
	p.expect("select")
	p.failed = p.failed || p.peek("distinct")
	w.Values = ", " + exact(p.until("from"))
	p.expect("from")
	begin := p.at
	w.source(p, p.qualified())
	p.failed = p.failed || !p.done() && !p.peek("where") && !p.peek("order") && !p.peek("returning")
	p.until("group having union intersect except limit window on returning")
	w.From = exact(p.lexemes[begin:p.at])
}

func (w *Write) update(p *tableParser) {
	p.verb()
	w.Table = p.qualified()
	w.source(p, w.Table)
	p.expect("set")
	for more := true; more && !p.failed; more = p.accept(",") {
		w.Columns = append(w.Columns, p.name())
		p.expect("=")
		w.Values += ", " + exact(p.until(", from where order limit returning"))
	}
	w.From = "main." + Quote(w.Table) + " AS " + Quote(w.Alias)
	if w.Where = "1"; p.accept("where") {
		w.Where = exact(p.until("order limit returning"))
		w.From += " WHERE " + w.Where
	}
	w.Update = true
	// What is in SET reads the table as it is by then, with some rows written.
	values := Fold(w.Values)
	p.failed = p.failed || strings.Contains(values, "select") && strings.Contains(values, Fold(w.Table))
}

// FindCheck returns the expression of the CHECK that SQLite calls by this name in an error,
// or "". A CHECK without a name goes by its text, without quotes around the first word.
func FindCheck(create, name string) (check string) {
	t, _ := parseTable(lex(create))
	spaced, n := exact(lex(name)), 0
	for i, c := range t.checks {
		text, called := exact(c), t.checkNames[i]
		if called == "" && (c[0].kind == Quoted || c[0].kind == String) {
			called = Unquote(c[0].text)
		}
		if called == name || called == "" && text == spaced {
			check = text
			n++
		}
	}
	if n > 1 {
		return ""
	}
	return check
}

package sqltext

import (
	"slices"
	"strings"
)

// A part is something that a table has: a column, a constraint, an option. Its
// key is the same for whatever means the same.
type part struct {
	key  string
	show string // for people
}

// A structure is what a CREATE TABLE statement means, whatever its wording: a
// column added by ALTER TABLE, whose definition SQLite appends to the text, and
// one that was there from the beginning; a constraint on the column, and the same
// one on the table. The names of constraints are not part of it.
type structure struct {
	columns     []column
	constraints []part // sorted by key
}

type column struct {
	name string // as written, without quotes
	part        // type, NOT NULL, DEFAULT, COLLATE, GENERATED
}

// parseTable returns the structure of a table. ok is false for what it does not
// understand, virtual tables included.
//
// https://sqlite.org/lang_createtable.html
func parseTable(sql string) (s structure, ok bool) {
	p := newParser(sql)
	p.expect("create")
	p.expect("table")
	p.next()
	p.expect("(")
	for !p.failed {
		if p.peek("constraint", "primary", "unique", "check", "foreign") {
			s.tableConstraint(p)
		} else {
			s.column(p)
		}
		if p.accept(")") {
			break
		}
		// The comma between two constraints of the table can be missing.
		if !p.accept(",") && !p.peek("constraint", "primary", "unique", "check", "foreign") {
			p.failed = true
		}
	}
	for !p.failed && !p.done() {
		switch {
		case p.accept("strict"):
			s.add(part{"strict", "STRICT"})
		case p.accept("without"):
			p.expect("rowid")
			s.add(part{"without rowid", "WITHOUT ROWID"})
		default:
			p.failed = true
		}
		if !p.accept(",") && !p.done() {
			p.failed = true
		}
	}
	slices.SortFunc(s.constraints, func(a, b part) int { return strings.Compare(a.key, b.key) })
	s.constraints = slices.CompactFunc(s.constraints, func(a, b part) bool { return a.key == b.key })
	return s, !p.failed
}

func (s *structure) add(c part) { s.constraints = append(s.constraints, c) }

// column parses the definition of a column. Constraints that a table can have as
// well become constraints of the table.
func (s *structure) column(p *parser) {
	name := p.name()
	c := column{name: unquote(name.text)}
	var typ, notNull, value, collate, generated part
	begin := p.at
	for !p.peek("constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references", "generated", "as", ",", ")", "(") && !p.done() {
		p.next()
	}
	if p.at > begin && p.peek("(") {
		p.parens()
	}
	typ = p.since(begin, "")
	for !p.failed && !p.peek(",", ")") {
		begin := p.at
		switch {
		case p.accept("constraint"):
			p.next()
		case p.accept("null"):
			p.conflict()
		case p.accept("not"):
			if p.accept("null") {
				notNull = part{"not null", "NOT NULL"}.and(p.conflict())
			} else {
				p.expect("deferrable") // of the foreign key before it; that is so anyway
				p.initially()
			}
		case p.accept("default"):
			if begin := p.at; p.accept("+") || p.accept("-") {
				p.next()
				value = p.since(begin, "DEFAULT ")
			} else {
				p.term()
				value = p.since(begin, "DEFAULT ")
			}
		case p.accept("collate"):
			collate = p.named("COLLATE ")
		case p.accept("generated"):
			p.expect("always")
			p.expect("as")
			generated = p.generated()
		case p.accept("as"):
			generated = p.generated()
		case p.accept("primary"):
			p.expect("key")
			// Here DESC keeps the column from being the rowid; on the table it does not.
			// https://sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key
			key := part{"primary key ", "PRIMARY KEY "}
			if p.accept("desc") {
				key = part{"primary key desc ", "PRIMARY KEY DESC "}
			} else {
				p.accept("asc")
			}
			key = key.and(part{"(" + name.key + ")", "(" + name.text + ")"}, p.conflict())
			if p.accept("autoincrement") {
				key = key.and(part{" autoincrement", " AUTOINCREMENT"})
			}
			s.add(key)
		case p.accept("unique"):
			s.add(part{"unique (" + name.key + ")", "UNIQUE (" + name.text + ")"}.and(p.conflict()))
		case p.accept("check"):
			s.check(p)
		case p.accept("references"):
			s.add(part{"foreign key (" + name.key + ")", "FOREIGN KEY (" + name.text + ")"}.and(p.references()))
		case p.peek("deferrable"):
			// Only behind REFERENCES, which takes it.
			p.failed = true
		default:
			p.failed = true
		}
		if p.at == begin {
			p.failed = true
		}
	}
	for _, d := range []part{typ, notNull, value, collate, generated} {
		c.part = c.part.join(d)
	}
	s.columns = append(s.columns, c)
}

func (s *structure) tableConstraint(p *parser) {
	if p.accept("constraint") {
		p.next()
	}
	switch {
	case p.accept("primary"):
		p.expect("key")
		c := part{"primary key ", "PRIMARY KEY "}
		list, auto := p.columns()
		c = c.and(list, p.conflict())
		if auto {
			c = c.and(part{" autoincrement", " AUTOINCREMENT"})
		}
		s.add(c)
	case p.accept("unique"):
		list, _ := p.columns()
		s.add(part{"unique ", "UNIQUE "}.and(list, p.conflict()))
	case p.accept("check"):
		s.check(p)
	case p.accept("foreign"):
		p.expect("key")
		list, _ := p.columns()
		p.expect("references")
		s.add(part{"foreign key ", "FOREIGN KEY "}.and(list, p.references()))
	default:
		p.failed = true // the name of a constraint, and no constraint
	}
}

func (s *structure) check(p *parser) {
	begin := p.at
	p.parens()
	s.add(p.since(begin, "CHECK ").and(p.conflict()))
}

// and returns the parts as one.
func (a part) and(more ...part) part {
	for _, b := range more {
		a.key += b.key
		a.show += b.show
	}
	return a
}

// join returns both parts with a blank between them.
func (a part) join(b part) part {
	if a.key == "" || b.key == "" {
		return a.and(b)
	}
	return a.and(part{" ", " "}, b)
}

// A parser goes through the lexemes of a CREATE statement. Once it has failed it
// stays so.
type parser struct {
	lexemes []lexeme
	at      int
	failed  bool
}

func newParser(sql string) *parser { return &parser{lexemes: lex(sql)} }

func (p *parser) done() bool { return p.at >= len(p.lexemes) }

// next returns the next lexeme.
func (p *parser) next() lexeme {
	if p.done() {
		p.failed = true
		return lexeme{}
	}
	p.at++
	return p.lexemes[p.at-1]
}

// peek reports whether the next lexeme is one of the keywords.
func (p *parser) peek(words ...string) bool {
	return !p.done() && p.lexemes[p.at].kind != Quoted && p.lexemes[p.at].kind != String && slices.Contains(words, p.lexemes[p.at].key)
}

func (p *parser) accept(word string) bool {
	if p.peek(word) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(word string) {
	if !p.accept(word) {
		p.failed = true
	}
}

// name takes a name. A string can stand for one.
func (p *parser) name() lexeme {
	l := p.next()
	switch l.kind {
	case Word, Quoted:
	case String:
		l.key = quotedKey(l.text)
	default:
		p.failed = true
	}
	return l
}

func (p *parser) named(prefix string) part {
	n := p.name()
	return part{lower(prefix) + n.key, prefix + n.text}
}

// parens takes what stands between a parenthesis and the one that closes it.
func (p *parser) parens() {
	p.expect("(")
	for depth := 1; depth > 0 && !p.failed; {
		switch p.next().text {
		case "(":
			depth++
		case ")":
			depth--
		}
	}
}

// term takes the operand of DEFAULT: a literal, a name, or an expression in
// parentheses.
func (p *parser) term() {
	if p.peek("(") {
		p.parens()
	} else {
		p.next()
	}
}

// since returns the lexemes from begin to here as a part.
func (p *parser) since(begin int, prefix string) part {
	out := part{key: lower(prefix), show: prefix}
	if p.failed {
		return out
	}
	for i, l := range p.lexemes[begin:p.at] {
		if i > 0 {
			out.key += "\x00"
			out.show += space(p.lexemes[begin+i-1], l)
		}
		out.key += l.key
		out.show += l.text
	}
	return out
}

// space returns what people expect between two lexemes.
func space(a, b lexeme) string {
	switch {
	case a.text == "(" || b.text == ")" || b.text == "," || a.text == "." || b.text == ".":
		return ""
	case b.text == "(" && a.kind == Word && !isKeyword(a.key):
		return ""
	}
	return " "
}

// conflict takes an ON CONFLICT clause. ABORT is what holds without one.
func (p *parser) conflict() part {
	if !p.peek("on") {
		return part{}
	}
	p.next()
	p.expect("conflict")
	how := p.next()
	if how.key == "abort" {
		return part{}
	}
	return part{" on conflict " + how.key, " ON CONFLICT " + strings.ToUpper(how.key)}
}

// generated takes the expression of a generated column. VIRTUAL is what holds
// without a word.
func (p *parser) generated() part {
	begin := p.at
	p.parens()
	g := p.since(begin, "AS ")
	if p.accept("stored") {
		g = g.and(part{" stored", " STORED"})
	} else {
		p.accept("virtual")
	}
	return g
}

// columns takes the columns of a key or foreign key, and whether AUTOINCREMENT
// stands behind them.
func (p *parser) columns() (list part, auto bool) {
	p.expect("(")
	list = part{"(", "("}
	for !p.failed {
		n := p.name()
		c := part{n.key, n.text}
		if p.accept("collate") {
			c = c.join(p.named("COLLATE "))
		}
		if p.accept("desc") {
			c = c.and(part{" desc", " DESC"})
		} else {
			p.accept("asc")
		}
		list = list.and(c)
		auto = p.accept("autoincrement")
		if p.accept(")") {
			return list.and(part{")", ")"}), auto
		}
		p.expect(",")
		list = list.and(part{",", ", "})
	}
	return list, auto
}

// references takes what stands behind REFERENCES. What holds without saying so is
// left out: NO ACTION, MATCH, and everything about deferral but INITIALLY DEFERRED.
//
// https://sqlite.org/foreignkeys.html
func (p *parser) references() part {
	r := p.named(" REFERENCES ")
	if p.peek("(") {
		list, _ := p.columns()
		r = r.join(list)
	}
	var onDelete, onUpdate, deferred part
	for !p.failed {
		switch {
		case p.accept("match"):
			p.next()
		case p.peek("on"):
			p.next()
			event := p.next().key
			action := p.next().key
			if action == "set" || action == "no" {
				action += " " + p.next().key
			}
			if action == "no action" {
				action = ""
			} else {
				action = " on " + event + " " + action
			}
			switch event {
			case "delete":
				onDelete = part{action, strings.ToUpper(action)}
			case "update":
				onUpdate = part{action, strings.ToUpper(action)}
			default:
				p.failed = true
			}
		case p.peek("not") && p.at+1 < len(p.lexemes) && p.lexemes[p.at+1].key == "deferrable":
			p.at += 2
			p.initially()
			deferred = part{}
		case p.accept("deferrable"):
			deferred = part{}
			if p.initially() {
				deferred = part{" deferrable initially deferred", " DEFERRABLE INITIALLY DEFERRED"}
			}
		default:
			return r.and(onDelete, onUpdate, deferred)
		}
	}
	return r
}

// initially takes INITIALLY DEFERRED or INITIALLY IMMEDIATE, and reports whether
// it was the former.
func (p *parser) initially() bool {
	if !p.accept("initially") {
		return false
	}
	return p.next().key == "deferred"
}

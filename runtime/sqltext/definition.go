package sqltext

import "strings"

// A Definition is what a CREATE, ALTER or DROP statement is about.
type Definition struct {
	Kind    string // "table", "index", "view" or "trigger"
	Name    string // without quotes
	Table   string // of an index or trigger that is created; otherwise Name
	Action  string // of ALTER TABLE, its first word: "add"
	NewName string // of ALTER TABLE … RENAME TO
}

// Definition returns what the statement creates, alters or drops. ok is false if it
// is another statement, or one that SQLite refuses.
func (s *Statement) Definition() (d Definition, ok bool) {
	keyword := s.Keyword()
	if keyword != "create" && keyword != "alter" && keyword != "drop" {
		return d, false
	}
	names := s.SQL // which come before the first parenthesis
	for _, t := range s.script.Tokens[s.First:s.End] {
		if t.Kind == Punct && s.script.Text[t.Pos] == '(' {
			names = s.script.Text[s.Pos:t.Pos]
			break
		}
	}
	p := parser{lexemes: lex(names)}
	d.Kind, d.Name, _ = p.object()
	d.Table = d.Name
	switch {
	case d.Kind == "virtual":
		d.Kind = "table"
	case keyword == "create" && (d.Kind == "index" || d.Kind == "trigger"):
		// ON comes before the table and nowhere else: as a column after UPDATE OF it is
		// in quotes.
		for !p.accept("on") && !p.failed {
			p.next()
		}
		d.Table = p.qualified()
	case keyword == "alter":
		if d.Action = Fold(p.next().text); d.Action == "rename" && p.accept("to") {
			d.NewName = p.name()
		}
	}
	return d, !p.failed
}

// Defines reports whether the statement creates, alters or drops something of this name, or
// gives something the name.
func (s *Statement) Defines(name string) bool {
	d, ok := s.Definition()
	return ok && (Equal(d.Name, name) || Equal(d.NewName, name))
}

// A parser goes through the lexemes of a statement that SQLite accepts. It fails at what
// it does not understand, and stays failed.
type parser struct {
	lexemes []lexeme
	at      int
	failed  bool
}

//go:noinline
func (p *parser) done() bool { return p.failed || p.at == len(p.lexemes) }

// peek reports whether these keywords or punctuation marks follow, in lower case and with
// blanks between.
//
//go:noinline
func (p *parser) peek(words string) bool {
	at := p.at
	found := p.accept(words)
	p.at = at
	return found
}

// accept takes the words, if they follow.
func (p *parser) accept(words string) bool {
	at, word := p.at, ""
	for more := true; more; at++ {
		word, words, more = strings.Cut(words, " ")
		// The text of what is quoted begins with the quote.
		if p.failed || at == len(p.lexemes) || !Equal(p.lexemes[at].text, word) {
			return false
		}
	}
	p.at = at
	return true
}

// expect takes the words, which must follow.
//
//go:noinline
func (p *parser) expect(words string) {
	if !p.accept(words) {
		p.failed = true
	}
}

// ahead returns what follows, without taking it.
func (p *parser) ahead() (l lexeme) {
	if !p.done() {
		l = p.lexemes[p.at]
	}
	return l
}

// next takes one lexeme, whatever it is.
//
//go:noinline
func (p *parser) next() lexeme {
	if p.failed = p.done(); p.failed {
		return lexeme{}
	}
	p.at++
	return p.lexemes[p.at-1]
}

// name takes a name and returns it without quotes. A string can be one.
func (p *parser) name() string {
	switch l := p.next(); l.kind {
	case Word, Quoted, String:
		return Unquote(l.text)
	}
	p.failed = true
	return ""
}

// qualified takes a name that can have a schema before it.
func (p *parser) qualified() string {
	name := p.name()
	if p.accept(".") {
		name = p.name()
	}
	return name
}

// group takes parentheses and returns what is between them.
func (p *parser) group() []lexeme {
	p.expect("(")
	inner := p.until(")")
	p.expect(")")
	return inner
}

// until takes what comes before one of the words, outside of parentheses.
func (p *parser) until(words string) []lexeme {
	begin := p.at
	for depth := 0; !p.done(); p.at++ {
		text := p.lexemes[p.at].text
		if depth == 0 && isOneOf(Fold(text), words) {
			break
		}
		switch text {
		case "(":
			depth++
		case ")":
			depth--
		}
	}
	return p.lexemes[begin:p.at]
}

// object takes CREATE, ALTER or DROP and what follows, up to and including the name of
// the object. The kind of a virtual table is "virtual".
func (p *parser) object() (kind, name string, unique bool) {
	p.next()
	if !p.accept("temp") {
		p.accept("temporary")
	}
	unique = p.accept("unique")
	if kind = Fold(p.next().text); kind == "virtual" {
		p.expect("table")
	} else if !isOneOf(kind, "table index view trigger") {
		p.failed = true
	}
	if !p.accept("if not exists") {
		p.accept("if exists")
	}
	return kind, p.qualified(), unique
}

package sqltext

// A parser goes through the lexemes of a CREATE statement that SQLite has
// accepted. What it does not understand makes it fail, and it stays so.
type parser struct {
	lexemes []lexeme
	at      int
	failed  bool
}

func (p *parser) done() bool { return p.failed || p.at == len(p.lexemes) }

// peek reports whether what follows are these keywords or punctuation marks, in
// lower case.
func (p *parser) peek(words ...string) bool {
	if p.failed || len(p.lexemes)-p.at < len(words) {
		return false
	}
	for i, word := range words {
		// The text of what is quoted begins with the quote.
		if !equal(p.lexemes[p.at+i].text, word) {
			return false
		}
	}
	return true
}

// accept takes the words, if they follow.
func (p *parser) accept(words ...string) bool {
	if !p.peek(words...) {
		return false
	}
	p.at += len(words)
	return true
}

// expect takes the words, which have to follow.
func (p *parser) expect(words ...string) {
	if !p.accept(words...) {
		p.failed = true
	}
}

// next takes one lexeme, whatever it is.
func (p *parser) next() lexeme {
	if p.done() {
		p.failed = true
		return lexeme{}
	}
	p.at++
	return p.lexemes[p.at-1]
}

// name takes a name and returns it without quotes. A string can stand for one.
func (p *parser) name() string {
	switch l := p.next(); l.kind {
	case Word, Quoted, String:
		return Unquote(l.text)
	}
	p.failed = true
	return ""
}

// group takes parentheses and returns what is between them.
func (p *parser) group() []lexeme {
	if p.peek("(") {
		if end := closing(p.lexemes, p.at); end > 0 {
			inner := p.lexemes[p.at+1 : end]
			p.at = end + 1
			return inner
		}
	}
	p.failed = true
	return nil
}

// rest takes all that is left.
func (p *parser) rest() []lexeme {
	if p.failed {
		return nil
	}
	rest := p.lexemes[p.at:]
	p.at = len(p.lexemes)
	return rest
}

// create takes the beginning of a CREATE statement, up to and with the name of
// what it creates. virtual tables are of the kind "virtual".
func (p *parser) create() (kind, name string, unique bool) {
	p.expect("create")
	if !p.accept("temp") {
		p.accept("temporary")
	}
	unique = p.accept("unique")
	switch {
	case p.accept("virtual", "table"):
		kind = "virtual"
	case p.peek("table"), p.peek("index"), p.peek("view"), p.peek("trigger"):
		kind = Fold(p.next().text)
	default:
		p.failed = true
	}
	p.accept("if", "not", "exists")
	name = p.name()
	if p.accept(".") {
		name = p.name()
	}
	return kind, name, unique
}

package sqltext

import "strings"

// A lexeme is a token of a CREATE statement, without the space around it.
type lexeme struct {
	kind  Kind
	space bool   // there is a space or a comment before it
	text  string // as written
	key   string // the same for whatever means the same
}

// lex returns the lexemes of a CREATE statement, without the semicolon at its end.
func lex(sql string) []lexeme {
	lexemes := make([]lexeme, 0, len(sql)/6+1)
	var space, table, virtual, module bool
	for pos := 0; pos < len(sql); {
		t := Next(sql, pos)
		pos = t.End
		// Only the module knows what its arguments mean. SQLite passes it comments, too.
		if t.Kind == Space || !module && (t.Kind == Comment || t.Kind == Directive) {
			space = true
			continue
		}
		if t.Kind == Semicolon && strings.TrimSpace(sql[pos:]) == "" {
			break
		}
		n := len(lexemes)
		isDefault := table && n > 0 && lexemes[n-1].kind == Word && lexemes[n-1].key == "default"
		l := lexeme{kind: t.Kind, space: space, text: sql[t.Pos:t.End]}
		space = false
		switch {
		case module || l.kind == String:
			l.key = l.text
		case isDefault && (l.kind == Word || l.kind == Quoted):
			l.key = defaultKey(l)
		case l.kind == Quoted:
			l.key = nameKey(l.text)
		default:
			l.key = Fold(l.text)
		}
		lexemes = append(lexemes, l)
		switch {
		case n == 1:
			table, virtual = l.key == "table", l.key == "virtual"
		case virtual && l.text == "(":
			module = true
		}
	}
	return lexemes
}

// nameKey returns the key of a quoted name. One that means something else without
// quotes keeps them: "unique" after the name of a column is a type, and unique is a
// constraint.
func nameKey(text string) string {
	if name := Name(text); isBare(name) {
		return name
	}
	return quoteFolded(Unquote(text))
}

// defaultKey returns the key of a word after DEFAULT, where SQLite takes a name for
// a string.
func defaultKey(l lexeme) string {
	if key := Fold(l.text); l.kind == Word && isValue(key) {
		return key
	}
	return "'" + strings.ReplaceAll(Unquote(l.text), "'", "''") + "'"
}

// isValue reports whether the word, in lower case, is a value.
func isValue(word string) bool {
	return isOneOf(word, "null true false current_time current_date current_timestamp")
}

// exact returns the lexemes as they are written, one space between them.
//
//go:noinline
func exact(lexemes []lexeme) string { return join(lexemes, true) }

// show returns the lexemes on one line, for people.
func show(lexemes []lexeme) string { return join(lexemes, false) }

func join(lexemes []lexeme, spaces bool) string {
	var b strings.Builder
	for i, l := range lexemes {
		if i > 0 && (spaces || l.space) {
			b.WriteByte(' ')
		}
		b.WriteString(l.text)
	}
	return b.String()
}

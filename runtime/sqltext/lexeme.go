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
		l := lexeme{kind: t.Kind, space: space, text: sql[t.Pos:t.End]}
		space = false
		switch {
		case module || l.kind == String:
			l.key = l.text
		case table && isDefault(lexemes) && (l.kind == Word || l.kind == Quoted):
			l.key = defaultKey(l)
		case l.kind == Quoted:
			l.key = nameKey(l.text)
		default:
			l.key = Fold(l.text)
		}
		lexemes = append(lexemes, l)
		switch n := len(lexemes); {
		case n == 2:
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

// isDefault reports whether what follows the lexemes is a column's default.
func isDefault(lexemes []lexeme) bool {
	n := len(lexemes)
	return n > 0 && lexemes[n-1].kind == Word && lexemes[n-1].key == "default"
}

// defaultKey returns the key of a word after DEFAULT, where SQLite takes a name for
// a string.
func defaultKey(l lexeme) string {
	if l.kind == Word {
		switch key := Fold(l.text); key {
		case "null", "true", "false", "current_time", "current_date", "current_timestamp":
			return key
		}
	}
	return "'" + strings.ReplaceAll(Unquote(l.text), "'", "''") + "'"
}

// form returns the lexemes in a form that is the same for whatever means the same.
// known reports whether an expression in that place can refer to a name.
//
// If known says no, double quotes make a string, and its case counts.
// https://sqlite.org/quirks.html#dblquote
func form(lexemes []lexeme, known func(name string) bool) string {
	var b strings.Builder
	for i, l := range lexemes {
		if i > 0 {
			b.WriteByte(' ')
		}
		if l.text[0] == '"' && l.key[0] != '\'' && !isName(lexemes, i) {
			if name := Unquote(l.text); Fold(name) != name && !known(name) {
				b.WriteString(l.text)
				continue
			}
		}
		b.WriteString(l.key)
	}
	return b.String()
}

// isName reports whether the lexemes beside a quoted one show that it is a name.
func isName(lexemes []lexeme, i int) bool {
	if i+1 < len(lexemes) {
		if next := lexemes[i+1].text; next == "." || next == "(" {
			return true
		}
	}
	if i == 0 {
		return false
	}
	before := lexemes[i-1]
	switch {
	case before.text == ".":
		return true
	case before.kind != Word:
		return false
	}
	switch before.key {
	case "as", "from", "join", "into", "update", "collate":
		return true
	}
	return false
}

// exact returns the lexemes as they are written, one space between them.
func exact(lexemes []lexeme) string {
	texts := make([]string, len(lexemes))
	for i, l := range lexemes {
		texts[i] = l.text
	}
	return strings.Join(texts, " ")
}

// show returns the lexemes on one line, for people.
func show(lexemes []lexeme) string {
	var b strings.Builder
	for i, l := range lexemes {
		if i > 0 && l.space {
			b.WriteByte(' ')
		}
		b.WriteString(l.text)
	}
	return b.String()
}

// unwrap takes off the parentheses around a whole expression.
func unwrap(lexemes []lexeme) []lexeme {
	for len(lexemes) > 2 && lexemes[0].text == "(" && closing(lexemes, 0) == len(lexemes)-1 {
		lexemes = lexemes[1 : len(lexemes)-1]
	}
	return lexemes
}

// closing returns the index of the parenthesis that closes the one at i, or -1.
func closing(lexemes []lexeme, i int) int {
	depth := 0
	for ; i < len(lexemes); i++ {
		switch lexemes[i].text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

package sqltext

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Fingerprint returns a fingerprint of a schema that [FormatSchema] would print:
// "s1:" and 128 bits of a SHA-256 in hexadecimal, over the type, the name and the
// tokens of each object. How identifiers are quoted, the case of keywords and
// identifiers, blanks and comments do not count.
func Fingerprint(objects []Object) string {
	parsed, err := ParseSchema(FormatSchema(objects))
	if err != nil { // not SQL that SQLite has written
		parsed = objects
	}
	h := sha256.New()
	for _, o := range parsed {
		h.Write([]byte(o.Type + "\x00" + lower(o.Name) + "\x00" + canonical(o.SQL) + "\x00\x00"))
	}
	return "s1:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// canonical returns the tokens of a CREATE statement, each followed by a zero
// byte, in a form that does not depend on how they are written.
func canonical(sql string) string {
	var b strings.Builder
	for _, l := range newParser(sql).lexemes {
		b.WriteString(l.key)
		b.WriteByte(0)
	}
	return b.String()
}

// A lexeme is a token of a CREATE statement that counts.
type lexeme struct {
	kind Kind
	text string // as written
	key  string // in a form that does not depend on how it is written
}

// lex returns the lexemes of a CREATE statement.
func lex(sql string) []lexeme {
	lexemes := make([]lexeme, 0, len(sql)/6)
	module := false // behind USING in CREATE VIRTUAL TABLE: what the words mean is the module's to say
	last := ""
	for pos := 0; pos < len(sql); {
		t := Next(sql, pos)
		pos = t.End
		if t.Kind == Space || t.Kind == Comment || t.Kind == Directive || t.Kind == Semicolon && pos == len(sql) {
			continue
		}
		l := lexeme{kind: t.Kind, text: sql[t.Pos:t.End]}
		switch {
		case module:
			l.key = l.text
		case last == "default" && (t.Kind == Word || t.Kind == Quoted):
			l.key = defaultKey(l)
		case t.Kind == Quoted:
			l.key = quotedKey(l.text)
		case t.Kind == String:
			l.key = l.text
		default:
			l.key = lower(l.text)
		}
		if len(lexemes) > 1 && l.key == "using" && lexemes[1].key == "virtual" {
			module = true
		}
		last = l.key
		lexemes = append(lexemes, l)
	}
	return lexemes
}

// quotedKey returns the key of a quoted identifier. One that could not be written
// without quotes keeps some: "unique" as the type of a column is a name, and
// unique a constraint.
func quotedKey(text string) string {
	id := lower(unquote(text))
	if isKeyword(id) || !plain(id) {
		return `"` + id + `"`
	}
	return id
}

// defaultKey returns the key of the word behind DEFAULT, where SQLite takes a name
// for a string.
func defaultKey(l lexeme) string {
	if l.kind == Word {
		switch id := lower(l.text); id {
		case "null", "true", "false", "current_time", "current_date", "current_timestamp":
			return id
		}
	}
	return "'" + strings.ReplaceAll(unquote(l.text), "'", "''") + "'"
}

func plain(id string) bool {
	for i := range len(id) {
		if !isWord(id[i]) || i == 0 && (isDigit(id[0]) || id[0] == '$') {
			return false
		}
	}
	return id != ""
}

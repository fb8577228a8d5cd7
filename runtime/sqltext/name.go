package sqltext

import (
	"slices"
	"strings"
)

// Quote returns the name in double quotes.
//
//go:noinline
func Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Fill returns SQL with texts in place of $1 to $9, and then $a and so on. It quotes a text
// right after a quote, as in "$1" or '$1'.
func Fill(sql string, texts ...string) (filled string) {
	for {
		before, after, found := strings.Cut(sql, "$")
		if filled += before; !found {
			return filled
		}
		text := texts[strings.IndexByte("123456789abcdef", after[0])]
		if q := before[max(0, len(before)-1):]; q == `"` || q == "'" {
			text = strings.ReplaceAll(text, q, q+q)
		}
		filled, sql = filled+text, after[1:]
	}
}

// Unquote returns the name that a token spells. Where only a name is possible,
// SQLite takes a string literal for one.
func Unquote(token string) string {
	if n := len(token); n >= 2 {
		switch q := token[:1]; q {
		case `"`, "`", "'":
			return strings.ReplaceAll(token[1:n-1], q+q, q)
		case "[":
			return token[1 : n-1]
		}
	}
	return token
}

// Fold returns s in lower case as SQLite compares names: ASCII letters only.
func Fold(s string) string {
	if span(s, isFolded) == len(s) {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if !isFolded(c) {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func isFolded(c byte) bool { return c < 'A' || 'Z' < c }

// Name returns the name that a token spells in lower case: tokens of the same name,
// or keyword, give the same.
func Name(token string) string { return Fold(Unquote(token)) }

// quoteFolded returns the quoted name in lower case.
func quoteFolded(name string) string { return Quote(Fold(name)) }

// Equal reports whether a and b, which are without quotes, are the same name or
// keyword.
func Equal(a, b string) bool { return len(a) == len(b) && Fold(a) == Fold(b) }

// hasName reports whether the name is one of those.
//
//go:noinline
func hasName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return Equal(n, name) })
}

// IsOurs reports whether a table of lockstep's has the name.
func IsOurs(name string) bool { return Equal(name, "_meta") || Equal(name, "_lockstep_history") }

// isInternal reports whether an object of SQLite's or lockstep's has the name.
func isInternal(name string) bool {
	return strings.HasPrefix(Fold(name), "sqlite_") || IsOurs(name)
}

// Plain returns the name as people write it: in quotes only where it needs them.
func Plain(name string) string {
	if isBare(Fold(name)) {
		return name
	}
	return Quote(name)
}

// isBare reports whether the name, which is in lower case, means the same without
// quotes.
func isBare(name string) bool {
	return name != "" && span(name, isWord) == len(name) && !isDigit(name[0]) && name[0] != '$' && !isKeyword(name)
}

// isKeyword reports whether SQLite gives a meaning to word, which is in lower case.
// TRUE and FALSE have one without being in SQLite's own list.
//
// https://sqlite.org/lang_keywords.html
//
//go:noinline
func isKeyword(word string) bool { return strings.Contains(keywords, " "+word+" ") }

// isOneOf reports whether a word, which is in lower case, is one of words, with blanks between.
//
//go:noinline
func isOneOf(word, words string) bool { return strings.Contains(" "+words+" ", " "+word+" ") }

const keywords = " abort action add after all alter always analyze and as asc attach autoincrement before begin between by " +
	"cascade case cast check collate column commit conflict constraint create cross current current_date " +
	"current_time current_timestamp database default deferrable deferred delete desc detach distinct do drop " +
	"each else end escape except exclude exclusive exists explain fail false filter first following for " +
	"foreign from full generated glob group groups having if ignore immediate in index indexed initially inner " +
	"insert instead intersect into is isnull join key last left like limit match materialized natural no not " +
	"nothing notnull null nulls of offset on or order others outer over partition plan pragma preceding " +
	"primary query raise range recursive references regexp reindex release rename replace restrict returning " +
	"right rollback row rows savepoint select set table temp temporary then ties to transaction trigger true " +
	"unbounded union unique update using vacuum values view virtual when where window with within without "

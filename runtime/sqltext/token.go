// Package sqltext reads SQL the way that SQLite's own tokenizer does.
//
// It answers the questions that have to have the same answer on the developer's
// machine and inside the user's program. About a migration: where its tokens are,
// which of them are substance ([Script.Checksum]), and how the text is cut into
// statements at recorded ends ([Script.Statements]). About a schema: how it is
// written down ([FormatSchema], [ParseSchema]), whether two are the same
// ([Fingerprint]), and in what they differ ([Diff]).
//
// It never decides where a statement ends in a migration: SQLite decides that,
// when the code is generated. It imports the standard library only.
package sqltext

import (
	"bytes"
	"strings"
)

// A Kind says what a token is.
type Kind uint8

const (
	Space     Kind = iota // blanks and line ends
	Comment               // -- to the end of the line, or /* … */
	Directive             // a comment that begins with "-- lockstep:"
	Word                  // a keyword or an identifier without quotes
	Quoted                // an identifier in "double quotes", `backticks` or [brackets]
	String                // 'text'
	Blob                  // x'0123'
	Number                // 1, .5, 0x10, 1e5, 1_000
	Variable              // ?, ?5, :name, @name, $name
	Punct                 // operators and punctuation
	Semicolon             // ;
	Illegal               // what SQLite has no token for, and quotes that are never closed
)

// A Token is the bytes text[Pos:End].
type Token struct {
	Kind     Kind
	Pos, End int
}

// Normalize returns the text that lockstep means by "the file": without a
// byte-order mark, and with LF for CRLF, so that a checkout on Windows is the
// same migration as one on Linux.
func Normalize(file []byte) string {
	file = bytes.TrimPrefix(file, []byte("\uFEFF"))
	if bytes.IndexByte(file, '\r') < 0 {
		return string(file)
	}
	return strings.ReplaceAll(string(file), "\r\n", "\n")
}

// Next returns the token of text that begins at pos, which is less than
// len(text). Every byte belongs to one token.
//
// The rules are those of SQLite's tokenize.c, its oddities included: where SQLite
// sees an end, lockstep has to see one. Only a NUL byte, at which SQLite stops
// reading, is a token like others.
func Next(text string, pos int) Token {
	kind, n := scan(text[pos:])
	return Token{kind, pos, pos + n}
}

// scan returns the kind and the length of the token at the start of s.
func scan(s string) (Kind, int) {
	switch c := s[0]; c {
	case ' ', '\t', '\n', '\f', '\r':
		n := 1
		for n < len(s) && isSpace(s[n]) {
			n++
		}
		return Space, n
	case '-':
		if at(s, 1) == '-' {
			n := strings.IndexByte(s, '\n')
			if n < 0 {
				n = len(s)
			}
			if isDirective(s[:n]) {
				return Directive, n
			}
			return Comment, n
		}
		if at(s, 1) == '>' {
			if at(s, 2) == '>' {
				return Punct, 3
			}
			return Punct, 2
		}
		return Punct, 1
	case '/':
		// "/*" as the last two bytes is a slash and a star.
		if at(s, 1) == '*' && len(s) > 2 {
			if n := strings.Index(s[2:], "*/"); n >= 0 {
				return Comment, n + 4
			}
			return Comment, len(s) // SQLite lets the last comment stay open
		}
		return Punct, 1
	case ';':
		return Semicolon, 1
	case '(', ')', '+', '*', '%', ',', '&', '~':
		return Punct, 1
	case '=':
		return Punct, 1 + b2i(at(s, 1) == '=')
	case '<':
		return Punct, 1 + b2i(at(s, 1) == '=' || at(s, 1) == '>' || at(s, 1) == '<')
	case '>':
		return Punct, 1 + b2i(at(s, 1) == '=' || at(s, 1) == '>')
	case '!':
		if at(s, 1) == '=' {
			return Punct, 2
		}
		return Illegal, 1
	case '|':
		return Punct, 1 + b2i(at(s, 1) == '|')
	case '\'':
		return quoted(s, String)
	case '"', '`':
		return quoted(s, Quoted)
	case '[':
		if n := strings.IndexByte(s, ']'); n >= 0 {
			return Quoted, n + 1
		}
		return Illegal, len(s)
	case '.':
		if isDigit(at(s, 1)) {
			return number(s)
		}
		return Punct, 1
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return number(s)
	case '?':
		n := 1
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		return Variable, n
	case '$', '@', '#', ':':
		return variable(s)
	case 'x', 'X':
		if at(s, 1) == '\'' {
			return blob(s)
		}
	case 0xEF:
		if strings.HasPrefix(s, "\uFEFF") { // SQLite takes it for a blank
			return Space, 3
		}
	}
	if !isWord(s[0]) {
		return Illegal, 1
	}
	n := 1
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return Word, n
}

func quoted(s string, kind Kind) (Kind, int) {
	for i := 1; ; {
		n := strings.IndexByte(s[i:], s[0])
		if n < 0 {
			return Illegal, len(s)
		}
		i += n + 1
		if at(s, i) != s[0] {
			return kind, i
		}
		i++
	}
}

func blob(s string) (Kind, int) {
	n := 2
	for n < len(s) && isHex(s[n]) {
		n++
	}
	if at(s, n) == '\'' && n%2 == 0 {
		return Blob, n + 1
	}
	for n < len(s) && s[n] != '\'' {
		n++
	}
	return Illegal, min(n+1, len(s))
}

// number leaves it to SQLite's parser to refuse a "_" that has no digit on either
// side, as SQLite's tokenizer does.
func number(s string) (Kind, int) {
	n := 0
	digits := func(is func(byte) bool) {
		for n < len(s) && (is(s[n]) || s[n] == '_') {
			n++
		}
	}
	if s[0] == '0' && (at(s, 1) == 'x' || at(s, 1) == 'X') && isHex(at(s, 2)) {
		n = 3
		digits(isHex)
	} else {
		digits(isDigit)
		if at(s, n) == '.' {
			n++
			digits(isDigit)
		}
		if e := at(s, n); (e == 'e' || e == 'E') && (isDigit(at(s, n+1)) ||
			(at(s, n+1) == '+' || at(s, n+1) == '-') && isDigit(at(s, n+2))) {
			n += 2
			digits(isDigit)
		}
	}
	if n < len(s) && isWord(s[n]) {
		for n < len(s) && isWord(s[n]) {
			n++
		}
		return Illegal, n
	}
	return Number, n
}

// variable knows the names that SQLite has for Tcl, such as $a::b(c), and "#1",
// which SQLite accepts from itself only.
func variable(s string) (Kind, int) {
	names, n := 0, 1
scan:
	for ; n < len(s); n++ {
		switch c := s[n]; {
		case isWord(c):
			names++
		case c == '(' && names > 0:
			for n++; n < len(s) && !isSpace(s[n]) && s[n] != ')'; n++ {
			}
			if at(s, n) != ')' {
				return Illegal, n
			}
			n++
			break scan
		case c == ':' && at(s, n+1) == ':':
			n++
		default:
			break scan
		}
	}
	if names == 0 {
		return Illegal, n
	}
	return Variable, n
}

// isDirective reports whether the -- comment is addressed to lockstep.
func isDirective(comment string) bool {
	return strings.HasPrefix(strings.TrimLeft(comment[2:], " \t"), "lockstep:")
}

func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// isSpace reports whether c can stand in a run of blanks. A vertical tab can,
// though it cannot begin one.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isWord reports whether c can stand in an identifier: SQLite takes every byte
// above ASCII for a letter.
func isWord(c byte) bool {
	return c == '_' || c == '$' || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

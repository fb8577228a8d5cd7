// Package sqltext is not for use by programs. It promises nothing: lockstep's own
// packages share it, and any release may change it.
//
// It reads SQL as SQLite's tokenizer does, and answers from the text alone what must
// have the same answer on the developer's machine and inside the user's program. Of
// a migration: its tokens, its checksum ([Script.Checksum]), its statements
// ([Script.Cut]) and what they create, alter or drop
// ([Statement.Definition]). Of a name: quoting and case ([Quote], [Unquote],
// [Fold], [Equal]). Of a schema: how to write and read it ([FormatSchema],
// [ParseSchema]), whether two are the same ([Fingerprint]) and how they differ
// ([Diff]).
//
// It imports the standard library only.
package sqltext

import (
	"bytes"
	"strings"
)

// A Kind says what a token is.
type Kind uint8

const (
	Space     Kind = iota // spaces, tabs and line ends
	Comment               // -- to the end of the line, or /* … */
	Directive             // a comment that begins with "-- lockstep:"
	Word                  // a keyword or an unquoted identifier
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

// Normalize returns the text of a migration's file: without a byte-order mark, and
// with LF for CRLF, so that a checkout on Windows is the same migration as one on
// Linux.
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
// The rules are those of SQLite's tokenize.c, oddities included: lockstep must see
// the ends that SQLite sees. The exception is a NUL byte, where SQLite stops
// reading and Next does not.
func Next(text string, pos int) Token {
	kind, n := scan(text[pos:])
	return Token{kind, pos, pos + n}
}

// scan returns the kind and the length of the token at the start of s.
func scan(s string) (Kind, int) {
	switch c := s[0]; {
	case c == ';':
		return Semicolon, 1
	case isSpace(c) && c != '\v':
		return Space, span(s, isSpace)
	case isDigit(c), c == '.' && isDigit(at(s, 1)):
		return number(s)
	case c == '\'':
		return quoted(s, String)
	case c == '"', c == '`':
		return quoted(s, Quoted)
	case c == '[':
		if n := strings.IndexByte(s, ']'); n >= 0 {
			return Quoted, n + 1
		}
		return Illegal, len(s)
	case (c == 'x' || c == 'X') && at(s, 1) == '\'':
		return blob(s)
	case c == '?':
		return Variable, 1 + span(s[1:], isDigit)
	case c == '$', c == '@', c == '#', c == ':':
		return variable(s)
	case strings.HasPrefix(s, "\uFEFF"): // SQLite takes it for a space
		return Space, 3
	case isWord(c):
		return Word, span(s, isWord)
	}
	return operator(s)
}

// operator scans comments, operators and punctuation.
func operator(s string) (Kind, int) {
	switch s[:min(2, len(s))] {
	case "--":
		n := strings.IndexByte(s, '\n')
		if n < 0 {
			n = len(s)
		}
		if isDirective(s[:n]) {
			return Directive, n
		}
		return Comment, n
	case "/*":
		if len(s) == 2 {
			return Punct, 1 // a slash and a star
		}
		if n := strings.Index(s[2:], "*/"); n >= 0 {
			return Comment, n + 4
		}
		return Comment, len(s) // SQLite lets the last comment stay open
	case "->":
		if at(s, 2) == '>' {
			return Punct, 3
		}
		return Punct, 2
	case "==", "<=", "<>", "<<", ">=", ">>", "!=", "||":
		return Punct, 2
	}
	if strings.IndexByte("()+-*/%,&~=<>|.", s[0]) >= 0 {
		return Punct, 1
	}
	return Illegal, 1
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
	n := 2 + span(s[2:], isHex)
	if at(s, n) == '\'' && n%2 == 0 {
		return Blob, n + 1
	}
	for n < len(s) && s[n] != '\'' {
		n++
	}
	return Illegal, min(n+1, len(s))
}

// number leaves it to SQLite's parser to refuse a "_" without a digit on either
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
	if letters := span(s[n:], isWord); letters > 0 {
		return Illegal, n + letters
	}
	return Number, n
}

// variable knows the names that SQLite has for Tcl, such as $a::b(c), and "#1",
// which SQLite accepts only from itself.
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

// span returns the length of the prefix of s whose bytes all are so.
func span(s string, is func(byte) bool) int {
	n := 0
	for n < len(s) && is(s[n]) {
		n++
	}
	return n
}

func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// isSpace reports whether c can be part of a Space token. A vertical tab can, but
// does not begin one.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isWord reports whether c can be part of an identifier: SQLite takes every byte
// above ASCII for a letter.
func isWord(c byte) bool {
	return c == '_' || c == '$' || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

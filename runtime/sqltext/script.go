package sqltext

import (
	"slices"
	"strings"
)

// A Script is a text of SQL and its tokens.
type Script struct {
	Text   string
	Tokens []Token // without spaces and comments, but with directives
}

// Parse tokenizes text, which [Normalize] has made.
func Parse(text string) *Script {
	// A token and the space after it are four bytes of SQL or more, but a text can be one
	// huge literal.
	s := &Script{Text: text, Tokens: make([]Token, 0, min(len(text)/4+1, 4096))}
	for pos := 0; pos < len(text); {
		t := Next(text, pos)
		if t.Kind != Space && t.Kind != Comment {
			s.Tokens = append(s.Tokens, t)
		}
		pos = t.End
	}
	return s
}

// Token returns the text of token i.
//
//go:noinline
func (s *Script) Token(i int) string {
	return s.Text[s.Tokens[i].Pos:s.Tokens[i].End]
}

// Name returns the name or keyword that token i spells in lower case, or "" if there
// is no such token.
func (s *Script) Name(i int) string {
	if i < 0 || i >= len(s.Tokens) {
		return ""
	}
	return Name(s.Token(i))
}

// Checksum returns a checksum over the tokens of the script. Spaces, line ends and
// comments do not count; directives do, and so does every byte of a string literal.
//
// The result is "t1:" and the first 128 bits of the SHA-256 over the tokens, each
// followed by a zero byte, in hexadecimal. A directive is hashed without its "--" and
// with single spaces.
func (s *Script) Checksum() string {
	buf := make([]byte, 0, len(s.Text)+len(s.Tokens))
	for i := range s.Tokens {
		text := s.Token(i)
		if words, ok := s.Directive(i); ok {
			text = "lockstep: " + words
		}
		buf = append(append(buf, text...), 0)
	}
	return digest("t1:", buf)
}

// Directive returns the words after the colon of token i, if it is a directive.
func (s *Script) Directive(i int) (words string, ok bool) {
	if i < 0 || i >= len(s.Tokens) || s.Tokens[i].Kind != Directive {
		return "", false
	}
	_, words, _ = strings.Cut(s.Token(i), "lockstep:")
	return strings.Join(strings.Fields(words), " "), true
}

// NoTransaction reports whether the script begins with the directive
// "-- lockstep: no-transaction": it has statements, such as VACUUM, that SQLite runs
// only outside of a transaction. A comment above the directive changes neither this
// nor the checksum.
func (s *Script) NoTransaction() bool {
	words, ok := s.Directive(0)
	return ok && words == "no-transaction"
}

// IsIdle reports whether an upgrade executes none of the statements.
func (s *Script) IsIdle() bool {
	return !slices.ContainsFunc(s.Cut(), func(stmt Statement) bool { return !stmt.Skipped(!s.NoTransaction()) })
}

// Line returns the number of the line of offset pos, from 1.
func (s *Script) Line(pos int) int { return 1 + strings.Count(s.Text[:pos], "\n") }

// Column returns the position of offset pos in its line, in bytes from 1.
func (s *Script) Column(pos int) int { return pos - strings.LastIndexByte(s.Text[:pos], '\n') }

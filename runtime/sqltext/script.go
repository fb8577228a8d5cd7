package sqltext

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Script is the text of a migration and its tokens.
type Script struct {
	Text   string
	Tokens []Token // without blanks and without comments; directives are kept
}

// Parse tokenizes text, which [Normalize] has made.
func Parse(text string) *Script {
	s := &Script{Text: text}
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
func (s *Script) Token(i int) string {
	return s.Text[s.Tokens[i].Pos:s.Tokens[i].End]
}

// Checksum returns a checksum over the substance of the script: its tokens.
// Blanks, line ends and comments do not count, directives do, and a string
// literal counts to the byte. The result is "t1:" and the first 128 bits of the
// SHA-256 over the tokens, each followed by a zero byte, in hexadecimal.
func (s *Script) Checksum() string {
	h := sha256.New()
	buf := make([]byte, 0, 8192)
	for i, t := range s.Tokens {
		text := s.Token(i)
		if t.Kind == Directive {
			text = strings.Join(strings.Fields(text[2:]), " ")
		}
		if len(buf)+len(text) >= cap(buf) {
			h.Write(buf)
			buf = buf[:0]
		}
		buf = append(append(buf, text...), 0)
	}
	h.Write(buf)
	return "t1:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// Directives calls yield for each "-- lockstep:" comment, with the words after
// the colon and the comment's offset.
func (s *Script) Directives(yield func(words string, pos int) bool) {
	for i, t := range s.Tokens {
		if t.Kind == Directive {
			_, words, _ := strings.Cut(s.Token(i), "lockstep:")
			if !yield(strings.Join(strings.Fields(words), " "), t.Pos) {
				return
			}
		}
	}
}

// NoTransaction reports whether the script's first token is the directive
// "-- lockstep: no-transaction" on the first line: it holds what SQLite does
// only outside of a transaction, such as VACUUM.
func (s *Script) NoTransaction() bool {
	for words, pos := range s.Directives {
		return words == "no-transaction" && !strings.Contains(s.Text[:pos], "\n")
	}
	return false
}

// Line returns the number of the line that holds offset pos, from 1.
func (s *Script) Line(pos int) int { return 1 + strings.Count(s.Text[:pos], "\n") }

// Column returns the place of offset pos in its line, in bytes from 1.
func (s *Script) Column(pos int) int { return pos - strings.LastIndexByte(s.Text[:pos], '\n') }

// A Statement is one statement of a script.
type Statement struct {
	SQL  string // from its first token to its last, which may be a semicolon
	Pos  int    // where SQL begins in the script's text
	Line int    // the line of Pos, from 1

	words [4]string // the first four tokens in lower case, without quotes
	rows  bool
}

// Statements cuts the script into statements. ends says where each ends, as the
// number of tokens of s.Tokens up to and including its last. Counting tokens
// makes the cuts indifferent to whatever the checksum is indifferent to: a
// comment added above a statement does not move them.
//
// It returns an error when the ends are not those of this script.
func (s *Script) Statements(ends []int) ([]Statement, error) {
	stmts := make([]Statement, 0, len(ends))
	from, pos, line := 0, 0, 1
	for _, end := range ends {
		if end <= from || end > len(s.Tokens) {
			return nil, fmt.Errorf("statement ends at token %d; want one in %d to %d", end, from+1, len(s.Tokens))
		}
		// Empty statements and directives before the first word belong to nobody.
		for from < end && (s.Tokens[from].Kind == Semicolon || s.Tokens[from].Kind == Directive) {
			from++
		}
		if from == end {
			return nil, fmt.Errorf("statement that ends at token %d is empty", end)
		}
		line += strings.Count(s.Text[pos:s.Tokens[from].Pos], "\n")
		pos = s.Tokens[from].Pos
		stmts = append(stmts, s.statement(from, end, line))
		from = end
	}
	for _, t := range s.Tokens[from:] {
		if t.Kind != Semicolon && t.Kind != Directive {
			return nil, fmt.Errorf("%d statement ends leave text behind the last", len(ends))
		}
	}
	return stmts, nil
}

// Statement returns the statement that the tokens from up to, not including, to
// make up.
func (s *Script) Statement(from, to int) Statement {
	return s.statement(from, to, s.Line(s.Tokens[from].Pos))
}

func (s *Script) statement(from, to, line int) Statement {
	tokens := s.Tokens[from:to]
	pos := tokens[0].Pos
	stmt := Statement{SQL: s.Text[pos:tokens[len(tokens)-1].End], Pos: pos, Line: line}
	for i := range min(len(tokens), len(stmt.words)) {
		stmt.words[i] = name(s.Text[tokens[i].Pos:tokens[i].End])
	}
	switch stmt.words[0] {
	case "select", "values", "with", "pragma", "explain":
		stmt.rows = true
	case "insert", "replace", "update", "delete":
		for _, t := range tokens {
			if t.Kind == Word && strings.EqualFold(s.Text[t.Pos:t.End], "returning") {
				stmt.rows = true
			}
		}
	}
	return stmt
}

// Keyword returns the statement's first word in lower case.
func (s *Statement) Keyword() string { return s.words[0] }

// ReturnsRows reports whether the statement may return rows, which have to be
// read to the end for the statement to have its effect.
func (s *Statement) ReturnsRows() bool { return s.rows }

// Pragma returns the name of the pragma that the statement is, in lower case
// and without a schema name, or "".
//
// https://sqlite.org/pragma.html#syntax
func (s *Statement) Pragma() string {
	if s.words[0] != "pragma" {
		return ""
	}
	if s.words[2] == "." {
		return s.words[3]
	}
	return s.words[1]
}

// Skipped reports whether the statement is one that stands in many scripts and
// is lockstep's to do, not the script's: BEGIN, COMMIT, END, PRAGMA foreign_keys
// and PRAGMA foreign_key_check. SQLite's own recipe for rebuilding a table has
// them.
//
// https://sqlite.org/lang_altertable.html#otheralter
func (s *Statement) Skipped() bool {
	switch s.words[0] {
	case "begin", "commit", "end":
		return true
	}
	p := s.Pragma()
	return p == "foreign_keys" || p == "foreign_key_check"
}

// name returns the word or quoted identifier in lower case and without quotes.
// SQLite folds the case of ASCII letters only.
func name(token string) string {
	if n := len(token); n >= 2 {
		switch q := token[:1]; q {
		case `"`, "`":
			token = strings.ReplaceAll(token[1:n-1], q+q, q)
		case "[":
			token = token[1 : n-1]
		}
	}
	return lower(token)
}

func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for i, c := range b {
				if 'A' <= c && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

package sqltext

import (
	"fmt"
	"strings"
)

// A Statement is one statement of a script.
type Statement struct {
	SQL  string // from its first token to its last, which may be a semicolon
	Pos  int    // where SQL begins in the script's text
	Line int    // the line of Pos, from 1

	keyword string
	pragma  string
	rows    bool
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
	pos := s.Tokens[from].Pos
	stmt := Statement{SQL: s.Text[pos:s.Tokens[to-1].End], Pos: pos, Line: line}
	stmt.keyword = keyword(s.Token(from))
	switch stmt.keyword {
	case "select", "values", "with", "explain":
		stmt.rows = true
	case "pragma":
		stmt.rows = true
		stmt.pragma = s.pragma(from, to)
	case "insert", "replace", "update", "delete":
		for i := from + 1; i < to && !stmt.rows; i++ {
			stmt.rows = s.Tokens[i].Kind == Word && equal(s.Token(i), "returning")
		}
	}
	return stmt
}

// keyword returns the first word of a statement in lower case. It makes no new
// string of those with which most statements begin.
func keyword(word string) string {
	for _, k := range [...]string{"create", "insert", "update", "alter", "drop", "delete", "select", "pragma", "begin", "commit", "with"} {
		if equal(k, word) {
			return k
		}
	}
	return Fold(word)
}

func (s *Script) pragma(from, to int) string {
	var words [3]string // behind PRAGMA
	n := 0
	for i := from + 1; i < to && n < len(words); i++ {
		if s.Tokens[i].Kind != Directive {
			words[n] = s.Token(i)
			n++
		}
	}
	if words[1] == "." {
		return Fold(Unquote(words[2]))
	}
	return Fold(Unquote(words[0]))
}

// Keyword returns the statement's first word in lower case.
func (s *Statement) Keyword() string { return s.keyword }

// ReturnsRows reports whether the statement may return rows, which have to be
// read to the end for the statement to have its effect.
func (s *Statement) ReturnsRows() bool { return s.rows }

// Pragma returns the name of the pragma that the statement is, in lower case
// and without a schema name, or "".
//
// https://sqlite.org/pragma.html#syntax
func (s *Statement) Pragma() string { return s.pragma }

// Skipped reports whether the statement is one that stands in many scripts and
// is lockstep's to do, not the script's: BEGIN, COMMIT, END, PRAGMA foreign_keys
// and PRAGMA foreign_key_check. SQLite's own recipe for rebuilding a table has
// them.
//
// https://sqlite.org/lang_altertable.html#otheralter
func (s *Statement) Skipped() bool {
	switch s.keyword {
	case "begin", "commit", "end":
		return true
	}
	return s.pragma == "foreign_keys" || s.pragma == "foreign_key_check"
}

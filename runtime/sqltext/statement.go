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

	First, End int // it is the script's Tokens[First:End]

	script   *Script
	keyword  string
	pragma   string
	argument bool // of the pragma
	rows     bool
	open     bool // the script ends before the statement does
}

// Statements cuts the script into statements. ends has, for each, the number of
// tokens of s.Tokens up to and including its last. The checksum is over the same
// tokens, so what does not change it, such as a comment above a statement, does
// not move the cuts.
//
// It returns an error when the ends are not those of this script.
func (s *Script) Statements(ends []int) ([]Statement, error) {
	stmts := make([]Statement, 0, len(ends))
	from := 0
	for _, end := range ends {
		if end <= from || end > len(s.Tokens) {
			return nil, fmt.Errorf("statement ends at token %d; want one in %d to %d", end, from+1, len(s.Tokens))
		}
		if from = s.skip(from); from >= end {
			return nil, fmt.Errorf("statement that ends at token %d is empty", end)
		}
		stmts = s.append(stmts, from, end)
		from = end
	}
	if s.skip(from) < len(s.Tokens) {
		return nil, fmt.Errorf("%d statement ends leave text after the last", len(ends))
	}
	return stmts, nil
}

// Cut cuts the script into statements at the semicolons where sqlite3_complete
// would: those in the body of a trigger end no statement. Of a text that SQLite
// accepts, these are SQLite's statements. Of a text that SQLite refuses, what
// follows the error means nothing.
//
// https://sqlite.org/c3ref/complete.html
func (s *Script) Cut() []Statement {
	var stmts []Statement
	for from := s.skip(0); from < len(s.Tokens); {
		end, open := s.end(from)
		stmts = s.append(stmts, from, end)
		stmts[len(stmts)-1].open = open
		from = s.skip(end)
	}
	return stmts
}

// skip returns the index of the first token, from i on, of a statement. Empty
// statements, and directives before the first word, belong to no statement.
func (s *Script) skip(i int) int {
	for i < len(s.Tokens) && (s.Tokens[i].Kind == Semicolon || s.Tokens[i].Kind == Directive) {
		i++
	}
	return i
}

// end returns the index after the token that ends the statement at from. open
// reports that the script ends first; a directive after its last word is then no
// part of the statement.
func (s *Script) end(from int) (end int, open bool) {
	// The body of a trigger ends with "; END ;". No statement in it begins with END.
	trigger := s.createsTrigger(from)
	before, last := "", "" // the last two tokens
	end = from
	for i := from; i < len(s.Tokens); i++ {
		switch t := s.Tokens[i]; {
		case t.Kind == Directive:
			continue
		case t.Kind == Semicolon && (!trigger || before == ";" && Equal(last, "end")):
			return i + 1, false
		}
		before, last = last, s.Token(i)
		end = i + 1
	}
	return end, true
}

// createsTrigger reports whether the statement at from is a CREATE TRIGGER, or the
// EXPLAIN of one.
func (s *Script) createsTrigger(from int) bool {
	if word := s.Token(from); !Equal(word, "create") && !Equal(word, "explain") {
		return false
	}
	p := parser{lexemes: s.head(from, len(s.Tokens))}
	if p.accept("explain") && p.accept("query") {
		p.accept("plan")
	}
	if !p.accept("create") {
		return false
	}
	p.temporary()
	return p.peek("trigger")
}

// append appends the statement that is Tokens[from:end]. It begins after those in
// stmts.
func (s *Script) append(stmts []Statement, from, end int) []Statement {
	pos, line := 0, 1
	if n := len(stmts); n > 0 {
		pos, line = stmts[n-1].Pos, stmts[n-1].Line
	}
	begin := s.Tokens[from].Pos
	line += strings.Count(s.Text[pos:begin], "\n")
	return append(stmts, s.statement(from, end, line))
}

func (s *Script) statement(from, end, line int) Statement {
	pos := s.Tokens[from].Pos
	stmt := Statement{SQL: s.Text[pos:s.Tokens[end-1].End], Pos: pos, Line: line, First: from, End: end, script: s}
	stmt.keyword = Fold(s.Token(from))
	switch stmt.keyword {
	case "select", "values", "with", "explain":
		stmt.rows = true
	case "pragma":
		stmt.rows = true
		stmt.readPragma()
	case "insert", "replace", "update", "delete":
		for i := from + 1; i < end && !stmt.rows; i++ {
			stmt.rows = s.Tokens[i].Kind == Word && Equal(s.Token(i), "returning")
		}
	}
	return stmt
}

// readPragma reads "PRAGMA schema.name = argument" or "PRAGMA schema.name(argument)".
func (s *Statement) readPragma() {
	var words [3]string // after PRAGMA
	n := 0
	for i := s.First + 1; i < s.End; i++ {
		text := s.script.Token(i)
		switch s.script.Tokens[i].Kind {
		case Directive:
			continue
		case Punct:
			s.argument = s.argument || text != "."
		}
		if n < len(words) {
			words[n] = text
			n++
		}
	}
	name := words[0]
	if words[1] == "." {
		name = words[2]
	}
	s.pragma = Name(name)
}

// Keyword returns the statement's first word in lower case.
func (s *Statement) Keyword() string { return s.keyword }

// ReturnsRows reports whether the statement may return rows, which must be read to
// the end for the statement to have its whole effect.
func (s *Statement) ReturnsRows() bool { return s.rows }

// Pragma returns the name of the pragma, in lower case and without a schema name,
// or "" if the statement is no PRAGMA.
//
// https://sqlite.org/pragma.html#syntax
func (s *Statement) Pragma() string { return s.pragma }

// Skipped reports whether an upgrade skips the statement because lockstep does its
// work: PRAGMA foreign_keys and PRAGMA foreign_key_check and, in the upgrade's
// transaction, BEGIN, COMMIT and END. SQLite's own recipe for rebuilding a table has
// them.
//
// https://sqlite.org/lang_altertable.html#otheralter
func (s *Statement) Skipped(transaction bool) bool {
	switch s.keyword {
	case "begin", "commit", "end":
		return transaction
	}
	return s.pragma == "foreign_keys" || s.pragma == "foreign_key_check"
}

// SetsConnection returns the pragma that the statement is, or explains: EXPLAIN
// PRAGMA can take effect too. sets reports whether it changes a setting of the
// connection or of the file, as opposed to the contents of the database, which a
// transaction protects, or a setting that an upgrade restores.
//
// https://sqlite.org/pragma.html
func (s *Statement) SetsConnection() (pragma string, sets bool) {
	if s.keyword != "explain" {
		return s.pragma, s.argument && !inDatabase(s.pragma)
	}
	for i := s.First + 1; i < s.End; i++ {
		switch word := s.script.Name(i); {
		case s.script.Tokens[i].Kind == Directive || word == "query" || word == "plan":
		case word == "pragma":
			explained := s.script.statement(i, s.End, s.Line)
			return explained.SetsConnection()
		default:
			return "", false
		}
	}
	return "", false
}

// inDatabase reports whether a pragma is about the contents of the database, or is
// a setting that an upgrade restores.
func inDatabase(pragma string) bool {
	switch pragma {
	case "defer_foreign_keys", "legacy_alter_table", "recursive_triggers", "ignore_check_constraints", "writable_schema",
		"user_version", "application_id", "incremental_vacuum", "optimize", "shrink_memory",
		"foreign_key_check", "integrity_check", "quick_check",
		"foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list", "table_xinfo":
		return true
	}
	return false
}

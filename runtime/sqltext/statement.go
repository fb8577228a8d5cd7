package sqltext

import (
	"slices"
	"strings"
)

// A Statement is one statement of a script.
type Statement struct {
	SQL  string // from its first token to its last, which may be a semicolon
	Pos  int    // where SQL begins in the script's text
	Line int    // the line of Pos, from 1

	First, End int // it is the script's Tokens[First:End]

	script *Script
}

// Cut cuts the script into statements at the semicolons where sqlite3_complete
// would: those in the body of a trigger end no statement. Of a text that SQLite
// accepts, these are SQLite's statements. Of a text that SQLite refuses, what
// follows the error means nothing. The checksum is over the same tokens, so what does
// not change it, such as a comment above a statement, does not move the cuts.
//
// https://sqlite.org/c3ref/complete.html
func (s *Script) Cut() []Statement {
	var stmts []Statement
	begin, line := 0, 1
	for i := 0; i < len(s.Tokens); {
		if kind := s.Tokens[i].Kind; kind == Semicolon || kind == Directive {
			i++ // An empty statement and a directive before the first word belong to none.
			continue
		}
		pos, end := s.Tokens[i].Pos, s.end(i)
		line += strings.Count(s.Text[begin:pos], "\n")
		stmts = append(stmts, Statement{SQL: s.Text[pos:s.Tokens[end-1].End], Pos: pos, Line: line, First: i, End: end, script: s})
		begin, i = pos, end
	}
	return stmts
}

// end returns the index after the token that ends the statement at from. If the script ends
// first, a directive after its last word is no part of the statement.
func (s *Script) end(from int) int {
	// The body of a trigger ends with "; END ;". No statement in it begins with END.
	words := s.explained(from)
	trigger := Equal(words[0], "create") && (Equal(words[1], "trigger") || isOneOf(Fold(words[1]), "temp temporary") && Equal(words[2], "trigger"))
	before, last := "", "" // the last two tokens
	end := from
	for i := from; i < len(s.Tokens); i++ {
		switch t := s.Tokens[i]; {
		case t.Kind == Directive:
			continue
		case t.Kind == Semicolon && (!trigger || before == ";" && Equal(last, "end")):
			return i + 1
		}
		before, last = last, s.Token(i)
		end = i + 1
	}
	return end
}

// explained returns the beginning of the statement at from, after EXPLAIN and
// EXPLAIN QUERY PLAN.
func (s *Script) explained(from int) []string {
	words := make([]string, 8)
	for n := 0; n < len(words) && from < len(s.Tokens); from++ {
		if s.Tokens[from].Kind != Directive {
			words[n] = s.Token(from)
			n++
		}
	}
	switch {
	case !Equal(words[0], "explain"):
		return words
	case Equal(words[1], "query"):
		return words[3:]
	}
	return words[1:]
}

// A Remark is a directive about a statement: what follows "lockstep:", and the token.
type Remark struct {
	Words string
	Token int
}

// Remarks returns the directives that are in the statement, on its last line, or alone on
// the lines right above it.
func (s *Statement) Remarks() (remarks []Remark) {
	script, first, end := s.script, s.First, s.End
	for below := s.Pos; ; first-- {
		if _, ok := script.Directive(first - 1); !ok {
			break
		}
		above := script.Tokens[first-1]
		start := strings.LastIndexByte(script.Text[:above.Pos], '\n') + 1
		if strings.Count(script.Text[above.End:below], "\n") != 1 || strings.TrimSpace(script.Text[start:above.Pos]) != "" {
			break
		}
		below = above.Pos
	}
	if end < len(script.Tokens) && !strings.Contains(script.Text[s.Pos+len(s.SQL):script.Tokens[end].Pos], "\n") {
		end++
	}
	for i := first; i < end; i++ {
		if words, ok := script.Directive(i); ok {
			remarks = append(remarks, Remark{words, i})
		}
	}
	return remarks
}

// Assumes returns what the statement's directive says that its author takes for granted:
// "-- lockstep: assumes FACT". It returns "" if there is none.
func (s *Statement) Assumes() string {
	for _, r := range s.Remarks() {
		if fact, ok := strings.CutPrefix(r.Words, "assumes "); ok {
			return fact
		}
	}
	return ""
}

// Assumed returns what the first statement assumes that names one of the tables and assumes
// something, or "".
func Assumed(stmts []Statement, tables ...string) string {
	for _, s := range stmts {
		fact := s.Assumes()
		for i := s.First; i < s.End && fact != ""; i++ {
			if hasName(tables, s.script.Name(i)) {
				return fact
			}
		}
	}
	return ""
}

// Keyword returns the statement's first word in lower case.
func (s *Statement) Keyword() string { return Fold(s.script.Token(s.First)) }

// Words returns the first n names and keywords of the statement, in lower case.
func (s *Statement) Words(n int) (words []string) {
	for i := s.First; i < min(s.First+n, s.End); i++ {
		words = append(words, s.script.Name(i))
	}
	return words
}

// ReturnsRows reports whether the statement may return rows, which must be read to
// the end for the statement to have its whole effect.
func (s *Statement) ReturnsRows() bool {
	keyword := s.Keyword()
	return isOneOf(keyword, "select values with explain pragma") || isOneOf(keyword, "insert replace update delete") && s.has("returning")
}

// has reports whether the statement has the keyword.
//
//go:noinline
func (s *Statement) has(keyword string) bool {
	return slices.ContainsFunc(s.script.Tokens[s.First:s.End], func(t Token) bool {
		return t.Kind == Word && Equal(s.script.Text[t.Pos:t.End], keyword)
	})
}

// Pragma returns the name of the pragma, in lower case and without a schema name,
// or "" if the statement is no PRAGMA.
//
// https://sqlite.org/pragma.html#syntax
func (s *Statement) Pragma() string {
	if s.Keyword() != "pragma" {
		return ""
	}
	name, _ := s.SetsConnection()
	return name
}

// Skipped reports whether an upgrade skips the statement because lockstep does its
// work: PRAGMA foreign_keys and PRAGMA foreign_key_check and, in the upgrade's
// transaction, BEGIN, COMMIT and END. SQLite's own recipe for rebuilding a table has
// them.
//
// https://sqlite.org/lang_altertable.html#otheralter
func (s *Statement) Skipped(transaction bool) bool {
	switch s.Keyword() {
	case "begin", "commit", "end":
		return transaction
	}
	pragma := s.Pragma()
	return pragma == "foreign_keys" || pragma == "foreign_key_check"
}

// SetsConnection returns the pragma that the statement is, or explains: EXPLAIN
// PRAGMA can take effect too. sets reports whether it changes a setting of the
// connection or of the file, as opposed to the contents of the database, which a
// transaction protects, or a setting that an upgrade restores.
//
// https://sqlite.org/pragma.html
func (s *Statement) SetsConnection() (pragma string, sets bool) {
	words := s.script.explained(s.First)
	if !Equal(words[0], "pragma") {
		return "", false
	}
	if words[2] == "." {
		words = words[2:]
	}
	pragma = Name(words[1])
	return pragma, words[2] != "" && words[2] != ";" && !inDatabase(pragma)
}

// inDatabase reports whether a pragma is about the contents of the database, or is
// a setting that an upgrade restores.
func inDatabase(pragma string) bool {
	return isOneOf(pragma, "defer_foreign_keys legacy_alter_table recursive_triggers ignore_check_constraints writable_schema "+
		"user_version application_id incremental_vacuum optimize shrink_memory "+
		"foreign_key_check integrity_check quick_check "+
		"foreign_key_list index_info index_list index_xinfo table_info table_list table_xinfo")
}

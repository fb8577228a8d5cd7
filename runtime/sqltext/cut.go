package sqltext

import "strings"

// Cut cuts a text into statements, for those that nobody has read before they run:
// what a migration written in Go executes. It looks for the semicolons that
// sqlite3_complete would take for ends: those in the body of a trigger are not.
// Of a text that SQLite refuses, what follows the place means nothing.
//
// https://sqlite.org/c3ref/complete.html
func (s *Script) Cut() []Statement {
	var stmts []Statement
	pos, line := 0, 1
	for from := 0; from < len(s.Tokens); {
		if kind := s.Tokens[from].Kind; kind == Semicolon || kind == Directive {
			from++
			continue
		}
		to := s.end(from)
		line += strings.Count(s.Text[pos:s.Tokens[from].Pos], "\n")
		pos = s.Tokens[from].Pos
		stmts = append(stmts, s.statement(from, to, line))
		from = to
	}
	return stmts
}

// end returns the index behind the semicolon that ends the statement at from.
func (s *Script) end(from int) int {
	// A body begins behind a BEGIN, but what is before it has no semicolon. It ends
	// with "; END ;", and no statement in it begins with END.
	trigger := false
	switch words := s.words(from, 6); {
	case words[0] == "explain" && words[1] == "query":
		trigger = isTrigger(words[3:])
	case words[0] == "explain":
		trigger = isTrigger(words[1:])
	default:
		trigger = isTrigger(words)
	}
	before, last := "", "" // the last two tokens
	for i := from; i < len(s.Tokens); i++ {
		switch t := s.Tokens[i]; {
		case t.Kind == Directive:
			continue
		case t.Kind == Semicolon && (!trigger || before == ";" && equal(last, "end")):
			return i + 1
		}
		before, last = last, s.Token(i)
	}
	return len(s.Tokens)
}

func isTrigger(words []string) bool {
	return words[0] == "create" &&
		(words[1] == "trigger" || (words[1] == "temp" || words[1] == "temporary") && words[2] == "trigger")
}

// words returns the first n tokens from i on in lower case, and "" for those that
// are not there.
func (s *Script) words(i, n int) []string {
	words := make([]string, 0, n)
	for ; i < len(s.Tokens) && len(words) < n; i++ {
		if s.Tokens[i].Kind != Directive {
			words = append(words, Fold(s.Token(i)))
		}
	}
	return words[:n:n]
}

// SetsConnection reports whether the statement is a PRAGMA, or the EXPLAIN of one,
// which can take effect too, that sets something about the connection or about
// the file, rather than something in the database that a transaction holds. What
// only reads does not; neither do those that an upgrade puts back when it is over.
//
// https://sqlite.org/pragma.html
func (s *Statement) SetsConnection() (pragma string, sets bool) {
	switch s.keyword {
	case "explain":
		script := Parse(s.SQL)
		for i := 1; i < len(script.Tokens); i++ {
			switch word := script.Token(i); {
			case script.Tokens[i].Kind == Directive || equal(word, "query") || equal(word, "plan"):
				continue
			case equal(word, "pragma"):
				stmt := script.Statement(i, len(script.Tokens))
				return stmt.SetsConnection()
			}
			return "", false
		}
		return "", false
	case "pragma":
		return s.pragma, !InDatabase(s.pragma) && s.argument()
	}
	return "", false
}

// argument reports whether the statement, which is a PRAGMA, sets a value.
func (s *Statement) argument() bool {
	script := Parse(s.SQL)
	for i, t := range script.Tokens {
		if text := script.Token(i); t.Kind == Punct && text != "." {
			return true
		}
	}
	return false
}

// InDatabase reports whether a pragma is about what is in the database, or is one
// of those settings that an upgrade puts back when it is over.
func InDatabase(pragma string) bool {
	switch pragma {
	case "defer_foreign_keys", "legacy_alter_table", "recursive_triggers", "ignore_check_constraints", "writable_schema",
		"user_version", "application_id", "incremental_vacuum", "optimize", "shrink_memory",
		"foreign_key_check", "integrity_check", "quick_check",
		"foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list", "table_xinfo":
		return true
	}
	return false
}

package sqlcheck

import (
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A statement is one of those that a query is made of.
type statement struct {
	*sqltext.Script        // without directives and without the semicolon at the end
	offset          int    // in the query
	keyword         string // the first word, in lower case
}

// split cuts a query into statements.
func split(query string) []statement {
	var all []statement
	for _, stmt := range sqltext.Parse(query).Cut() {
		script := sqltext.Parse(strings.TrimSuffix(stmt.SQL, ";"))
		script.Tokens = slices.DeleteFunc(script.Tokens, func(t sqltext.Token) bool { return t.Kind == sqltext.Directive })
		all = append(all, statement{script, stmt.Pos, script.Name(0)})
	}
	return all
}

// reads reports whether SQLite may prepare the statement. Some pragmas act when they
// are prepared.
func (s *statement) reads() bool {
	switch s.keyword {
	case "explain":
		rest := *s
		rest.keyword = s.Name(1)
		if rest.keyword == "query" {
			rest.keyword = s.Name(3)
		}
		return rest.keyword != "explain" && rest.reads()
	case "alter", "analyze", "attach", "begin", "commit", "create", "detach", "drop", "end", "pragma",
		"reindex", "release", "rollback", "savepoint", "vacuum":
		return false
	}
	// A word that begins no statement is a mistake, unless it is of another dialect.
	return true
}

// readsOrWrites reports whether a statement that begins with the word reads or writes
// rows.
func readsOrWrites(word string) bool {
	switch word {
	case "select", "values", "with", "insert", "replace", "update", "delete":
		return true
	}
	return false
}

// inserts reports whether the statement puts rows into a table.
func (s *statement) inserts() bool {
	if s.keyword == "with" {
		for i := range s.Tokens {
			if s.Name(i) == "insert" || s.Name(i) == "replace" {
				return true
			}
		}
	}
	return s.keyword == "insert" || s.keyword == "replace"
}

// names returns the words of the statement that may be names, in lower case.
func (s *statement) names() []string {
	var names []string
	for i, t := range s.Tokens {
		if t.Kind == sqltext.Word || t.Kind == sqltext.Quoted {
			names = append(names, s.Name(i))
		}
	}
	return names
}

// afterFrom reports whether token i is where a table is named first.
func (s *statement) afterFrom(i int) bool {
	if s.Name(i-1) == "." {
		i -= 2
	}
	switch s.Name(i - 1) {
	case "from", "join", "into", "update":
		return true
	}
	return false
}

// isCalled reports whether a parenthesis follows the name at the offset, which is not
// the table of an INSERT.
func (s *statement) isCalled(offset int) bool {
	for i, t := range s.Tokens {
		if t.Pos == offset {
			return s.Name(i+1) == "(" && s.Name(i-1) != "into"
		}
	}
	return false
}

// inNothing reports whether the statement has "IN ()", the left side of which SQLite
// ignores.
func (s *statement) inNothing() bool {
	for i := range s.Tokens {
		if s.Name(i) == "in" && s.Name(i+1) == "(" && s.Name(i+2) == ")" {
			return true
		}
	}
	return false
}

// dialect returns what in the statement is common in the SQL of another database and
// unknown to SQLite, or "".
func (s *statement) dialect() string {
	for i, t := range s.Tokens {
		switch word := s.Name(i); {
		case word == ":" && s.Name(i+1) == ":" || strings.HasPrefix(word, "::"):
			return "::"
		case t.Kind == sqltext.Illegal && strings.HasPrefix(word, ":"):
			return "::"
		case t.Kind != sqltext.Word:
		case word == "ilike" || word == "straight_join" || word == "interval" || word == "lateral" || word == "similar" || word == "unnest":
			return word
		case word == "for" && (s.Name(i+1) == "update" || s.Name(i+1) == "share"):
			return "for " + s.Name(i+1)
		case word == "duplicate" && s.Name(i+1) == "key":
			return "duplicate key"
		case word == "top" && s.Name(i-1) == "select":
			return "top"
		}
	}
	switch s.keyword {
	case "call", "copy", "do", "execute", "grant", "listen", "lock", "merge", "notify", "refresh", "revoke", "set", "show",
		"truncate", "unlisten", "use", "describe", "declare", "exec", "start", "unlock", "comment", "optimize":
		return s.keyword
	}
	return ""
}

// attached stands for all tables of a database that the program attaches.
const attached = "(attached)"

// created returns what a script creates or alters, in lower case.
func created(script string) []string {
	lower := sqltext.Fold(script)
	if !strings.Contains(lower, "create") && !strings.Contains(lower, "alter") && !strings.Contains(lower, "attach") {
		return nil
	}
	var names []string
	for _, stmt := range sqltext.Parse(script).Cut() {
		if stmt.Keyword() == "attach" {
			names = append(names, attached)
		}
		d, ok := stmt.Definition()
		if !ok || stmt.Keyword() == "drop" || d.Kind != "table" && d.Kind != "view" {
			continue
		}
		names = append(names, sqltext.Fold(d.Name))
		if d.NewName != "" {
			names = append(names, sqltext.Fold(d.NewName))
		}
	}
	return names
}

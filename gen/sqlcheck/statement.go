package sqlcheck

import (
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A statement is one of those that a query is made of.
type statement struct {
	offset  int // in the query
	sql     string
	keyword string // the first word, in lower case
	tokens  []sqltext.Token
}

// split cuts a query at its semicolons. What is behind CREATE TRIGGER it gives to
// the trigger, because only SQLite knows where that ends.
func split(query string) []statement {
	var all []statement
	from := -1 // of the statement
	var tokens []sqltext.Token
	end := func(to int) {
		if from >= 0 {
			s := statement{offset: from, sql: query[from:to]}
			for _, t := range tokens {
				t.Pos, t.End = t.Pos-from, t.End-from
				s.tokens = append(s.tokens, t)
			}
			s.keyword = s.word(0)
			all = append(all, s)
		}
		from, tokens = -1, nil
	}
	for _, t := range sqltext.Parse(query).Tokens {
		if t.Kind == sqltext.Directive {
			continue
		}
		if t.Kind == sqltext.Semicolon && !isTrigger(query, tokens) {
			end(t.Pos)
			continue
		}
		if from < 0 {
			from = t.Pos
		}
		tokens = append(tokens, t)
	}
	end(len(query))
	return all
}

func isTrigger(query string, tokens []sqltext.Token) bool {
	for i, t := range tokens {
		word := sqltext.Fold(query[t.Pos:t.End])
		switch {
		case i == 0 && word != "create":
			return false
		case word == "trigger":
			return true
		case i > 2:
			return false
		}
	}
	return false
}

// word returns token i in lower case and without quotes, or "".
func (s *statement) word(i int) string {
	if i < 0 || i >= len(s.tokens) {
		return ""
	}
	return sqltext.Fold(sqltext.Unquote(s.sql[s.tokens[i].Pos:s.tokens[i].End]))
}

// reads reports whether the statement is one to have SQLite prepare. Some pragmas
// act when they are prepared.
func (s *statement) reads() bool {
	switch s.keyword {
	case "select", "values", "with", "insert", "replace", "update", "delete":
		return true
	case "explain":
		rest := *s
		rest.keyword = s.word(1)
		if rest.keyword == "query" {
			rest.keyword = s.word(3)
		}
		return rest.keyword != "explain" && rest.reads()
	}
	// A word that begins no statement is a mistake, unless it is of another dialect.
	return !isStatement(s.keyword)
}

func isStatement(word string) bool {
	switch word {
	case "alter", "analyze", "attach", "begin", "commit", "create", "detach", "drop", "end", "pragma",
		"reindex", "release", "rollback", "savepoint", "vacuum":
		return true
	}
	return false
}

// inserts reports whether the statement puts rows into a table.
func (s *statement) inserts() bool {
	if s.keyword == "with" {
		for i := range s.tokens {
			if s.word(i) == "insert" || s.word(i) == "replace" {
				return true
			}
		}
	}
	return s.keyword == "insert" || s.keyword == "replace"
}

// names returns the words of the statement that may be names, in lower case.
func (s *statement) names() []string {
	var names []string
	for i, t := range s.tokens {
		if t.Kind == sqltext.Word || t.Kind == sqltext.Quoted {
			names = append(names, s.word(i))
		}
	}
	return names
}

// afterFrom reports whether token i stands where a table is named first.
func (s *statement) afterFrom(i int) bool {
	if s.word(i-1) == "." {
		i -= 2
	}
	switch s.word(i - 1) {
	case "from", "join", "into", "update":
		return true
	}
	return false
}

// isCalled reports whether a parenthesis stands behind the name at the offset, and
// the name is not what is written to.
func (s *statement) isCalled(offset int) bool {
	for i, t := range s.tokens {
		if t.Pos == offset {
			return s.word(i+1) == "(" && s.word(i-1) != "into"
		}
	}
	return false
}

// dialect returns what in the statement is no SQL of SQLite's and common in that of
// another database, or "".
func (s *statement) dialect() string {
	for i, t := range s.tokens {
		switch word := s.word(i); {
		case word == ":" && s.word(i+1) == ":" || strings.HasPrefix(word, "::"):
			return "::"
		case t.Kind == sqltext.Illegal && strings.HasPrefix(word, ":"):
			return "::"
		case t.Kind != sqltext.Word:
		case word == "ilike" || word == "straight_join" || word == "interval" || word == "lateral" || word == "similar" || word == "unnest":
			return word
		case word == "for" && (s.word(i+1) == "update" || s.word(i+1) == "share"):
			return "for " + s.word(i+1)
		case word == "duplicate" && s.word(i+1) == "key":
			return "duplicate key"
		case word == "top" && s.word(i-1) == "select":
			return "top"
		}
	}
	switch s.keyword {
	case "select", "values", "with", "insert", "replace", "update", "delete", "explain":
		return ""
	case "call", "copy", "do", "execute", "grant", "listen", "lock", "merge", "notify", "refresh", "revoke", "set", "show",
		"truncate", "unlisten", "use", "describe", "declare", "exec", "start", "unlock", "comment", "optimize":
		return s.keyword
	}
	return ""
}

// attached stands for all that is in a database that the program attaches.
const attached = "(attached)"

// created returns what a script creates or alters, in lower case.
func created(script string) []string {
	lower := sqltext.Fold(script)
	if !strings.Contains(lower, "create") && !strings.Contains(lower, "alter") && !strings.Contains(lower, "attach") {
		return nil
	}
	var names []string
	for _, s := range split(script) {
		i := 1
		for s.word(i) == "temp" || s.word(i) == "temporary" || s.word(i) == "virtual" {
			i++
		}
		kind := s.word(i)
		i++
		if s.keyword == "attach" {
			names = append(names, attached)
		}
		if s.keyword != "create" && s.keyword != "alter" || kind != "table" && kind != "view" {
			continue
		}
		if s.word(i) == "if" {
			i += 3 // NOT EXISTS
		}
		if s.word(i+1) == "." {
			i += 2
		}
		names = append(names, s.word(i))
		if s.word(i+1) == "rename" && s.word(i+2) == "to" {
			names = append(names, s.word(i+3))
		}
	}
	return names
}

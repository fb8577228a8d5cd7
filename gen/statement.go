package gen

import (
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A statement is the tokens from up to, not including, to of a migration, and
// what they say by themselves, without SQLite.
type statement struct {
	m        *migration
	from, to int

	keyword  string // the first word, in lower case
	variable int    // the first bind parameter, or -1
	ours     bool   // names a table of lockstep's, or has a string or column of that name
	temp     bool   // has the word TEMP
	quoted   bool   // has something in double quotes
	action   bool   // has the words of a foreign key that does something
	replace  bool   // has the word REPLACE, but not as a function
	conflict bool   // has the word CONFLICT
}

// next returns the statement that begins at the token from or behind it, and
// ends, until SQLite says otherwise, at the first semicolon. It returns nil when
// there is none.
func (m *migration) next(from int) *statement {
	tokens := m.script.Tokens
	for from < len(tokens) && (tokens[from].Kind == sqltext.Semicolon || tokens[from].Kind == sqltext.Directive) {
		from++
	}
	if from == len(tokens) {
		return nil
	}
	s := &statement{m: m, from: from, to: from, keyword: sqltext.Fold(m.script.Token(from)), variable: -1}
	s.extend(1)
	var references, acts bool
	for i := s.from; i < s.to; i++ {
		switch tokens[i].Kind {
		case sqltext.Variable:
			if s.variable < 0 {
				s.variable = i
			}
		case sqltext.Quoted, sqltext.String:
			text := m.script.Token(i)
			s.quoted = s.quoted || text[0] == '"'
			s.ours = s.ours || isOurs(sqltext.Unquote(text))
		case sqltext.Word:
			switch text := m.script.Token(i); len(text) {
			case len("set"):
				acts = acts || strings.EqualFold(text, "set")
			case len("temp"):
				s.temp = s.temp || strings.EqualFold(text, "temp")
			case len("cascade"): // and of "replace"
				acts = acts || strings.EqualFold(text, "cascade")
				s.replace = s.replace || strings.EqualFold(text, "replace") && s.word(i+1) != "("
			case len("conflict"):
				s.conflict = s.conflict || strings.EqualFold(text, "conflict")
			case len("temporary"):
				s.temp = s.temp || strings.EqualFold(text, "temporary")
			case len("references"):
				references = references || strings.EqualFold(text, "references")
			case len("_meta"), len("_lockstep_history"):
				s.ours = s.ours || isOurs(text)
			}
		}
	}
	s.action = references && acts
	return s
}

// extend moves the end of the statement behind the n-th semicolon from there, or
// to the end of the file. It returns false when it is there already.
func (s *statement) extend(n int) bool {
	tokens := s.m.script.Tokens
	to := s.to
	for ; to < len(tokens) && n > 0; to++ {
		if tokens[to].Kind == sqltext.Semicolon {
			n--
		}
	}
	for to > s.to && tokens[to-1].Kind == sqltext.Directive {
		to-- // one behind the last statement is nobody's
	}
	moved := to > s.to
	s.to = to
	return moved
}

// cut moves the end of the statement back to offset end of the text. It returns
// false when no statement can end there.
func (s *statement) cut(end int) bool {
	tokens := s.m.script.Tokens
	if tokens[s.to-1].End == end {
		return true
	}
	for to := s.to - 1; to > s.from; to-- {
		if tokens[to-1].End == end && tokens[to-1].Kind == sqltext.Semicolon {
			s.to = to
			return true
		}
	}
	return false
}

// word returns token i of the migration in lower case and without quotes, or ""
// behind the end of the statement.
func (s *statement) word(i int) string {
	if i >= s.to {
		return ""
	}
	return sqltext.Fold(sqltext.Unquote(s.m.script.Token(i)))
}

// text returns the statement as it is in the file.
func (s *statement) text() string {
	tokens := s.m.script.Tokens
	return s.m.script.Text[tokens[s.from].Pos:tokens[s.to-1].End]
}

// parsed returns the statement as the runtime sees it.
func (s *statement) parsed() sqltext.Statement {
	script := sqltext.Parse(s.text())
	return script.Statement(0, len(script.Tokens))
}

// problem returns a problem at the start of the statement.
func (s *statement) problem(fact string) Problem {
	return s.m.at(s.m.script.Tokens[s.from].Pos, "%s", fact)
}

// A definition is what a CREATE, ALTER or DROP defines.
type definition struct {
	kind, name string // "table", "users"
	rest       int    // the token behind the name
}

// definition returns what the statement, a CREATE, ALTER or DROP, defines.
func (s *statement) definition() definition {
	i := s.from + 1
	for w := s.word(i); w == "temp" || w == "temporary" || w == "virtual" || w == "unique"; w = s.word(i) {
		i++
	}
	kind := s.word(i)
	i++
	if s.word(i) == "if" {
		if i++; s.word(i) == "not" {
			i++
		}
		i++ // EXISTS
	}
	if s.word(i+1) == "." {
		i += 2
	}
	return definition{kind, s.word(i), i + 1}
}

// isOurs reports whether name is that of a table in which lockstep keeps books.
func isOurs(name string) bool {
	return strings.EqualFold(name, "_meta") || strings.EqualFold(name, "_lockstep_history")
}

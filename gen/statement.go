package gen

import (
	"slices"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A statement is one of a migration, and what its words say without SQLite.
type statement struct {
	sqltext.Statement
	m *migration

	variable int  // the index of the first bind parameter, or -1
	ours     bool // names a table of lockstep's, or has a string or column of that name
	temp     bool // has the word TEMP
	quoted   bool // has something in double quotes
	action   bool // has the words of a foreign key's action
	replace  bool // has the word REPLACE, but not as a function
	conflict bool // has the word CONFLICT
}

// parse reads a text in SQL. Where its statements end is proved by SQLite: see
// [replay.prepare].
func (m *migration) parse(text string) {
	m.script = sqltext.Parse(text)
	m.alone = m.script.NoTransaction()
	m.cut = m.script.Cut()
	for _, cut := range m.cut {
		s := &statement{Statement: cut, m: m, variable: -1}
		s.readWords()
		m.statements = append(m.statements, s)
	}
}

func (s *statement) readWords() {
	script := s.m.script
	var references, acts bool
	for i := s.First; i < s.End; i++ {
		text := script.Token(i)
		switch script.Tokens[i].Kind {
		case sqltext.Variable:
			if s.variable < 0 {
				s.variable = i
			}
		case sqltext.Quoted, sqltext.String:
			s.quoted = s.quoted || text[0] == '"'
			s.ours = s.ours || sqltext.IsOurs(sqltext.Unquote(text))
		case sqltext.Word:
			is := func(word string) bool { return sqltext.Equal(text, word) }
			s.temp = s.temp || is("temp") || is("temporary")
			s.replace = s.replace || is("replace") && script.Name(i+1) != "("
			s.conflict = s.conflict || is("conflict")
			s.ours = s.ours || sqltext.IsOurs(text)
			acts = acts || is("set") || is("cascade")
			references = references || is("references")
		}
	}
	s.action = references && acts
}

// problem returns a problem at the start of the statement.
func (s *statement) problem(fact string) Problem { return s.m.at(s.Pos, "%s", fact) }

// excused reports whether the statement has the directive "-- lockstep: no-cascade".
func (s *statement) excused() bool {
	return slices.ContainsFunc(s.Remarks(), func(r sqltext.Remark) bool { return r.Words == noCascade })
}

// turnsOff reports whether a PRAGMA sets something to false.
//
// https://sqlite.org/pragma.html#syntax
func (s *statement) turnsOff() bool {
	for i := s.First; i < s.End; i++ {
		if slices.Contains([]string{"off", "0", "false", "no"}, s.m.script.Name(i)) {
			return true
		}
	}
	return false
}

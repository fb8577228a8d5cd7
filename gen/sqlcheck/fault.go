package sqlcheck

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A fault is why SQLite does not prepare a statement.
type fault struct {
	*database
	statement
	at       int // offset in the statement
	sentence string
}

func (d *database) fault(s statement, err error) *fault {
	sentence := sqlite.Sentence(err)
	at, ok := engine.Offset(err, s.Text)
	if !ok {
		at = s.locate(sentence)
	}
	return &fault{d, s, at, sentence}
}

// in returns what is wrong with the text that has the statement.
func (f *fault) in(t text) finding {
	return finding{"sql", t.place(f.offset + f.at), "at " + f.name + ": " + f.sentence, false}
}

// locate returns the offset of what the sentence is about, or of the first word, where
// SQLite gives no offset.
func (s *statement) locate(sentence string) int {
	if sentence == "incomplete input" {
		return len(strings.TrimRight(s.Text, " \t\r\n"))
	}
	name := sqltext.Name(subject(sentence))
	table := strings.HasPrefix(sentence, "no such table")
	best, offset := 0, s.Tokens[0].Pos
	for i, t := range s.Tokens {
		rank := 0
		switch {
		case s.Name(i) != name:
		case t.Kind == sqltext.String:
			rank = 1
		case table && !s.afterFrom(i):
			rank = 2
		default:
			rank = 3
		}
		if rank > best {
			best, offset = rank, t.Pos
		}
	}
	return offset
}

// subjects matches the sentences with the word that they are about.
var subjects = regexp.MustCompile(`^(?:no such .*: (?:.*\.)?(.+)|table .+ has no column named (.+)|cannot .* generated column (.+)|` +
	`table (.+) may not be modified|cannot modify (.+) because .*|ON (CONFLICT) clause .*|.* (values) (?:for|were) .*)$`)

// subject returns the word that the sentence is about, or "".
func subject(sentence string) string {
	if m := subjects.FindStringSubmatch(sentence); m != nil {
		return cmp.Or(m[1:]...)
	}
	return ""
}

// missing matches the sentences about a name that does not exist, with the name.
var missing = regexp.MustCompile(`(?:no such column: |no such table: | has no column named )([^ ]+)$`)

// nowhere reports whether the fault is a name that is neither a table or column of the
// schema nor defined in the statement. The name of a column can have that of its table
// before it, which must be in the statement: a part that is added could bring it along.
func (c *checker) nowhere(f *fault) bool {
	m := missing.FindStringSubmatch(f.sentence)
	if m == nil {
		return false
	}
	name := m[1]
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		if !f.defines(sqltext.Fold(name[:i])) {
			return false
		}
		name = name[i+1:]
	}
	name = sqltext.Name(name)
	if f.known[name] || slices.Contains(c.reach.Owns, name) {
		return false
	}
	return !f.has("as "+name) && !f.has("as '"+name+"'") && !f.has(name+" as") // "name AS (…)"
}

// defines reports whether the statement has the name other than before a period: as a
// table or an alias.
func (s *statement) defines(name string) bool {
	return strings.Contains(strings.ReplaceAll(s.words, " "+name+" .", " ."), " "+name+" ")
}

// lacking matches the sentences about what this SQLite lacks and the program's, or another
// database, may have.
var lacking = regexp.MustCompile(`(?i)^(?:no such (?:module|function|collation|vfs)|unknown database|` +
	`no such table: (?:main\.)?(?:sqlite_|dbstat$|dual$|pg_)|` +
	`no such column: (?:current_user|session_user|localtime|localtimestamp|sysdate|systimestamp|rownum|ctid|xmin)$)`)

// silent returns why a fault is not reported, or "".
func (c *checker) silent(f *fault) string {
	if lacking.MatchString(f.sentence) {
		return f.sentence
	}
	if name, ok := strings.CutPrefix(f.sentence, "no such table: "); ok {
		if schema, rest, ok := strings.Cut(name, "."); ok {
			if sqltext.Fold(schema) != "main" {
				return "schema " + schema + " is not main"
			}
			name = rest
		}
		switch {
		case f.isUnknown(sqltext.Fold(name)) || slices.Contains(c.reach.Owns, sqltext.Fold(name)):
			return name + " is not in SQLite here" // and in a trigger or a view
		case sqlite.IsLitestream(name):
			return name + " is Litestream's"
		case f.has(sqltext.Fold(name)+" (") && !f.has("into "+sqltext.Fold(name)+" ("):
			return name + " is a table-valued function"
		case slices.Contains(c.reach.Owns, attached):
			return "the program attaches another database, which may have " + name
		}
		return ""
	}
	if strings.HasSuffix(f.sentence, "syntax error") || strings.HasPrefix(f.sentence, "unrecognized token") {
		if mark := f.dialect(); mark != "" {
			return "SQL of another database: " + mark
		}
	}
	if !strings.HasPrefix(f.sentence, "no such column") {
		if i := slices.IndexFunc(f.stubs, f.has); i >= 0 {
			return "function " + f.stubs[i] + " is not built into SQLite"
		}
	}
	return ""
}

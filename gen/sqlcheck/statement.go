package sqlcheck

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A statement is one of those that a query is made of.
type statement struct {
	*sqltext.Script        // without directives and without the semicolon at the end
	offset          int    // in the query
	keyword         string // the first word, in lower case, after EXPLAIN
	words           string // names, strings, keywords and marks in lower case, each between spaces
}

// split cuts a query into statements.
func split(query string) []statement {
	var all []statement
	for _, stmt := range sqltext.Parse(query).Cut() {
		s := statement{Script: sqltext.Parse(strings.TrimSuffix(stmt.SQL, ";")), offset: stmt.Pos}
		s.Tokens = slices.DeleteFunc(s.Tokens, func(t sqltext.Token) bool { return t.Kind == sqltext.Directive })
		first := 0
		if s.Name(0) == "explain" {
			if first = 1; s.Name(1) == "query" {
				first = 3
			}
		}
		words := strings.Builder{}
		for i, t := range s.Tokens {
			word := s.Name(i)
			if t.Kind == sqltext.String {
				word = "'" + word + "'"
			}
			words.WriteString(" " + word)
		}
		s.keyword, s.words = s.Name(first), words.String()+" "
		all = append(all, s)
	}
	return all
}

// The first words of statements.
const (
	rowWords   = " select values with insert replace update delete " // reads or writes rows
	tableWords = " alter analyze create drop reindex "               // may name tables
	otherWords = " attach begin commit detach end pragma release rollback savepoint vacuum "
)

// reads reports whether SQLite may prepare the statement. Some pragmas act when they are
// prepared. A word that begins no statement is a mistake, unless it is of another dialect.
func (s *statement) reads() bool { return !begins(s.keyword, tableWords+otherWords) }

func begins(word, words string) bool { return word != "" && strings.Contains(words, " "+word+" ") }

// apart returns a category for -why: whether no change of the schema can break a
// statement that is not read, as it can PRAGMA table_info(notes).
func (s *statement) apart() string {
	if begins(s.keyword, otherWords) && (s.keyword != "pragma" || !strings.Contains(s.Text, "(")) {
		return "apart"
	}
	return "why"
}

// has reports whether the statement has the words, one after the other.
func (s *statement) has(words string) bool { return strings.Contains(s.words, " "+words+" ") }

// afterFrom reports whether token i is where a table is named first.
func (s *statement) afterFrom(i int) bool {
	if s.Name(i-1) == "." {
		i -= 2
	}
	return i > 0 && begins(s.Name(i-1), " from join into update in ")
}

// dialects matches what is common in the SQL of other databases, and what SQLite does
// not read, in what [statement.plain] returns; ":a.b" is sqlx's. Compiling it takes a
// millisecond, too long for every start.
var dialects = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`::|:=|:\w+\.|=>|<=>|&&|@>|<@|@@|~|#|\^|\?[|&]|\? ?'|\\'|\$\w*\$|\(\+\)|[\w)"]\[|\b[ebnu]&?'` +
		`|\b(?:ilike|rlike|straight_join|interval|lateral|similar to|unnest|tablesample|extract|overlay|rollup|cube|sets|pivot|binary|div|xor|minus|separator)\b` +
		`|\b(?:any|all|some|left|right|position|against|row|isnull|convert) ?\(|\btrim ?\( ?(?:both|leading|trailing)\b|\bsubstring ?\([^)]* (?:from|for)\b` +
		`|\bselect (?:top|distinct on|sql_\w+)\b|\bfor (?:update|share|no key|key share)\b|\block in share\b|\bskip locked\b` +
		`|\bduplicate key\b|\bon constraint\b|\binsert (?:ignore|low_priority|delayed)\b|\boverriding\b|\binto \S+ set\b|[(,] ?default ?[,)]|= ?default\b` +
		`|\bat time zone\b|\b(?:limit|except|intersect) all\b|\b(?:date|time|timestamp(?:tz)?|jsonb?|uuid) ?'|\bfetch (?:first|next)\b|\boffset \S+ rows?\b|\bwith ?\( ?\w*lock|\b(?:cross|outer) apply\b|\boutput (?:inserted|deleted)\b` +
		`|\b(?:use|force|ignore) (?:index|key)\b|\bconnect by\b|\bwithin group\b|\b(?:update|delete from) only\b` +
		`|^delete (?:\S+ from|from .* using)\b|^update [^(]* join\b` +
		`|^(?:call|copy|do|execute|grant|listen|lock|merge|notify|refresh|revoke|set|show|truncate|unlisten|use|describe|declare|exec|start|unlock|comment|optimize)\b`)
})

// dialect returns what in the statement is common in the SQL of another database and
// unknown to SQLite, or "".
func (s *statement) dialect() string { return dialects().FindString(s.plain()) }

// plain returns the statement in lower case, with one space between tokens where there
// was any, and without what is in quotes.
func (s *statement) plain() string {
	var b strings.Builder
	for i, t := range s.Tokens {
		if i > 0 && t.Pos > s.Tokens[i-1].End {
			b.WriteByte(' ')
		}
		switch text := sqltext.Fold(s.Token(i)); {
		case t.Kind == sqltext.String && strings.HasSuffix(text, `\'`):
			b.WriteString(`'\'`)
		case t.Kind == sqltext.String || t.Kind == sqltext.Quoted:
			b.WriteString(text[:1] + text[len(text)-1:])
		default:
			b.WriteString(text)
		}
	}
	return b.String()
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

package sqlcheck

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A source is a table that a SELECT reads all rows of, or any one of by its key.
type source struct {
	table string
	on    []string // what is named in the ON of its LEFT JOIN
}

// simple matches what [statement.plain] returns of a SELECT without aggregates, subqueries
// and joins other than LEFT JOIN: a table, its alias, the joins, and WHERE.
var simple = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^select (?:[^()]|\b(?:coalesce|ifnull|iif|nullif|length|lower|upper|date|datetime|strftime) ?\([^()]*\))* ` +
		`from (\w+)(?: as)?(?: (\w+))?((?: left (?:outer )?join \w+(?: as)?(?: \w+)? on [^(),]+?)*)(?: where ([^()]*?))?(?: order by .*| limit .*)?$`)
})

// words returns the names and keywords in the text.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// from returns the tables of a SELECT from one, and others by LEFT JOIN, if nothing but
// their keys and the primary key of the first selects the rows; otherwise none.
func (d *database) from(s statement) (all []source) {
	m := simple().FindStringSubmatch(s.plain())
	if m == nil {
		return nil
	}
	all = []source{{table: m[1]}}
	for _, join := range strings.Split(m[3], " left ")[1:] {
		_, join, _ = strings.Cut(join, "join ")
		table, on, _ := strings.Cut(join, " ")
		_, on, _ = strings.Cut(" "+on, " on ")
		if !strings.Contains(on, "=") || slices.ContainsFunc(words(on), func(word string) bool {
			return begins(word, " join select or not is where group having window union intersect except ")
		}) {
			return nil
		}
		all = append(all, source{table, words(on)})
	}
	for _, word := range words(m[4]) {
		if number := word[0] <= '9'; !number && word != cmp.Or(m[2], m[1]) && !begins(word, " and in rowid ") && !d.isKey(m[1], word) {
			return nil
		}
	}
	return all
}

// isKey reports whether the column is of the primary key of the table.
func (d *database) isKey(table, column string) bool {
	return d.finds(`SELECT 1 FROM pragma_table_info(?1) WHERE pk AND name = ?2 COLLATE NOCASE`, table, column)
}

// mayLack reports whether the table is in sources by a LEFT JOIN that may find no row: no
// foreign key and no trigger ensures one.
func (d *database) mayLack(sources []source, table string) bool {
	i := slices.IndexFunc(sources, func(s source) bool { return s.table == table })
	if i < 0 || sources[i].on == nil ||
		slices.ContainsFunc(sources[i+1:], func(s source) bool { return s.table == table }) ||
		d.finds(`SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND instr(lower(sql), ?1)`, table) {
		return false
	}
	for _, before := range sources[:i] {
		for _, name := range sources[i].on {
			if d.finds(`SELECT 1 FROM pragma_foreign_key_list(?1) AS f JOIN pragma_table_info(?1) AS c ON c.name = f."from" COLLATE NOCASE
				WHERE f."table" = ?2 COLLATE NOCASE AND c.name = ?3 COLLATE NOCASE AND (c."notnull" OR c.pk)`, before.table, table, name) {
				return false
			}
		}
	}
	return true
}

// finds reports whether the query returns a row.
func (d *database) finds(query string, args ...string) (found bool) {
	engine.Each(d.conn, func(*sqlite3.Stmt) { found = true }, query, args...)
	return found
}

// makes matches what makes a table, or adds a column to one.
var makes = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^create table (?:if not exists )?(\w+)|^alter table (\w+) add (?:column )?(\w+)`)
})

// addedColumns returns, as " table.column … ", those that a migration in dir adds to an
// older table without a value, if none after it changes rows of that table.
func addedColumns(dir string) string {
	files, _ := migrationsIn(dir)
	made, added := map[string]string{}, []string{}
	for _, f := range files {
		if f.Ext != ".sql" {
			added = nil // a program may change rows of any
			continue
		}
		for _, s := range split(sqltext.Normalize(f.text)) {
			if m := makes().FindStringSubmatch(s.plain()); m != nil && m[1] != "" {
				made[m[1]] = f.String()
			} else if m != nil {
				if made[m[2]] != "" && made[m[2]] != f.String() && !s.has("default") && !s.has("not") && !s.has("as") {
					added = append(added, m[2]+"."+m[3])
				}
			} else if s.keyword != "create" {
				added = slices.DeleteFunc(added, func(column string) bool {
					table, _, _ := strings.Cut(column, ".")
					return s.has(table)
				})
			}
		}
	}
	return " " + strings.Join(added, " ") + " "
}

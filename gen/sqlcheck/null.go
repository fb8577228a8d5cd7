package sqlcheck

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// aggregates returns, for each column of a SELECT from a table without GROUP BY, the call
// of an aggregate that it is, if that is NULL without rows, or "".
//
// https://sqlite.org/lang_aggfunc.html
func (d *database) aggregates(s statement) (all []string) {
	from, begin, depth, commas, closed := 0, 1, 0, 0, 0
	for i := range s.Tokens {
		depth += s.nesting(i)
		switch word := s.Name(i); {
		case depth == 0 && word == ")" && closed == 0:
			closed = i
		case depth == 1 && word == ",":
			commas++
		case depth > 0:
		case i == 0 && word != "select", begins(word, " distinct group having over union intersect except "):
			return nil
		case from == 0 && (word == "," || word == "from"):
			end, call, name := i-1, "", s.Name(begin)
			if s.Name(end-1) == "as" {
				end -= 2
			}
			if closed == end && s.nesting(begin+1) == 1 && (begins(name, " min max ") && commas == 0 || begins(name, " sum avg group_concat string_agg ")) {
				call = s.Text[s.Tokens[begin].Pos:s.Tokens[end].End]
			}
			if all, begin, commas, closed = append(all, call), i+1, 0, 0; word == "from" {
				from = i
			}
		}
	}
	if _, ok := d.tables[s.Name(from+1)]; from == 0 || !ok || s.Name(from+1) == "_meta" {
		return nil
	}
	return all
}

// A source is a table that a SELECT reads all rows of, or any one of by its key.
type source struct {
	table string
	left  bool     // it is on the right side of a LEFT JOIN
	on    []string // what is named in its ON
}

// from returns the tables of a SELECT from one, and others by LEFT JOIN, if nothing but
// their keys and the primary key of the first selects the rows; otherwise none.
func (d *database) from(s statement) (all []source) {
	i, first, left := 0, "", false
	for ; i < len(s.Tokens) && s.Name(i) != "from"; i++ {
		if s.nesting(i) == 1 && !begins(s.Name(i-1), " coalesce ifnull iif nullif length lower upper date datetime strftime ") {
			return nil // an aggregate, or a subquery
		}
	}
	for i++; i < len(s.Tokens) && s.keyword == "select"; {
		src := source{table: s.Name(i), left: left}
		if _, ok := d.tables[src.table]; !ok {
			return nil
		}
		i++
		name := src.table
		if s.Name(i) == "as" {
			i++
		}
		if i < len(s.Tokens) && s.Tokens[i].Kind == sqltext.Word && !begins(s.Name(i), " on left where order limit ") {
			name = s.Name(i)
			i++
		}
		if first == "" {
			first = name
		}
		if s.Name(i) == "on" {
			for i++; i < len(s.Tokens) && !begins(s.Name(i), " left where order limit "); i++ {
				if begins(s.Name(i), " join select or not is group having window union intersect except , ") {
					return nil
				}
				src.on = append(src.on, s.Name(i))
			}
		}
		all = append(all, src)
		switch s.Name(i) {
		case "left":
			if i++; s.Name(i) == "outer" {
				i++
			}
			if i++; s.Name(i-1) != "join" {
				return nil
			}
			left = true
			continue
		case "where":
			for i++; i < len(s.Tokens) && !begins(s.Name(i), " order limit "); i++ {
				k := s.Tokens[i].Kind
				if (k == sqltext.Word || k == sqltext.Quoted) && !(s.Name(i) == first && s.Name(i+1) == ".") && !begins(s.Name(i), " and in rowid ") && !d.isKey(all[0].table, s.Name(i)) ||
					s.Name(i) == "." && s.Name(i-1) != first {
					return nil
				}
			}
		case "order", "limit", "":
		default:
			return nil
		}
		return all
	}
	return nil
}

// isKey reports whether the column is of the primary key of the table.
func (d *database) isKey(table, column string) bool {
	return d.has(`SELECT 1 FROM pragma_table_info(?1) WHERE pk AND name = ?2 COLLATE NOCASE`, table, column)
}

// mayLack reports whether the table is in sources by a LEFT JOIN that may find no row: no
// foreign key and no trigger sees to one.
func (d *database) mayLack(sources []source, table string) bool {
	i := slices.IndexFunc(sources, func(s source) bool { return s.table == table })
	if i < 0 || !sources[i].left || !slices.Contains(sources[i].on, "=") ||
		slices.ContainsFunc(sources[i+1:], func(s source) bool { return s.table == table }) ||
		d.has(`SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND instr(lower(sql), ?1)`, table) {
		return false
	}
	for _, before := range sources[:i] {
		for _, name := range sources[i].on {
			if d.has(`SELECT 1 FROM pragma_foreign_key_list(?1) AS f JOIN pragma_table_info(?1) AS c ON c.name = f."from" COLLATE NOCASE
				WHERE f."table" = ?2 COLLATE NOCASE AND c.name = ?3 COLLATE NOCASE AND (c."notnull" OR c.pk)`, before.table, table, name) {
				return false
			}
		}
	}
	return true
}

// has reports whether the query returns a row.
func (d *database) has(query string, args ...string) bool {
	stmt, _, err := d.conn.Prepare(query)
	if err != nil {
		return false
	}
	defer stmt.Close()
	for i, arg := range args {
		stmt.BindText(i+1, arg)
	}
	return stmt.Step()
}

// addedColumns returns, as " table.column … ", those that a migration in dir adds to an
// older table without a value, if none after it changes rows of that table.
func addedColumns(dir string) string {
	files, _ := os.ReadDir(dir)
	made, added := map[string]string{}, []string{}
	for _, f := range files {
		name, unlike := filename.Parse(f.Name())
		if unlike != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil || name.Ext != ".sql" {
			added = nil // a program may change rows of any
			continue
		}
		for _, s := range split(sqltext.Normalize(text)) {
			stmt := s.Cut()
			if len(stmt) != 1 {
				continue
			}
			d, _ := stmt[0].Definition()
			table := sqltext.Fold(d.Name)
			switch {
			case s.keyword == "create" && d.Kind == "table":
				made[table] = f.Name()
			case s.keyword == "create":
				continue
			case d.Action == "add":
				i := slices.IndexFunc(s.Tokens, func(t sqltext.Token) bool { return sqltext.Name(s.Text[t.Pos:t.End]) == "add" }) + 1
				if s.Name(i) == "column" {
					i++
				}
				if made[table] != "" && made[table] != f.Name() && !s.has("default") && !s.has("not") && !s.has("as") {
					added = append(added, table+"."+s.Name(i))
				}
				continue
			}
			names := s.names()
			added = slices.DeleteFunc(added, func(column string) bool {
				table, _, _ := strings.Cut(column, ".")
				return slices.Contains(names, table)
			})
		}
	}
	return " " + strings.Join(added, " ") + " "
}

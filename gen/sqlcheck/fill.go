package sqlcheck

import (
	"iter"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// fillings are what is tried in the place of something that is known at run time
// only.
var fillings = [...]string{"", "1", " AND 1", " WHERE 1", "?", "1 = 1", "id = 1", "1, 1", "(1)", "(1, 1)", ", 1", " ORDER BY 1", " LIMIT 1", " ASC", " OR 1", "= 1"}

// fill checks a statement of which parts are known at run time only. There is one
// thing that it reports: a name that stands in the constant part and exists
// nowhere in the schema, if no filling makes SQLite accept the statement. What
// could itself bring names along, such as a list of tables, makes it silent.
func (c *checker) fill(q *query, databases []*database) {
	const unknownPart = "a part of the string is not known before the program runs"
	if len(split(q.Text.SQL)) != 1 || len(q.Text.Holes) > 3 || !q.Text.late() {
		c.skip(q.At, unknownPart)
		return
	}
	d := databases[len(databases)-1]
	var found *fault
	for choice := range choices(len(q.Text.Holes)) {
		sql, back := q.Text.filled(choice)
		stmts := split(sql)
		if len(stmts) != 1 || !stmts[0].reads() {
			c.skip(q.At, unknownPart)
			return
		}
		if stmts[0].inNothing() {
			continue
		}
		r, f := d.read(stmts[0])
		if r != nil || c.silent(d, stmts[0], f) != "" {
			c.skip(q.At, unknownPart)
			return
		}
		if at := back(stmts[0].offset + f.offset); found == nil && at >= 0 && c.nowhere(d, stmts[0], f) {
			found = &fault{at, f.sentence}
		}
	}
	if found == nil {
		c.skip(q.At, unknownPart)
		return
	}
	c.complain(q, "sql", found.offset, "at "+d.name+": "+found.sentence)
}

// choices yields fillings for n holes: first the same in each, because that is how
// most right statements are found to be right, then all others.
func choices(n int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		choice := make([]int, n)
		for i := range fillings {
			for hole := range choice {
				choice[hole] = i
			}
			if !yield(choice) {
				return
			}
		}
		clear(choice)
		for hole := 0; hole < n; {
			if hole = 0; !yield(choice) {
				return
			}
			for hole < n {
				if choice[hole]++; choice[hole] < len(fillings) {
					break
				}
				choice[hole] = 0
				hole++
			}
		}
	}
}

// late reports whether each hole stands where the tables of the statement have been
// named: behind WHERE or the like, and not where another table would stand.
func (t *text) late() bool {
	for _, hole := range t.Holes {
		stmts := split(t.SQL[:hole])
		if len(stmts) != 1 {
			return false
		}
		s, behind := stmts[0], false
		for i := range s.Tokens {
			switch s.Name(i) {
			case "where", "order", "group", "having", "limit", "values", "set", "returning":
				behind = true
			}
		}
		if !behind {
			return false
		}
		switch s.Name(len(s.Tokens) - 1) {
		case "from", "join", "into", "update", "as", ".", "select", "union", "all", "except", "intersect":
			return false
		}
	}
	return true
}

// filled returns the text with its holes filled, and what leads an offset in it back
// to the text. That is -1 for one in a filling, or in a name that a filling is part
// of.
func (t *text) filled(choice []int) (string, func(int) int) {
	var b strings.Builder
	from := 0
	for i, hole := range t.Holes {
		b.WriteString(t.SQL[from:hole])
		b.WriteString(fillings[choice[i]])
		from = hole
	}
	b.WriteString(t.SQL[from:])
	sql := b.String()
	return sql, func(offset int) int {
		if offset >= len(sql) {
			return -1
		}
		end := sqltext.Next(sql, offset).End
		added := 0
		for i, hole := range t.Holes {
			filling := fillings[choice[i]]
			if at := hole + added; end >= at && offset <= at+len(filling) {
				return -1
			} else if offset > at {
				added += len(filling)
			}
		}
		return offset - added
	}
}

// nowhere reports whether the fault is a name that is no table and no column of the
// schema, and that the statement does not define. Where it is one of a table that
// the statement does not name, what is added to the statement may.
func (c *checker) nowhere(d *database, s statement, f *fault) bool {
	name, ok := missingName(f.sentence)
	if !ok {
		return false
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		if !s.defines(sqltext.Fold(name[:i])) {
			return false
		}
		name = name[i+1:]
	}
	name = sqltext.Name(name)
	if d.known[name] || slices.Contains(c.reach.Owns, name) {
		return false
	}
	for i := range s.Tokens {
		// "… AS name", "name AS (…)"
		if s.Name(i) == name && (s.Name(i-1) == "as" || s.Name(i+1) == "as") {
			return false
		}
	}
	return true
}

// defines reports whether the name stands in the statement in another place than
// before a point: as a table, or another name of one.
func (s *statement) defines(name string) bool {
	for i := range s.Tokens {
		if s.Name(i) == name && s.Name(i+1) != "." {
			return true
		}
	}
	return false
}

// inNothing reports whether the statement has "IN ()", to the left of which SQLite
// does not look.
func (s *statement) inNothing() bool {
	for i := range s.Tokens {
		if s.Name(i) == "in" && s.Name(i+1) == "(" && s.Name(i+2) == ")" {
			return true
		}
	}
	return false
}

// missingName returns the name that, SQLite says, does not exist.
func missingName(sentence string) (string, bool) {
	for _, prefix := range [...]string{"no such column: ", "no such table: "} {
		if name, ok := strings.CutPrefix(sentence, prefix); ok {
			return name, !strings.Contains(name, " ")
		}
	}
	if _, name, ok := strings.Cut(sentence, " has no column named "); ok {
		return name, true
	}
	return "", false
}

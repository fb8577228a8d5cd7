package sqlcheck

import (
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// fillings are tried in the place of a part that is known at run time only.
var fillings = [...]string{"", "1", " AND 1", " WHERE 1", "?", "1 = 1", "id = 1", "1, 1", "(1)", "(1, 1)", ", 1", " ORDER BY 1", " LIMIT 1", " ASC", " OR 1", "= 1"}

// fill checks a statement with parts that are known at run time only. It looks for
// fillings with which SQLite can read it. If a name is missing then, which is in the
// constant part and nowhere in the schema, fill reports it: no filling can add it. Where
// one can, because tables may be part of it, fill is silent.
func (c *checker) fill(q *query, databases []*database) {
	if fault := c.missingDespite(q, databases[len(databases)-1]); fault != nil {
		c.complain(q, "sql", fault.offset, "at "+databases[len(databases)-1].name+": "+fault.sentence)
	} else {
		c.skip(q.At, "part of the string is known only at run time")
	}
}

// missingDespite returns the name that is missing whatever the fillings are, or nil.
func (c *checker) missingDespite(q *query, d *database) *fault {
	if len(split(q.Text.SQL)) != 1 || len(q.Text.Holes) > 3 || !q.Text.late() {
		return nil
	}
	choice := make([]int, len(q.Text.Holes)) // of fillings
	for more := true; more; {
		filled := q.Text.filled(choice)
		stmts := split(filled.sql)
		if len(stmts) != 1 || !stmts[0].reads() {
			return nil
		}
		hole := len(choice) - 1
		if s := stmts[0]; !s.inNothing() {
			r, f := d.read(s)
			if r != nil || c.silent(d, s, f) != "" {
				return nil
			}
			offset := s.offset + f.offset
			if at := filled.back(offset); at >= 0 && c.nowhere(d, s, f) {
				return &fault{offset: at, sentence: f.sentence}
			}
			hole = filled.last(offset)
		}
		more = next(choice, hole)
	}
	return nil
}

// next makes another choice for the hole, which is the last before what SQLite
// refused: what follows it cannot help. When there is none, it makes another choice
// for the hole before.
func next(choice []int, hole int) bool {
	for ; hole >= 0; hole-- {
		clear(choice[hole+1:])
		if choice[hole]++; choice[hole] < len(fillings) {
			return true
		}
	}
	return false
}

// late reports whether each hole comes after the tables of the statement, at WHERE or
// later, and is not in the place of another table.
func (t *text) late() bool {
	for _, hole := range t.Holes {
		stmts := split(t.SQL[:hole])
		if len(stmts) != 1 {
			return false
		}
		s, late := stmts[0], false
		for i := range s.Tokens {
			switch s.Name(i) {
			case "where", "order", "group", "having", "limit", "values", "set", "returning":
				late = true
			}
		}
		if !late {
			return false
		}
		switch s.Name(len(s.Tokens) - 1) {
		case "from", "join", "into", "update", "as", ".", "select", "union", "all", "except", "intersect":
			return false
		}
	}
	return true
}

// filled is a text with its holes filled.
type filled struct {
	sql   string
	holes [][2]int // where in sql the fillings begin and end
}

func (t *text) filled(choice []int) filled {
	var f filled
	from := 0
	for i, hole := range t.Holes {
		f.sql += t.SQL[from:hole]
		begin := len(f.sql)
		f.sql += fillings[choice[i]]
		f.holes = append(f.holes, [2]int{begin, len(f.sql)})
		from = hole
	}
	f.sql += t.SQL[from:]
	return f
}

// last returns the last hole that begins before the offset, or at the next token, or
// -1.
func (f *filled) last(offset int) int {
	last := -1
	for i, hole := range f.holes {
		if hole[0] <= offset || strings.TrimSpace(f.sql[offset:hole[0]]) == "" {
			last = i
		}
	}
	return last
}

// back returns the offset in the text before it was filled, or -1 for one in a
// filling, or in a name that a filling is part of.
func (f *filled) back(offset int) int {
	if offset >= len(f.sql) {
		return -1
	}
	end := sqltext.Next(f.sql, offset).End
	back := offset
	for _, hole := range f.holes {
		if end >= hole[0] && offset <= hole[1] {
			return -1
		}
		if offset > hole[0] {
			back -= hole[1] - hole[0]
		}
	}
	return back
}

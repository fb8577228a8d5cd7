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
func (c *checker) fill(q *query, t text) []finding {
	if f := c.missingDespite(t); f != nil {
		f.Surely = t.Built
		return []finding{*f}
	}
	c.leave("part", q.At, "part of the string is known only at run time")
	return nil
}

// missingDespite returns what name is missing whatever the fillings are, or nil.
func (c *checker) missingDespite(t text) *finding {
	if len(split(t.SQL)) != 1 || len(t.Holes) > 3 || !t.late() {
		return nil
	}
	choice := make([]int, len(t.Holes)) // of fillings
	for more := true; more; {
		filled, holes := t.filled(choice)
		stmts := split(filled.SQL)
		if len(stmts) != 1 || !stmts[0].reads() {
			return nil
		}
		hole := len(choice) - 1
		// SQLite ignores what is left of "IN ()".
		if s := stmts[0]; !s.has("in ( )") {
			r, f := c.databases[len(c.databases)-1].read(s)
			if r != nil || c.silent(f) != "" {
				return nil
			}
			var touches bool
			if hole, touches = near(filled.SQL, s.offset+f.at, holes); !touches && c.nowhere(f) {
				found := f.in(filled)
				return &found
			}
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
			late = late || begins(s.Name(i), " where order group having limit values set returning ")
		}
		if !late || begins(s.Name(len(s.Tokens)-1), " from join into update as . select union all except intersect ") {
			return false
		}
	}
	return true
}

// filled returns the text with its holes filled, and where in it they begin and end.
func (t *text) filled(choice []int) (filled text, holes [][2]int) {
	from := 0
	for i, hole := range t.Holes {
		filled.add(t.slice(from, hole))
		begin := len(filled.SQL)
		filled.add(text{SQL: fillings[choice[i]], Pieces: []piece{{}}})
		holes = append(holes, [2]int{begin, len(filled.SQL)})
		from = hole
	}
	filled.add(t.slice(from, len(t.SQL)))
	return filled, holes
}

// near returns the last hole that begins before the offset, or at the next token, or -1, and
// whether the token at the offset, or the end, can be part of a hole.
func near(sql string, offset int, holes [][2]int) (last int, touches bool) {
	last, touches = -1, offset >= len(sql)
	for i, hole := range holes {
		if hole[0] <= offset || strings.TrimSpace(sql[offset:hole[0]]) == "" {
			last = i
		}
		touches = touches || offset <= hole[1] && hole[0] <= sqltext.Next(sql, offset).End
	}
	return last, touches
}

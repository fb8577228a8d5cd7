package sqlcheck

import (
	"fmt"
	"slices"
	"strings"
)

// check has SQLite read a query, and compares that with what the program does with
// it.
func (c *checker) check(q *query) {
	databases := c.open()
	if len(databases) == 0 {
		c.skip(q.At, "SchemaSQL cannot be read")
		return
	}
	stmts := split(q.Text.SQL)
	if why := c.unknown(q, databases, stmts); why != "" {
		c.skip(q.At, why)
		return
	}
	if len(q.Text.Holes) > 0 {
		c.fill(q, databases)
		return
	}
	if len(stmts) > 1 {
		c.several(q, stmts[1].offset)
	}
	for _, s := range stmts {
		if !s.reads() {
			c.skip(q.Text.place(s.offset), strings.ToUpper(s.keyword)+" statements are not checked")
			continue
		}
		c.statement(q, s, databases, len(stmts) == 1)
	}
}

// unknown returns why SQLite cannot judge the query: most often, the query names what
// the program's SQLite has, and this one has not.
func (c *checker) unknown(q *query, databases []*database, stmts []statement) string {
	if strings.IndexByte(q.Text.SQL, 0) >= 0 {
		return "SQLite stops reading at a NUL"
	}
	for _, s := range stmts {
		for _, name := range s.names() {
			if slices.Contains(c.reach.Owns, name) {
				return "the program itself creates " + name
			}
			for _, d := range databases {
				if d.unknown[name] {
					return "SQLite cannot create " + name + " here"
				}
			}
		}
	}
	return ""
}

// several reports a second statement where it is known that the driver refuses it: that
// of ncruces does, except in Exec without arguments.
func (c *checker) several(q *query, offset int) {
	others := func(path string) bool { return !strings.HasPrefix(path, ncrucesPath) }
	if !slices.Contains(c.reach.Drivers, ncrucesPath+"/driver") || slices.ContainsFunc(c.reach.Drivers, others) {
		return
	}
	args := false
	for _, a := range q.Calls {
		args = args || a.Count > 0
	}
	switch {
	case !q.Several:
		c.complain(q, "several", offset, "second statement: the driver accepts only one")
	case args:
		c.complain(q, "several", offset, "second statement: the driver accepts only one with arguments")
	}
}

// statement checks one statement of the query. With several schemas it is wrong only
// if it is wrong with each of them, and with all their tables together.
func (c *checker) statement(q *query, s statement, databases []*database, alone bool) {
	var readings []*reading
	var last *fault
	for _, d := range databases {
		r, f := d.read(s)
		if f == nil {
			readings = append(readings, r)
		} else {
			last = f
		}
	}
	if len(readings) == 0 {
		d := databases[len(databases)-1]
		if why := c.silent(d, s, last); why != "" {
			c.skip(q.At, why)
			return
		}
		c.complain(q, "sql", s.offset+last.offset, "at "+d.name+": "+last.sentence)
		return
	}
	for _, o := range q.objections(s, readings[0], alone) {
		// It must hold whichever of the schemas is meant.
		if slices.ContainsFunc(readings, func(r *reading) bool { return !slices.Contains(q.objections(s, r, alone), o) }) {
			continue
		}
		if o.check == "notnull" {
			o.message = "at " + readings[0].name + ": " + o.message
		}
		c.report(q, o.check, o.at, o.message)
	}
}

// An objection is something that is wrong with what the program does with a
// statement that SQLite accepts.
type objection struct {
	check   string
	at      place
	message string
}

// objections returns what is wrong. Unless the statement is alone in its query, whose
// the arguments are depends on the driver.
func (q *query) objections(s statement, r *reading, alone bool) (all []objection) {
	for _, m := range r.missing {
		all = append(all, objection{"notnull", q.Text.place(s.offset), "NOT NULL constraint failed: " + m + ": the INSERT gives it no value"})
	}
	if !alone {
		return all
	}
	for _, a := range q.Calls {
		for _, wrong := range a.wrong(r) {
			all = append(all, objection{"args", a.Place, wrong})
		}
	}
	for _, scan := range q.Scans {
		if wrong := scan.wrong(r); wrong != "" {
			all = append(all, objection{"scan", scan.Place, wrong})
		}
	}
	return all
}

// wrong returns what is wrong with the arguments of a call.
func (a *arguments) wrong(r *reading) []string {
	if len(a.Names) == 0 {
		if a.Count == len(r.params) {
			return nil
		}
		return []string{fmt.Sprintf("call has %s for %s", count(a.Count, "argument"), count(len(r.params), "parameter"))}
	}
	var all []string
	given := map[string]bool{}
	for _, name := range a.Names {
		given[name] = true
		if !slices.ContainsFunc(r.params, func(p string) bool { return p != "" && p[0] != '?' && p[1:] == name }) {
			all = append(all, fmt.Sprintf("argument %q names no parameter", name))
		}
	}
	if a.Count > len(a.Names) {
		return all // the others may be for any parameter
	}
	for i, p := range r.params {
		switch {
		case p == "" || p[0] == '?':
			all = append(all, fmt.Sprintf("parameter ?%d has no argument", i+1))
		case !given[p[1:]]:
			all = append(all, "parameter "+p+" has no argument")
		}
	}
	return all
}

// wrong returns what is wrong with the destinations, or "".
func (s *scan) wrong(r *reading) string {
	switch {
	case r.columns == 0:
		return "Scan has " + count(s.Count, "destination") + ", but the statement returns no rows"
	case r.columns != s.Count:
		return "Scan has " + count(s.Count, "destination") + " for " + count(r.columns, "column")
	}
	return ""
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

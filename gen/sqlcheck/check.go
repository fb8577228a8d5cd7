package sqlcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A finding is something that is wrong. It can be part of a fact.
type finding struct {
	Check   string // the name of it, for directives
	At      place
	Message string
	Surely  bool // it is wrong in every other text that has the place, too
}

// check reports what is wrong with a query. If it may be several texts, each must be
// wrong, for not each has to be possible.
func (c *checker) check(q *query) {
	if q.Each {
		for _, t := range q.Texts {
			one := *q
			one.Texts, one.Each, one.At = []text{t}, false, t.place(0)
			one.Calls, one.Scans = nil, nil // which may be for some of them
			c.check(&one)
		}
	}
	var texts []text
	var all [][]finding
	for _, t := range q.Texts {
		if len(q.Texts) == 1 || len(t.Holes) > 0 || strings.TrimSpace(t.SQL) != "" { // nobody means to run nothing
			texts = append(texts, t)
			found := c.judge(q, t)
			if q.part {
				found = slices.DeleteFunc(found, func(f finding) bool { return !f.Surely || f.Check != "sql" })
			}
			all = append(all, found)
		}
	}
	if whole := slices.DeleteFunc(slices.Clone(texts), func(t text) bool { return !t.changesAll() }); len(whole) > 0 && len(whole) < len(texts) && c.why {
		c.report(nil, finding{"where", q.At, "on some ways to here, there is no WHERE", false})
	}
	for _, f := range slices.Concat(all...) {
		holds := true
		for i, found := range all {
			holds = holds && f.holds(found, texts[i])
		}
		if holds {
			c.report(q, f)
		}
	}
}

// changesAll reports whether the text is an UPDATE or DELETE of all rows.
func (t *text) changesAll() bool {
	s := split(t.SQL)
	return len(s) == 1 && begins(s[0].keyword, " update delete ") && !s[0].has("where") && len(t.Holes) == 0
}

// holds reports whether the text, in which something was found, is as wrong: in the same
// way where it has the same place, unless it is no SQL at all.
func (f *finding) holds(found []finding, t text) bool {
	alike := f.Surely
	for _, other := range found {
		switch {
		case other.Check != f.Check:
		case other.At == f.At && other.Message == f.Message, isSyntax(other) && !isSyntax(*f):
			return true
		case isSyntax(other) == isSyntax(*f):
			alike = true
		}
	}
	return alike && !t.has(f.At)
}

func isSyntax(f finding) bool {
	return strings.HasSuffix(f.Message, "syntax error") || strings.HasSuffix(f.Message, "incomplete input") || strings.Contains(f.Message, "unrecognized token")
}

// judge has SQLite read a text, and compares that with what the program does with it.
func (c *checker) judge(q *query, t text) (all []finding) {
	stmts := split(t.SQL)
	if why := c.unknown(t, stmts); why != "" {
		c.skip(q.At, why)
		return nil
	}
	if len(t.Holes) > 0 {
		return c.fill(q, t)
	}
	if len(stmts) > 1 {
		all = c.several(q, t.place(stmts[1].offset))
	}
	for _, s := range stmts {
		if !s.reads() {
			c.leave(s.apart(), t.place(s.offset), strings.ToUpper(s.keyword)+" statements are not checked")
			continue
		}
		all = append(all, c.statement(q, t, s, len(stmts) == 1)...)
	}
	return all
}

// unknown returns why SQLite cannot judge the text: most often, it names what the
// program's SQLite has, and this one has not.
func (c *checker) unknown(t text, stmts []statement) string {
	if strings.IndexByte(t.SQL, 0) >= 0 {
		return "SQLite stops reading at a NUL"
	}
	for _, s := range stmts {
		for i, t := range s.Tokens {
			text, name := s.Token(i), s.Name(i)
			switch {
			// SQLite takes $1::text and $$text$$ for the names of parameters.
			case t.Kind == sqltext.Variable && (strings.Contains(text, "::") || strings.HasSuffix(text, "$")):
				return "SQL of another database: " + text
			case t.Kind != sqltext.Word && t.Kind != sqltext.Quoted:
			case slices.Contains(c.reach.Owns, name):
				return "the program itself creates " + name
			case slices.ContainsFunc(c.databases, func(d *database) bool { return d.unknown[name] }):
				return "SQLite cannot create " + name + " here"
			}
		}
	}
	return ""
}

// several says so of a second statement where it is known that the driver refuses it:
// that of ncruces does, except in Exec without arguments.
func (c *checker) several(q *query, at place) []finding {
	if !slices.Contains(c.reach.Drivers, ncrucesPath+"/driver") || !c.ncrucesOnly() {
		return nil
	}
	switch {
	case !q.Several:
		return []finding{{"several", at, "second statement: the driver accepts only one", false}}
	case slices.ContainsFunc(q.Calls, func(a arguments) bool { return a.Count > 0 }):
		return []finding{{"several", at, "second statement: the driver accepts only one with arguments", false}}
	}
	return nil
}

// ncrucesOnly reports whether all drivers of SQLite that are imported are of ncruces.
func (c *checker) ncrucesOnly() bool {
	return !slices.ContainsFunc(c.reach.Drivers, func(path string) bool { return !strings.HasPrefix(path, ncrucesPath) })
}

// statement checks one statement of a text. With several schemas it is wrong only if
// it is wrong with each of them, and with all their tables together.
func (c *checker) statement(q *query, t text, s statement, alone bool) (all []finding) {
	readings, fault := c.readings(s)
	if len(readings) == 0 {
		if why := c.silent(fault); why != "" {
			c.skip(q.At, why)
			return nil
		}
		f := fault.in(t)
		f.Surely = t.Built && c.nowhere(fault)
		return []finding{f}
	}
	for _, f := range q.findings(t, s, readings[0], alone) {
		// It must hold whichever of the schemas is meant.
		if slices.ContainsFunc(readings, func(r *reading) bool { return !slices.Contains(q.findings(t, s, r, alone), f) }) {
			continue
		}
		if f.Check == "notnull" || f.Check == "sql" {
			f.Message = "at " + readings[0].name + ": " + f.Message
		}
		switch wrong, unknown := c.verdict(f); {
		case wrong:
			all = append(all, f)
		case unknown != "" && !c.silenced(q, f.Check, f.At):
			c.leave("doubt", f.At, unknown)
			if len(q.Texts) == 1 {
				c.reach.Doubts = append(c.reach.Doubts, f)
			}
		case unknown == "" && f.Check == "sql":
			c.skip(f.At, accepts)
		}
	}
	return all
}

// verdict returns whether what may be wrong is wrong, or why only the programs that import
// this package know: a string in double quotes depends on the driver, a column without a
// field on whether there is an sqlx.DB.Unsafe.
func (c *checker) verdict(f finding) (wrong bool, unknown string) {
	switch column := strings.HasPrefix(f.Message, "missing destination"); {
	case f.Check == "sql" && len(c.reach.Drivers) == 0:
		return false, "some drivers accept strings in double quotes, and none is imported here"
	case f.Check == "sql":
		return c.ncrucesOnly(), ""
	case column && c.pass.Pkg.Name() != "main":
		return false, "the programs that import this package know whether sqlx drops columns"
	default:
		return !column || !c.reach.Unsafe, ""
	}
}

const accepts = "the driver accepts strings in double quotes"

// doubts reports, in a program, what its packages could not know to be wrong.
func (c *checker) doubts() {
	if c.pass.Pkg.Name() != "main" {
		return
	}
	for _, f := range c.reach.Doubts {
		wrong, unknown := c.verdict(f)
		if unknown != "" {
			c.leave("doubt", f.At, unknown)
			continue
		}
		c.decide(f.At)
		if wrong {
			c.report(nil, f)
		} else if f.Check == "sql" {
			c.skip(f.At, accepts)
		}
	}
}

// findings returns what is wrong with a statement that SQLite accepts. Unless it is
// alone in its text, whose the arguments are depends on the driver.
func (q *query) findings(t text, s statement, r *reading, alone bool) (all []finding) {
	if r.quoted != nil {
		all = append(all, finding{"sql", t.place(s.offset + r.quoted.at), r.quoted.sentence, false})
	}
	for _, m := range r.missing {
		message := "NOT NULL constraint failed: " + m + ": the INSERT gives it no value"
		if r.ignores {
			message = "the INSERT OR IGNORE inserts nothing: it gives no value to " + m + ", which is NOT NULL"
		}
		all = append(all, finding{"notnull", t.place(s.offset), message, false})
	}
	if !alone {
		return all
	}
	if !t.Loose {
		if t.Args != len(r.params) {
			all = append(all, t.Odd...)
		}
		for _, a := range q.Calls {
			for _, wrong := range a.wrong(r) {
				all = append(all, finding{"args", a.Place, wrong, false})
			}
		}
	}
	for _, scan := range q.Scans {
		for _, wrong := range scan.misfits(r) {
			all = append(all, finding{"scan", scan.Place, wrong, false})
		}
	}
	return all
}

// wrong returns what is wrong with the arguments of a call.
func (a *arguments) wrong(r *reading) []string {
	if a.Fields != nil {
		var names []string
		for _, p := range r.params {
			names = append(names, strings.TrimLeft(p, ":@$"))
		}
		if name := a.lacks(names); name != "" {
			return []string{"could not find name " + name + " in " + a.Struct}
		}
		return nil
	}
	if len(a.Names) == 0 {
		if a.Count == len(r.params) {
			return nil
		}
		return []string{callHas(a.Count, len(r.params))}
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

func callHas(args, params int) string {
	return "call has " + wording.Count(args, "argument") + " for " + wording.Count(params, "parameter")
}

package sqltext

import (
	"fmt"
	"strings"
)

// Effects are what statements can do that breaks foreign keys. They come from the text of
// the statements and of the triggers that these fire, as if nothing were ever dropped: they
// may include more than happens, never less.
type Effects struct {
	Anything bool // all that can be done
	Vacuums  bool // rows may have other rowids, where these are not the primary key

	objects []Object           // that there are, and that the statements create
	virtual map[string]bool    // names of virtual tables: whether the module writes to its own tables alone
	of      map[string]*effect // by each name that a table has had
	written map[string]bool    // writes whose triggers were followed
	legacy  bool               // RENAME leaves the names in foreign keys as they are
}

type effect uint8

const (
	adds      effect = 1 << iota // rows are new, and may refer to none
	removes                      // rows go that others may refer to
	redefines                    // its keys change
	replaces                     // of a write: a conflict removes rows, also where triggers write
	drops                        // it is dropped, and may be created again
	all       = adds | removes | redefines
)

// NewEffects returns the effects of no statement, in a database with the objects.
func NewEffects(objects []Object) *Effects {
	e := &Effects{virtual: map[string]bool{}, of: map[string]*effect{}, written: map[string]bool{}}
	for _, o := range objects {
		e.create(o)
	}
	return e
}

func (e *Effects) create(o Object) {
	e.objects = append(e.objects, o)
	if o.Type != "table" || !strings.Contains(Fold(o.SQL), "virtual") {
		return
	}
	p := parser{lexemes: lex(o.SQL)}
	if kind, _, _ := p.object(); kind == "virtual" && p.accept("using") {
		e.virtual[Fold(o.Name)] = isOneOf(Fold(p.name()), "fts3 fts4 fts5 rtree rtree_i32 geopoly")
	}
}

// Suspect adds that rows of the table may refer to none.
func (e *Effects) Suspect(table string) { e.add(table, adds) }

// Rows reports whether rows of the child may have lost their parent, or new ones have none.
func (e *Effects) Rows(child, parent string) bool {
	return e.Anything || e.on(child)&adds != 0 || e.on(parent)&removes != 0
}

// Keys reports whether the foreign key of the child, or the key of the parent that it
// needs, may have changed.
func (e *Effects) Keys(child, parent string) bool {
	return e.Anything || (e.on(child)|e.on(parent))&redefines != 0
}

// Drops reports whether the table may have been dropped, and created again with its rows.
func (e *Effects) Drops(table string) bool { return e.on(table)&drops != 0 }

// Reaches reports whether [Effects.Rows] or [Effects.Keys] may be true for a foreign key of
// the table: it has an effect, or mentions a table that has.
func (e *Effects) Reaches(o *Object) bool {
	sql := Fold(o.SQL)
	for name, f := range e.of {
		if *f != 0 && (strings.Contains(sql, name) || strings.ContainsAny(name, "\"'`]")) {
			return true
		}
	}
	return e.Anything || e.on(o.Name) != 0
}

// on returns the effect on a table.
func (e *Effects) on(table string) (f effect) {
	f = *e.at(table)
	for name := range e.virtual { // which may keep its content in such a table
		if strings.HasPrefix(Fold(table), name+"_") {
			f |= *e.at(name)
		}
	}
	return f
}

func (e *Effects) at(table string) *effect {
	f := e.of[Fold(table)]
	if f == nil {
		f = new(effect)
		e.of[Fold(table)] = f
	}
	return f
}

func (e *Effects) add(table string, f effect) {
	*e.at(table) |= f
	own, virtual := e.virtual[Fold(table)]
	e.Anything = e.Anything || virtual && !own
}

// Add adds the effects of a statement, which runs after those before.
func (e *Effects) Add(s *Statement) {
	switch s.Keyword() {
	case "insert", "replace", "update", "delete", "with":
		e.write(s.SQL, 0)
	case "create", "alter", "drop":
		e.define(s)
	case "pragma", "explain":
		switch pragma, _ := s.SetsConnection(); pragma {
		case "writable_schema":
			e.Anything = true
		case "legacy_alter_table":
			e.legacy = true
		}
	case "vacuum":
		e.Vacuums = true
	case "select", "values", "begin", "commit", "end", "savepoint", "release", "rollback", "analyze", "reindex":
	default:
		e.Anything = true
	}
}

func (e *Effects) define(s *Statement) {
	d, ok := s.Definition()
	switch keyword := s.Keyword(); {
	case !ok:
		e.Anything = true
	case keyword == "create":
		e.create(Object{d.Kind, d.Name, d.Table, s.SQL})
		if d.Kind != "trigger" {
			e.add(d.Table, redefines)
		}
	case keyword == "drop" && d.Kind == "index":
		for _, o := range e.objects {
			if o.Type == "index" && Equal(o.Name, d.Name) {
				e.add(o.Table, redefines)
			}
		}
	case keyword == "drop" && d.Kind != "trigger":
		e.add(d.Name, all|drops)
	case keyword == "alter":
		e.alter(s, d)
	}
}

func (e *Effects) alter(s *Statement, d Definition) {
	switch d.Action {
	case "rename":
		f := redefines
		if e.legacy {
			f = all
		}
		e.add(d.Name, f)
		if d.NewName == "" { // a column
			return
		}
		e.add(d.NewName, f)
		now, was := e.at(d.Name), e.at(d.NewName)
		for name, f := range e.of {
			if f == was {
				e.of[name] = now
			}
		}
		*now |= *was
		if own, ok := e.virtual[Fold(d.Name)]; ok {
			e.virtual[Fold(d.NewName)] = own
		}
		e.written = map[string]bool{}
	case "add":
		if s.has("references") {
			e.add(d.Name, redefines)
		}
		if s.has("references") && (s.has("default") || s.has("as")) { // it is not NULL
			e.add(d.Name, adds)
		}
	case "drop":
		e.add(d.Name, adds|redefines)
	default:
		e.add(d.Name, all)
	}
}

// write adds the effects of each INSERT, UPDATE and DELETE in a statement, which may create
// a trigger. Nowhere else do these keywords come before the name of a table. inherited is
// what the statement that fires the trigger does on a conflict.
//
// https://sqlite.org/lang_createtrigger.html
func (e *Effects) write(sql string, inherited effect) {
	p, into := parser{lexemes: lex(sql)}, ""
	for !p.done() {
		f, inserts := adds|removes|inherited, false
		switch {
		case p.accept("do update"):
			e.writeTo(into, f)
			continue
		case p.accept("replace into"):
			f, inserts = adds|replaces, true
		case p.accept("into"):
			f, inserts = adds|inherited, true
		case p.accept("delete from"):
			f = removes | inherited
		case p.accept("update or replace"):
			f |= replaces
		case p.accept("update"):
			if p.accept("or") {
				p.next()
			}
		default:
			p.next()
			continue
		}
		table := p.qualified()
		e.writeTo(table, f)
		if inserts {
			into = table
		}
	}
	e.Anything = e.Anything || p.failed
}

// writeTo adds the effect on a table or view, and those of the triggers that it fires.
func (e *Effects) writeTo(table string, f effect) {
	// With another object there may be another trigger.
	w := fmt.Sprint(f, len(e.objects), Fold(table))
	if e.written[w] {
		return
	}
	e.written[w] = true
	var triggers []Object
	for _, o := range e.objects {
		switch {
		case e.at(o.Table) != e.at(table):
		case o.Type == "trigger":
			triggers = append(triggers, o)
		case o.Type == "table" && strings.Contains(Fold(o.SQL), "replace"): // ON CONFLICT REPLACE
			f |= removes
		}
	}
	if f&replaces != 0 {
		f |= removes
	}
	e.add(table, f)
	for _, o := range triggers {
		e.write(o.SQL, f&replaces)
	}
}

package prove

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// lookAtNoEffect reports a statement that does nothing, or makes what never does.
func (o *observation) lookAtNoEffect(i int, s *sqltext.Statement, d sqltext.Definition) error {
	if isTemporary(s) {
		return nil
	}
	if s.Keyword() == "create" && d.Kind == "trigger" {
		columns, err := o.columns(d.Table)
		_, of := sqltext.TriggerEvent(s.SQL)
		for _, c := range of {
			if err == nil && !slices.Contains(columns, sqltext.Fold(c)) {
				o.report(i, "never "+c, "never fires for UPDATE OF %s: %s has no such column", c, d.Table).free = true
			}
		}
	}
	if w := s.Words(6); !slices.Contains(w, "exists") || !slices.Contains(w, "if") {
		return nil
	}
	objects, err := o.readObjects(o.ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(objects, func(obj sqltext.Object) bool { return obj.Type == d.Kind && sqltext.Equal(obj.Name, d.Name) })
	switch {
	case s.Keyword() == "drop" && at < 0:
		if name := o.meant(d, objects); name != "" {
			o.report(i, "nothing", "does nothing: there is no %s %s; did you mean %s?", d.Kind, d.Name, name).free = true
		}
	case at >= 0 && s.Keyword() == "create":
		want := sqltext.Object{Type: d.Kind, Name: objects[at].Name, Table: d.Table, SQL: strings.TrimSuffix(s.SQL, ";")}
		wanted := append(slices.Delete(slices.Clone(objects), at, at+1), want)
		if changed, _ := sqltext.Diff(wanted, objects); len(changed) > 0 {
			o.report(i, "nothing", "does nothing: %s %s is there, and is another: %s", d.Kind, d.Name, strings.TrimPrefix(changed[0].Detail, d.Kind+" "+want.Name+": ")).free = true
		}
	}
	return nil
}

// meant returns the object that DROP … IF EXISTS may have been meant for, if the migration has
// nothing else to do with that name.
func (o *observation) meant(d sqltext.Definition, objects []sqltext.Object) string {
	named := 0
	for _, other := range o.defines {
		if sqltext.Equal(other.Name, d.Name) || sqltext.Equal(other.NewName, d.Name) {
			named++
		}
	}
	for _, obj := range objects {
		if obj.Type == d.Kind && named == 1 && similar(sqltext.Fold(obj.Name), sqltext.Fold(d.Name)) {
			return obj.Name
		}
	}
	return ""
}

// similar reports whether the names differ by one letter, two that are swapped, or an ending.
func similar(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	same := 0
	for same < len(b) && a[same] == b[same] {
		same++
	}
	const short = 3
	if len(b) < short || a == b {
		return false
	}
	rest, restOfB := a[same:], b[same:]
	swapped := len(rest) > 1 && len(restOfB) > 1 && rest[0] == restOfB[1] && rest[1] == restOfB[0] && rest[2:] == restOfB[2:]
	return swapped || restOfB == "" && len(rest) <= 2 || rest[1:] == restOfB || restOfB != "" && rest[1:] == restOfB[1:]
}

// lookAtUpdate looks at an UPDATE that is about to run.
func (o *observation) lookAtUpdate(i int, s *sqltext.Statement, targets []string) (after func() error, err error) {
	after = func() error { return nil }
	if s.Keyword() != "update" || len(targets) == 0 {
		return after, nil
	}
	table := targets[0]
	columns, err := o.columns(table)
	if err != nil {
		return nil, err
	}
	for column, text := range o.literals(s) {
		if !o.shrinks && slices.Contains(columns, sqltext.Fold(text)) {
			o.report(i, "literal "+column, "sets %s of every row to the text '%s', which is also the name of a column; for the column, leave out the quotes", column, text).free = true
		}
	}
	if o.m.Run != nil || o.was.rows == nil {
		return after, nil
	}
	return o.lookAtTriggers(i, s, table)
}

// lookAtReplace looks at what OR REPLACE does to rows of a table that was there before: it
// deletes those that are in the way, with what is in columns that an INSERT does not name.
//
// https://sqlite.org/lang_conflict.html
func (o *observation) lookAtReplace(i int, s *sqltext.Statement, targets []string) (after func() error, err error) {
	after = func() error { return nil }
	if !o.namesIn(s.SQL)["replace"] {
		return after, nil
	}
	in, inserts := sqltext.ParseInsertion(s.SQL)
	if w := s.Words(3); len(targets) > 0 && slices.Equal(w, []string{"update", "or", "replace"}) {
		in = sqltext.Insertion{Table: targets[0], Replaces: true}
	}
	if t := o.tables[in.Table]; !in.Replaces || t == nil || t.made >= 0 || inserts && in.Columns == nil {
		return after, nil
	}
	columns, err := o.query("SELECT lower(name) FROM pragma_table_info(?)", in.Table) // but generated ones
	if err != nil {
		return nil, err
	}
	before, err := o.contents(in.Table)
	return func() error {
		now, err := o.contents(in.Table)
		if err != nil {
			return err
		}
		if was, is := len(before.rows), len(now.rows); is < was {
			o.report(i, "loses "+in.Table, "%s loses rows, which OR REPLACE deletes where they are in the way: %s before, %d after", in.Table, wording.Count(was, "row"), is)
		}
		if !inserts {
			return nil
		}
		for _, column := range slices.Concat(columns...) {
			have := map[string]int{null: len(before.rows)}
			for _, v := range now.values(column) {
				have[v]++
			}
			lost := func(v string) bool { have[v]--; return have[v] < 0 }
			if !slices.Contains(in.Columns, column) && slices.ContainsFunc(before.values(column), lost) {
				o.report(i, "replaces "+column, "%s loses what is in %s of the rows that are replaced; name %[2]s, too, or use ON CONFLICT … DO UPDATE", in.Table, column)
			}
		}
		return nil
	}, err
}

// literals returns the columns that an UPDATE of all rows sets to a text.
func (t *trial) literals(s *sqltext.Statement) map[string]string {
	script, set := t.m.Script, map[string]string{}
	for i := s.First; i < s.End; i++ {
		switch before, after := script.Name(i-3), script.Name(i+1); {
		case script.Tokens[i].Kind == sqltext.Word && script.Name(i) == "where":
			return nil
		case script.Tokens[i].Kind != sqltext.String || script.Name(i-1) != "=":
		case (before == "set" || before == ",") && (after == "" || after == ";" || after == ","):
			set[sqltext.Unquote(script.Token(i-2))] = sqltext.Unquote(script.Token(i))
		}
	}
	return set
}

// lookAtTriggers runs the statement without triggers first, and compares what is different
// with them. What triggers derive from the rows is for them to do.
func (o *observation) lookAtTriggers(i int, s *sqltext.Statement, target string) (after func() error, err error) {
	after = func() error { return nil }
	if some, err := o.query("SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = ?", target); err != nil || len(some) == 0 {
		return after, err
	}
	now, err := o.readObjects(o.ctx)
	if err != nil {
		return nil, err
	}
	triggers := slices.DeleteFunc(slices.Clone(now), func(obj sqltext.Object) bool { return obj.Type != "trigger" || !sqltext.Equal(obj.Table, target) })
	before, err := o.all(now)
	if err != nil {
		return nil, err
	}
	var without map[string]contents
	err = o.rolledBack(func() error {
		if err := o.triggers(false); err != nil {
			return err
		}
		failed := o.Conn.Exec(s.SQL)
		if err := o.triggers(true); err != nil || failed != nil {
			return err
		}
		o.passes = i
		without, err = o.all(now)
		return err
	})
	if err != nil || without == nil {
		return after, err
	}
	own := o.namesIn(s.SQL)
	sets := !readsClock(own) && !own["random"] && !own["randomblob"] // again the same
	return func() error {
		with, err := o.all(now)
		for name, rows := range with {
			for _, trigger := range triggers {
				names := o.namesIn(trigger.SQL)
				columns := overwritten(before[name], without[name], rows, sets)
				switch copies := s.Keyword() == "insert"; {
				case copies && name != target && (o.tables[name].origin == "" || len(before[name].rows) == 0): // the trigger fills it
				case name == target && len(columns) > 0 && readsClock(names):
					o.report(i, "trigger "+name, "trigger %s fires and overwrites %s of all rows; drop it before this statement and create it again after it", trigger.Name, strings.Join(columns, ", "))
				case name != target && names[name] && len(without[name].rows) < len(rows.rows) && len(without[name].rows) == len(before[name].rows):
					o.report(i, "trigger "+name, "trigger %s fires and adds rows to %s; drop it before this statement and create it again after it", trigger.Name, name)
				case copies && name != target && names[name] && fmt.Sprint(without[name].rows) != fmt.Sprint(rows.rows):
					o.report(i, "trigger "+name, "trigger %s fires and changes rows of %s, as it did when the rows were new; create it after this statement", trigger.Name, name)
				}
			}
		}
		return err
	}, nil
}

// all returns the rows of all ordinary tables that the migration may have to do with.
func (o *observation) all(objects []sqltext.Object) (map[string]contents, error) {
	all := map[string]contents{}
	for _, obj := range objects {
		if name := sqltext.Fold(obj.Name); obj.Type == "table" && !sqlite.IsVirtual(obj) && o.concerns[name] {
			c, err := o.contents(name)
			if err != nil {
				return nil, err
			}
			all[name] = c
		}
	}
	return all, nil
}

// overwritten returns the columns that triggers have changed, those that the statement has set only if
// sets is true.
func overwritten(before, without, with contents, sets bool) (columns []string) {
	if len(without.rows) != len(with.rows) || !sets && len(before.rows) != len(without.rows) {
		return nil
	}
	for j, column := range with.columns {
		alone, changed := true, false
		for i := range with.rows {
			alone = alone && (sets || before.rows[i].cells[j] == without.rows[i].cells[j])
			changed = changed || without.rows[i].cells[j] != with.rows[i].cells[j]
		}
		if alone && changed {
			columns = append(columns, column)
		}
	}
	return columns
}

// readsClock reports whether the names are of SQL that asks what time it is.
//
// https://sqlite.org/lang_datefunc.html
func readsClock(names map[string]bool) bool {
	return slices.ContainsFunc([]string{"current_timestamp", "current_date", "current_time", "datetime", "date", "time", "strftime", "unixepoch", "julianday"},
		func(name string) bool { return names[name] })
}

// numbersKeys reports whether a statement gives a foreign key a number: a row may have it here by
// chance.
func (t *trial) numbersKeys() bool {
	return slices.ContainsFunc(t.m.Statements, func(s sqltext.Statement) bool {
		switch s.Keyword() {
		case "create", "alter":
			return t.namesIn(s.SQL)["references"] && t.defaultsKey(&s)
		case "insert", "replace", "update":
			return t.setsNumber(&s, true) && t.setsKey(&s)
		}
		return false
	})
}

// setsKey reports whether a statement that writes a number may write it into a foreign key.
func (t *trial) setsKey(s *sqltext.Statement) bool {
	names, all := t.namesIn(s.SQL), t.setsNumber(s, false)
	named := func(column string) bool { return names[sqltext.Fold(column)] }
	keys := func(r sqltext.Reference) bool { return slices.ContainsFunc(r.Columns, named) }
	sets := func(o sqltext.Object) bool {
		return named(o.Name) && o.MayRefer() && (all || slices.ContainsFunc(sqltext.References(o, nil), keys))
	}
	return slices.ContainsFunc(t.objects, sets) || slices.ContainsFunc(t.schema, sets)
}

// defaultsKey reports whether a column has a number as its default and is a foreign key.
func (t *trial) defaultsKey(s *sqltext.Statement) bool {
	script, number, refers := t.m.Script, false, false
	for i := s.First; i < s.End; i++ {
		switch script.Name(i) {
		case ",":
			number, refers = false, false
		case "references":
			refers = true
		case "default":
			number = number || i+1 < s.End && script.Tokens[i+1].Kind == sqltext.Number
		}
		if number && refers {
			return true
		}
	}
	return false
}

// setsNumber reports whether an INSERT or UPDATE writes a number that is not computed from rows. An
// INSERT that names no columns writes all; another one must have named what matters.
func (t *trial) setsNumber(s *sqltext.Statement, named bool) bool {
	script, number := t.m.Script, false
	for i := s.First; i < s.End; i++ {
		switch script.Name(i) {
		case "from", "where", "on":
			return number && named
		case "into":
			table := i + 1
			for script.Name(table+1) == "." {
				table += 2
			}
			named = named || script.Name(table+1) != "("
		}
		number = number || script.Tokens[i].Kind == sqltext.Number
	}
	return number && named
}

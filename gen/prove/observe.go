package prove

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// An observation is a migration that runs on certain rows.
type observation struct {
	*trial
	found    []Finding
	was      state
	post     []sqltext.Object
	orphaned bool              // there are more orphans than before
	since    int               // the statement that made them
	passes   int               // the statement that succeeds if no trigger fires, or -1
	tables   map[string]*table // by their names now, in lower case
	gone     map[string]*table // that were dropped, by their names before
}

// A table is one that exists while the migration runs, whatever its name is.
type table struct {
	origin  string   // its name before the migration, in lower case, or ""
	made    int      // the statement that made it, or -1
	copied  int      // the last that inserted rows before others changed them, or -1
	dropped int      // the statement, or -1
	edited  bool     // rows were changed since they were inserted
	rows    contents // when they were last inserted, or when it was dropped
}

// observe runs the migration on the database as it was before, with the rows, and returns
// what it does. ok is false if no program could have written just these rows.
func (t *trial) observe(rows []Row) (found []Finding, ok bool, err error) {
	if t.applied {
		t.applied = false
	} else if !t.follows {
		if ok, err := t.apply(rows); err != nil || !ok {
			return nil, false, err
		}
	}
	o := &observation{trial: t, tables: map[string]*table{}, gone: map[string]*table{}, passes: -1}
	if err := o.note(); err != nil {
		return nil, false, err
	}
	done, err := o.run()
	if err == nil && done {
		if t.follows && !t.Conn.GetAutocommit() {
			err = t.Conn.Exec("COMMIT") // what is rolled back after it is no change of the schema
		}
		if err == nil {
			err = o.compare()
		}
	}
	t.schema = o.post
	if !t.Conn.GetAutocommit() {
		err = errors.Join(err, t.Conn.Exec("ROLLBACK"))
	}
	if o.orphaned && !t.tracks && !t.follows && !t.shrinks && err == nil {
		t.tracks = true
		return t.observe(rows)
	}
	slices.SortStableFunc(o.found, func(a, b Finding) int { return cmp.Or(a.Statement-b.Statement, strings.Compare(a.key, b.key)) })
	return o.found, true, err
}

// report adds a finding. What follows the key tells it from others.
func (o *observation) report(statement int, key, format string, args ...any) *Finding {
	_, about, _ := strings.Cut(key, " ")
	f := Finding{Statement: statement, Fact: fmt.Sprintf(format, args...), key: fmt.Sprint(statement, " ", key), about: about}
	o.found = append(o.found, f)
	return &o.found[len(o.found)-1]
}

// run runs the migration. It returns false if that fails, which it reports.
func (o *observation) run() (done bool, err error) {
	if o.m.Run != nil {
		return o.fails(-1, o.m.Run())
	}
	if !o.m.Alone {
		if err := o.Conn.Exec("BEGIN"); err != nil {
			return false, err
		}
	}
	for i := range o.m.Statements {
		s := &o.m.Statements[i]
		if s.Skipped(!o.m.Alone) || o.skip != nil && o.skip[i] {
			continue
		}
		after, err := o.look(i, s)
		if err != nil {
			return false, err
		}
		if done, err := o.fails(i, o.Conn.Exec(s.SQL)); !done {
			return false, err
		}
		if err := after(); err != nil {
			return false, err
		}
		if err := o.track(i); err != nil {
			return false, err
		}
	}
	return true, nil
}

// track notes which statement makes orphans, if that is looked for.
func (o *observation) track(statement int) error {
	if !o.tracks {
		return nil
	}
	objects, err := o.readObjects(o.ctx)
	if err != nil {
		return err
	}
	orphans, err := o.findOrphans(objects)
	was := o.orphaned
	if o.orphaned = len(orphans) > o.orphans; o.orphaned && !was {
		o.since = statement
	}
	return err
}

// fails reports that a statement fails on the rows, if it does. Otherwise it is done.
func (o *observation) fails(statement int, err error) (done bool, _ error) {
	if err == nil || o.ctx.Err() != nil {
		return err == nil, o.ctx.Err()
	}
	sentence := sqlite.Sentence(err)
	fact := "fails: " + sentence
	if statement >= 0 && statement == o.passes {
		fact = "a trigger stops it: " + sentence + "; drop the trigger before this statement and create it again after it"
	}
	f := o.report(statement, "fails "+sentence, "%s", fact)
	f.Failure, f.stops = true, true
	f.cells = o.cellsIn(sentence, "")
	return false, nil
}

// look looks at a statement that is about to run, and returns what to do when it has.
func (o *observation) look(i int, s *sqltext.Statement) (after func() error, err error) {
	after = func() error { return nil }
	if d := o.defines[i]; d.Kind != "" {
		if !o.shrinks {
			if err := o.lookAtNoEffect(i, s, d); err != nil {
				return nil, err
			}
		}
		if d.Kind != "table" || isTemporary(s) {
			return after, nil
		}
		name := sqltext.Fold(d.Name)
		switch s.Keyword() {
		case "create":
			if o.tables[name] == nil {
				o.tables[name] = &table{made: i, copied: -1, dropped: -1}
				if _, _, as := strings.Cut(sqltext.Fold(s.SQL), "select"); as { // CREATE TABLE … AS SELECT
					return func() error { return o.copied(i, name, contents{}) }, nil
				}
			}
		case "alter":
			if d.NewName != "" {
				o.tables[sqltext.Fold(d.NewName)] = o.tables[name]
				delete(o.tables, name)
			}
		case "drop":
			return after, o.drop(i, name)
		}
		return after, nil
	}
	switch s.Keyword() {
	case "insert", "replace":
		// One of values copies nothing, and there may be 100,000 of them.
		for t := s.First; t < s.End; t++ {
			if o.m.Script.Name(t) == "select" {
				return o.lookAtWrite(i, s)
			}
		}
	case "update", "delete", "with":
		return o.lookAtWrite(i, s)
	}
	return after, nil
}

// drop notes what the table has that is about to be dropped.
func (o *observation) drop(i int, name string) (err error) {
	t := o.tables[name]
	if t == nil {
		return nil
	}
	if t.dropped = i; t.origin != "" {
		if t.rows, err = o.contents(name); err == nil {
			o.gone[t.origin] = t
			var made [][]string
			made, err = o.query("SELECT lower(name) FROM pragma_table_xinfo(?) WHERE hidden > 1", name)
			t.rows.made = slices.Concat(made...)
		}
	}
	delete(o.tables, name)
	delete(o.filled, name)
	return err
}

// copied notes what was inserted into a table. Where others have changed what was there, it is what
// the table has not had before.
func (o *observation) copied(i int, name string, before contents) error {
	t := o.tables[name]
	if t == nil || t.made < 0 {
		return nil
	}
	now, err := o.contents(name)
	if t.edited && t.copied >= 0 {
		had := map[string]int{}
		for _, r := range before.rows {
			had[fmt.Sprint(r)]++
		}
		for _, r := range now.rows {
			key := fmt.Sprint(r)
			if had[key]--; had[key] < 0 {
				t.rows.rows = append(t.rows.rows, r)
			}
		}
		now = t.rows
	}
	t.copied, t.rows = i, now
	return err
}

// lookAtWrite looks at a statement that writes rows.
func (o *observation) lookAtWrite(i int, s *sqltext.Statement) (after func() error, err error) {
	inserts, others, err := o.targets(s.SQL)
	if err != nil {
		return nil, err
	}
	updated, err := o.lookAtUpdate(i, s, others)
	if err == nil && s.Keyword() == "insert" && len(inserts) > 0 && o.replaces(inserts[0]) {
		updated, err = o.lookAtTriggers(i, s, inserts[0])
	}
	if err != nil {
		return nil, err
	}
	replaced, err := o.lookAtReplace(i, s, others)
	if err != nil {
		return nil, err
	}
	before := map[string]contents{}
	for _, name := range inserts {
		if t := o.tables[name]; t != nil && t.edited && t.copied >= 0 {
			if before[name], err = o.contents(name); err != nil {
				return nil, err
			}
		}
	}
	return func() error {
		if err := errors.Join(updated(), replaced()); err != nil {
			return err
		}
		for _, name := range others {
			if t := o.tables[name]; t != nil {
				t.edited = true
			}
			delete(o.filled, name)
		}
		for _, name := range inserts {
			if err := o.copied(i, name, before[name]); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// replaces reports whether the table was made by the migration, under the name of another.
func (o *observation) replaces(name string) bool {
	t, replaces := o.tables[name], o.gone[name] != nil
	for _, other := range o.tables {
		replaces = replaces || other != t && other.origin == name
	}
	return replaces && t != nil && t.made >= 0
}

// targets returns the tables that a statement itself inserts into, and those in which it
// changes or deletes rows.
func (o *observation) targets(sql string) (inserts, others []string, err error) {
	writes, err := engine.Writes(o.Conn, sql) // nothing, if it is about to fail when it runs, too
	for _, w := range writes {
		switch {
		case w.Trigger != "":
		case w.Code == sqlite3.AUTH_INSERT:
			inserts = append(inserts, w.Table)
		default:
			others = append(others, w.Table)
		}
	}
	return slices.Compact(inserts), slices.Compact(others), err
}

func isTemporary(s *sqltext.Statement) bool {
	w := s.Words(2)
	return len(w) > 1 && strings.HasPrefix(w[1], "temp")
}

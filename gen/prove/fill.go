package prove

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/lockstep-db/lockstep/runtime/rows"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Suspect runs the migration after the one before, on the rows that this has left and on new ones
// in the tables that it has changed, and reports whether there may be something to find. That
// costs little more than the migration. What is before is nil if that is an empty database.
func (d *Database) Suspect(ctx context.Context, m *Migration, before func() ([]byte, error)) (bool, error) {
	if !d.follows {
		b, err := before()
		if err == nil && b != nil {
			err = serdes.Deserialize(d.Conn, "main", b)
		}
		if err != nil {
			return false, err
		}
		d.filled, d.schema, d.clean = map[string]string{}, nil, false
	}
	d.Forget()
	t := d.begin(ctx, m)
	t.follows = true
	if err := t.fillMore(); err != nil || t.minds() {
		return true, err
	}
	for _, name := range t.tables {
		if _, held := t.held[sqltext.Fold(name)]; held {
			return true, nil // that needs gaps
		}
	}
	found, _, err := t.observe(nil)
	d.follows = err == nil && len(found) == 0
	return len(found) > 0 || t.numbersKeys(), err
}

// Forget says that the migration which Suspect gets next does not follow the last one.
func (d *Database) Forget() { d.follows = false }

// fillMore makes more rows in the tables that the migration may have to do with and that others
// have changed since rows were made.
func (t *trial) fillMore() error {
	if err := t.read(); err != nil {
		return err
	}
	sql, virtual := map[string]string{}, map[string]bool{}
	for _, o := range t.objects {
		if name := sqltext.Fold(o.Table); t.concerns[name] && (o.Type == "table" || o.Type == "index") {
			sql[name] += o.SQL
			virtual[name] = virtual[name] || sqlite.IsVirtual(o)
		}
	}
	opts := rows.Options{More: &t.more}
	for _, table := range t.tables {
		if name := sqltext.Fold(table); virtual[name] || t.filled[name] != sql[name] {
			opts.Tables = append(opts.Tables, table)
			delete(t.filled, name)
		}
	}
	if len(opts.Tables) == 0 {
		return nil
	}
	if _, err := t.rows(opts); err != nil {
		return err
	}
	for _, table := range opts.Tables {
		if name := sqltext.Fold(table); !virtual[name] {
			t.filled[name] = sql[name]
		}
	}
	return nil
}

// read reads of the database what is not known, and what the migration has to do with.
func (t *trial) read() (err error) {
	if t.objects = t.schema; t.objects == nil {
		if t.objects, err = t.readObjects(t.ctx); err != nil {
			return err
		}
	}
	t.held = t.holders()
	t.tables = t.concerned()
	if !t.clean {
		var orphans [][]string
		orphans, err = t.findOrphans(t.objects)
		t.orphans = len(orphans)
	}
	return err
}

// rows fills tables.
func (t *trial) rows(opts rows.Options) (*rows.Filling, error) {
	opts.More.Objects, opts.More.Keep, opts.More.Holders, opts.More.Clean = t.objects, map[string]bool{}, t.held, t.orphans == 0
	for name := range t.filled {
		opts.More.Keep[name] = true
	}
	if err := t.triggers(false); err != nil {
		return nil, err
	}
	filling, err := rows.Fill(t.ctx, t.DB, opts)
	return filling, cmp.Or(err, t.triggers(true))
}

// fill makes rows in the tables that the migration may have to do with. Near is filled in, if it is
// not nil.
func (t *trial) fill(opts rows.Options) (made []Row, err error) {
	if err := serdes.Deserialize(t.Conn, "main", t.before); err != nil {
		return nil, err
	}
	t.schema, t.clean = nil, false
	if err := t.read(); err != nil || len(t.tables) == 0 {
		return nil, err
	}
	opts.Tables = t.tables
	if opts.Near != nil {
		opts.Near, opts.Twice = t.near()
		opts.Case = t.folds || t.collates
	}
	opts.More = &rows.More{}
	filling, err := t.rows(opts)
	if err != nil {
		return nil, err
	}
	t.empty, t.applied = filling.Empty, true
	return t.gaps(filling.Inserts)
}

// gaps deletes the first row of each table whose rowids others hold: where there is no gap, a
// copy has the same rowids by chance.
func (t *trial) gaps(made []Row) ([]Row, error) {
	for _, table := range t.tables {
		holder, ok := t.held[sqltext.Fold(table)]
		if !ok {
			continue
		}
		name, search := sqltext.Plain(table), sqltext.Plain(holder.Name)
		first := fmt.Sprintf(" WHERE rowid = (SELECT min(rowid) FROM %s);", name)
		row := Row{Table: table, SQL: "DELETE FROM " + name + first}
		more := [][]Row{{row}}
		if external(holder) {
			more[0] = append(more[0], Row{Table: holder.Name, SQL: fmt.Sprintf("INSERT INTO %s (%s) VALUES ('rebuild');", search, search)})
		} else if holder.Type == "table" {
			more = [][]Row{{{Table: holder.Name, SQL: "DELETE FROM " + search + first}, row}, {row}}
		}
		for _, rows := range more {
			all := slices.Concat(made, rows)
			if ok, err := t.apply(all); err != nil {
				return nil, err
			} else if ok {
				made = all
				break
			}
		}
	}
	return made, nil
}

// concerned returns the tables whose rows may matter: those that the migration names, those
// that these name and are named by. Nobody knows what a program names.
func (t *trial) concerned() (tables []string) {
	in := map[string]bool{}
	named := t.named()
	held := func(o sqltext.Object) bool { _, ok := t.held[sqltext.Fold(o.Name)]; return ok }
	type naming struct { // an object that may name others
		sqltext.Object
		names map[string]bool
	}
	var all []naming
	for _, o := range t.objects {
		if t.m.Run != nil || named[sqltext.Fold(o.Name)] || named["vacuum"] && held(o) {
			in[sqltext.Fold(o.Table)] = true
		}
		if names := t.namesIn(o.SQL); o.Type == "view" || o.Type == "trigger" || o.Type == "table" && (names["references"] || sqlite.IsVirtual(o)) {
			all = append(all, naming{o, names})
		}
	}
	if len(in) == 0 {
		all = nil
	}
	for level := range 3 { // of views that name views
		more := map[string]bool{}
		for _, o := range all {
			if (level == 0 || o.Type == "view") && intersect(o.names, in) {
				more[sqltext.Fold(o.Table)] = true
				if o.Type != "table" {
					maps.Copy(more, o.names)
				}
			}
		}
		maps.Copy(in, more)
	}
	for name, holder := range t.held {
		if in[name] {
			in[sqltext.Fold(holder.Name)] = true
		}
	}
	for grown := -1; grown != len(in); {
		grown = len(in)
		for _, o := range all {
			if o.Type == "table" && in[sqltext.Fold(o.Name)] {
				maps.Copy(in, o.names)
			}
		}
	}
	t.concerns = in
	for _, o := range t.objects {
		if o.Type == "table" && in[sqltext.Fold(o.Name)] {
			tables = append(tables, o.Name)
		}
	}
	return tables
}

// named returns all that the migration names, but for what is in statements that have nothing to
// do with rows: those that make a table or a plain index.
func (t *trial) named() map[string]bool {
	if t.m.Run != nil {
		return t.namesIn(t.m.Script.Text)
	}
	all := map[string]bool{}
	for i := range t.m.Statements {
		s := &t.m.Statements[i]
		names, known := t.names[s.SQL]
		if !known {
			names = t.keep(s.SQL, t.m.Script, s.First, s.End)
		}
		d := t.defines[i]
		isPlain := d.Kind == "table" && !names["select"] && !names["virtual"] ||
			d.Kind == "index" && !names["unique"] && !names["where"] && strings.Count(s.SQL, "(") == 1
		if s.Keyword() != "create" || !isPlain {
			maps.Copy(all, names)
		}
	}
	return all
}

// namesIn returns all that may be names in SQL, in lower case.
func (d *Database) namesIn(sql string) map[string]bool {
	if names, ok := d.names[sql]; ok {
		return names
	}
	script := sqltext.Parse(sql)
	return d.keep(sql, script, 0, len(script.Tokens))
}

// keep notes what [Database.namesIn] returns for SQL that is those tokens of a script.
func (d *Database) keep(sql string, script *sqltext.Script, first, end int) map[string]bool {
	names := map[string]bool{}
	for i := first; i < end; i++ {
		switch script.Tokens[i].Kind {
		case sqltext.Word, sqltext.Quoted, sqltext.String:
			names[script.Name(i)] = true
		}
	}
	if d.names == nil {
		d.names = map[string]map[string]bool{}
	}
	d.names[sql] = names
	return names
}

func intersect(a, b map[string]bool) bool {
	if len(b) < len(a) {
		a, b = b, a
	}
	for name := range a {
		if b[name] {
			return true
		}
	}
	return false
}

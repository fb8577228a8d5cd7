package gen

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// schema returns what the replay has made: the objects that are the migrations' own.
func (r *replay) schema(ctx context.Context) ([]sqltext.Object, error) {
	objects, err := sqlite.Objects(ctx, sqlite.On(r.tx))
	return sqlite.Made(objects), err
}

// A fault is something that every statement of the migrations was content with
// and that would fail in the program: CREATE VIEW and CREATE TRIGGER do not look
// whether what they name exists, and ALTER and DROP do not always.
type fault struct {
	fact string // "view recent: no such column: titel"
	key  string // what makes it the same fault in another version
}

// faults selects from every view, writes to every table that has a trigger or a
// foreign key, and checks the foreign keys of the rows that the migrations have
// put in. The statements are compiled with foreign keys on and never run.
func (r *replay) faults(ctx context.Context, objects []sqltext.Object) ([]fault, error) {
	if err := r.conn.Exec("PRAGMA foreign_keys = ON"); err != nil {
		return nil, err
	}
	var (
		found  []fault
		report = func(about, query string) {
			fact := r.compiles(query)
			if fact == "" {
				return
			}
			if !strings.HasPrefix(fact, "foreign key mismatch") { // that shows on both tables
				fact = about + ": " + fact
			}
			if f := (fault{fact, fact}); !slices.Contains(found, f) {
				found = append(found, f)
			}
		}
		tried  = map[string]bool{}
		writes = func(event, table string) error {
			if tried[event+" "+sqltext.Fold(table)] {
				return nil
			}
			tried[event+" "+sqltext.Fold(table)] = true
			query, err := r.write(event, table)
			if err != nil {
				return err
			}
			report(event+" on "+table, query)
			return nil
		}
		references bool
	)
	for _, o := range objects {
		switch {
		case o.Type == "view":
			report("view "+o.Name, "SELECT * FROM "+sqltext.Quote(o.Name))
		case o.Type == "trigger":
			if err := writes(triggerEvent(o.SQL), o.Table); err != nil {
				return nil, err
			}
		case o.Type == "table" && strings.Contains(strings.ToLower(o.SQL), "references"):
			references = true
			if err := writes("INSERT", o.Name); err != nil {
				return nil, err
			}
		}
	}
	if err := r.conn.Exec("PRAGMA foreign_keys = OFF"); err != nil {
		return nil, err
	}
	if references && len(found) == 0 {
		orphans, err := r.orphans(ctx, objects)
		if err != nil {
			return nil, err
		}
		found = orphans
	}
	return found, nil
}

// compiles returns SQLite's sentence about the query, or "".
func (r *replay) compiles(query string) string {
	stmt, _, err := r.conn.Prepare(query)
	stmt.Close()
	if err != nil {
		return sqlite.Sentence(err)
	}
	return ""
}

// write returns a statement that causes the event on the table, or view.
func (r *replay) write(event, table string) (string, error) {
	quoted := sqltext.Quote(table)
	switch event {
	case "INSERT":
		return "INSERT INTO " + quoted + " DEFAULT VALUES", nil
	case "DELETE":
		return "DELETE FROM " + quoted, nil
	}
	columns, err := column(r.conn, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", table)
	for i, name := range columns {
		columns[i] = sqltext.Quote(name) + " = " + sqltext.Quote(name)
	}
	return "UPDATE " + quoted + " SET " + strings.Join(columns, ", "), err
}

// triggerEvent returns the event on which a trigger fires: the first of the
// three words that is not somebody's name.
func triggerEvent(create string) string {
	script := sqltext.Parse(create)
	for i, t := range script.Tokens {
		if t.Kind == sqltext.Word {
			switch word := strings.ToUpper(script.Token(i)); word {
			case "INSERT", "UPDATE", "DELETE":
				return word
			}
		}
	}
	return ""
}

// orphans reports the rows that refer to a row that does not exist.
func (r *replay) orphans(ctx context.Context, objects []sqltext.Object) ([]fault, error) {
	orphans, err := sqlite.FindOrphans(ctx, sqlite.On(r.tx), objects)
	var found []fault
	for _, o := range orphans {
		fact := fmt.Sprintf("%d rows refer to rows of %s that do not exist", o.Count, o.Parent)
		if o.Count == 1 {
			fact = fmt.Sprintf("a row refers to a row of %s that does not exist", o.Parent)
		}
		if len(o.Rows) > 0 {
			fact += ": " + strings.Join(o.Rows, ", ")
		}
		if o.Count > len(o.Rows) {
			fact += ", …"
		}
		found = append(found, fault{"table " + o.Table + ": " + fact, o.Table + " to " + o.Parent})
	}
	return found, err
}

// blame returns a problem for each of the faults that the migrations end with,
// in the file since which it is there. It replays them all once more, and looks
// after each, which only a directory with faults has to wait for.
func blame(ctx context.Context, migrations []*migration, opts Options, child *child, faults []fault) (Problems, error) {
	r, err := newReplay(ctx, opts, child)
	if err != nil {
		return nil, err
	}
	defer r.close()
	copies := make([]*migration, len(migrations)) // because a replay sets their ends
	for i, m := range migrations {
		c := *m
		c.ends = nil
		copies[i] = &c
	}
	since := map[string]string{}
	_, err = r.run(ctx, copies, func(m *migration) error {
		objects, err := r.schema(ctx)
		if err != nil {
			return err
		}
		now, err := r.faults(ctx, objects)
		if err != nil {
			return err
		}
		before := since
		since = map[string]string{}
		for _, f := range now {
			since[f.key] = m.name
			if name := before[f.key]; name != "" {
				since[f.key] = name
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var problems Problems
	for _, f := range faults {
		problems = append(problems, Problem{File: since[f.key], Fact: f.fact})
	}
	return problems, nil
}

package gen

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen/prove"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// schema returns the objects that the migrations have made.
func (r *replay) schema(ctx context.Context) ([]sqltext.Object, error) {
	objects, err := sqlite.Objects(ctx, r.tx)
	return sqlite.Made(objects), err
}

// A fault makes no statement of the migrations fail, but would make one of the
// program fail: CREATE VIEW and CREATE TRIGGER do not check whether the names in them
// exist, and ALTER and DROP do not always.
type fault struct {
	fact string // "view recent: no such column: titel"
	key  string // what makes it the same fault in another version
}

// faults compiles a statement for every object that may be broken, with foreign keys on.
// If all compile, it looks for rows without parents.
func (r *replay) faults(ctx context.Context, objects []sqltext.Object) (found []fault, err error) {
	if err := r.conn.Exec("PRAGMA foreign_keys = ON"); err != nil {
		return nil, err
	}
	for _, o := range objects {
		about, query, err := sqlite.Trial(ctx, r.tx, o)
		if err != nil {
			return nil, err
		}
		stmt, _, err := r.conn.Prepare(query)
		stmt.Close()
		if err == nil {
			continue
		}
		fact := sqlite.Sentence(err)
		if !strings.HasPrefix(fact, "foreign key mismatch") { // shows on both tables
			fact = about + ": " + fact
		}
		if f := (fault{fact, fact}); !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	if err := r.conn.Exec("PRAGMA foreign_keys = OFF"); err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return found, nil
	}
	return r.orphans(ctx, objects)
}

// orphans returns the rows that refer to a row that does not exist.
func (r *replay) orphans(ctx context.Context, objects []sqltext.Object) ([]fault, error) {
	orphans, err := sqlite.FindOrphans(ctx, r.tx, objects, nil)
	var found []fault
	for _, o := range orphans {
		fact := fmt.Sprintf("table %s: %d rows refer to rows of %s that do not exist", o.Table, o.Count, o.Parent)
		if o.Count == 1 {
			fact = fmt.Sprintf("table %s: a row refers to a row of %s that does not exist", o.Table, o.Parent)
		}
		if len(o.Rows) > 0 {
			fact += ": " + strings.Join(o.Rows, ", ")
			if more := o.Count - len(o.Rows); more > 0 {
				fact += fmt.Sprintf(" and %d more", more)
			}
		}
		found = append(found, fault{fact, o.Table + " to " + o.Parent})
	}
	return found, err
}

// blame returns a problem for each of the faults that the migrations end with, in the
// file that introduced it. It replays the migrations and looks after each: only a directory
// with faults pays for that.
func (d *directory) blame(ctx context.Context, faults []fault) (problems Problems, err error) {
	r, err := newReplay(ctx, d.opts)
	if err != nil {
		return nil, err
	}
	defer r.close()
	since := map[string]string{} // the migration's name, by fault
	err = r.run(ctx, d.migrations, func(m *migration) error {
		objects, err := r.schema(ctx)
		if err != nil {
			return err
		}
		now, err := r.faults(ctx, objects)
		before := since
		since = map[string]string{}
		for _, f := range now {
			since[f.key] = cmp.Or(before[f.key], m.name)
		}
		return err
	})
	for _, f := range faults {
		problems = append(problems, d.problem(since[f.key], f.fact))
	}
	return problems, err
}

// problem returns the problem of a fault: in the file, or at its statement that takes the
// parent of foreign keys away.
func (d *directory) problem(file, fact string) Problem {
	_, parent, _ := strings.Cut(fact, ": no such table: main.")
	for _, m := range d.migrations {
		if m.name == file && parent != "" {
			if i, advice := prove.KeysFollow(m.cut, parent); i >= 0 {
				return m.statements[i].problem(fact + advice)
			}
		}
	}
	return Problem{File: file, Fact: fact}
}

package gen

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/rows"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A migration without a transaction runs again if the process ends before the version is
// recorded, however far it got, and several processes may run it at once.

const onceIsRefused = "; without a transaction, it may run again after a crash: use IF NOT EXISTS, OR IGNORE or the like, or a migration with a transaction"

// again reports whether a migration without a transaction can run again: after each of
// its statements, on the database as it was before it, and on that with rows.
func (r *replay) again(ctx context.Context, m *migration, before []byte) error {
	for _, fill := range []bool{false, true} {
		want, _, err := r.trialRun(ctx, m, before, fill, 0)
		if err != nil {
			return err
		}
		if want == nil {
			continue
		}
		for i, s := range m.statements {
			found, problem, err := r.trialRun(ctx, m, before, fill, i+1)
			if err != nil {
				return err
			}
			if difference := want.differs(found); found != nil && difference != "" {
				p := s.problem("run twice, it leaves " + difference + onceIsRefused)
				problem = &p
			}
			if problem != nil {
				r.Once = append(r.Once, *problem)
				return nil
			}
		}
	}
	return nil
}

// refuseOnce returns what again found. For a recorded migration, which can no longer change,
// that is a warning.
func (d *directory) refuseOnce(recorded record) (problems Problems) {
	for _, p := range d.Once {
		i := slices.IndexFunc(d.migrations, func(m *migration) bool { return m.name == p.File })
		if m := d.migrations[i]; recorded.of[m.Version].Checksum == m.checksum {
			d.Warnings = append(d.Warnings, p)
		} else {
			problems = append(problems, p)
		}
	}
	return problems
}

// trialRun runs the first statements of a migration and then all of them. It returns what
// they leave, or the problem of one that cannot run again. It returns neither if the first
// leave nothing behind, because they end inside a transaction or fail on the rows that the
// tables were filled with.
func (r *replay) trialRun(ctx context.Context, m *migration, before []byte, fill bool, first int) (c contents, p *Problem, err error) {
	trial, err := newReplay(ctx, r.opts)
	if err != nil {
		return nil, nil, err
	}
	defer trial.close()
	if err := serdes.Deserialize(trial.conn, "main", before); err != nil {
		return nil, nil, err
	}
	if fill { // what a migration does to rows does not show without any
		if _, err := rows.Fill(ctx, trial.tx, rows.Options{}); err != nil {
			return nil, nil, err
		}
	}
	for i, s := range slices.Concat(m.statements[:first], m.statements) {
		if i == first && !trial.conn.GetAutocommit() {
			return nil, nil, nil
		}
		if s.Skipped(false) {
			continue
		}
		err := trial.conn.Exec(s.SQL)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil && (i < first || first == 0):
			return nil, nil, nil
		case err != nil:
			p := s.failure(err)
			p.Fact = "cannot run twice: " + p.Fact + onceIsRefused
			return nil, &p, nil
		}
	}
	c, err = trial.contents(ctx)
	return c, nil, err
}

// contents are the rows of each table, sorted, and the schema under the name "".
type contents map[string][]string

func (r *replay) contents(ctx context.Context) (contents, error) {
	objects, err := r.schema(ctx)
	if err != nil {
		return nil, err
	}
	c := contents{"": {sqltext.FormatSchema(objects)}}
	for _, o := range objects {
		if o.Type != "table" {
			continue
		}
		rows, err := r.rows(o.Name)
		if err != nil { // as of some virtual tables
			rows = append(rows, sqlite.Sentence(err))
		}
		slices.Sort(rows)
		c[o.Name] = rows
	}
	return c, nil
}

func (r *replay) rows(table string) (rows []string, err error) {
	err = engine.Each(r.conn, func(row *sqlite3.Stmt) {
		var text strings.Builder
		for i := range row.ColumnCount() {
			fmt.Fprintf(&text, "%v %q ", row.ColumnType(i), row.ColumnRawText(i))
		}
		rows = append(rows, text.String())
	}, "SELECT * FROM "+sqltext.Quote(table))
	return rows, err
}

// differs says in what found differs, or "".
func (c contents) differs(found contents) string {
	if !slices.Equal(c[""], found[""]) {
		return "another schema"
	}
	for name, rows := range c {
		switch n := len(found[name]); {
		case n != len(rows):
			return fmt.Sprintf("table %s with %d rows, not %d", name, n, len(rows))
		case !slices.Equal(rows, found[name]):
			return "table " + name + " with other rows"
		}
	}
	return ""
}

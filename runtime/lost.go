package lockstep

import (
	"context"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A lostObject went with a table or view that a migration rebuilt or dropped. Somebody else
// had made it: an operator's index, say.
type lostObject struct {
	sqltext.Object
	file string // the migration
}

// mayDrop reports whether the migration drops something, as far as is known.
//
//go:noinline
func (m *pending) mayDrop() bool {
	return m.Program != nil || slices.ContainsFunc(m.statements, func(stmt sqltext.Statement) bool { return stmt.Keyword() == "drop" })
}

// says reports whether the text of a migration has the name, in whatever role.
func (m *pending) says(name string) bool {
	return strings.Contains(sqltext.Fold(string(m.text)), sqltext.Fold(name))
}

// refuseTemporary returns an error that names what is temporary and in the way: see
// [sqlite.CheckTemporary].
func (c *conn) refuseTemporary(ctx context.Context, st *state, migrations []*pending) error {
	defines := func(name string) bool { return defined(name, migrations) }
	mentions := func(name string) bool { return mentioned(name, migrations) }
	return sqlite.CheckTemporary(ctx, c.Conn, st.has, defines, mentions)
}

// defined reports whether migrations make, alter or drop something of this name.
//
//go:noinline
func defined(name string, migrations []*pending) bool {
	return slices.ContainsFunc(migrations, func(m *pending) bool {
		return slices.ContainsFunc(m.statements, func(s sqltext.Statement) bool { return s.Defines(name) })
	})
}

// mentioned reports whether migrations have the name anywhere, or may have it.
//
//go:noinline
func mentioned(name string, migrations []*pending) bool {
	return slices.ContainsFunc(migrations, func(m *pending) bool {
		return m.Program != nil || m.says(name)
	})
}

// findLost notes what a migration that has run took away and no migration names.
func (u *upgrade) findLost(ctx context.Context, s *segment, m *pending) error {
	if !m.mayDrop() {
		return nil
	}
	objects, err := sqlite.Objects(ctx, s.on.Conn)
	if err != nil {
		return err
	}
	_, gone := sqltext.Diff(objects, s.had)
	if len(gone) == 0 {
		return nil
	}
	all, err := u.schema.prepare(0)
	for _, o := range gone {
		known := func(l lostObject) bool { return l.Object == o }
		named := func(p *pending) bool { return p.Program != nil && p.says(o.Name) }
		if !defined(o.Name, all) && !slices.ContainsFunc(all, named) && !slices.ContainsFunc(s.lost, known) {
			s.lost = append(s.lost, lostObject{o, m.File})
		}
	}
	return err
}

// logLost is called when a segment has taken effect.
func (u *upgrade) logLost(s *segment) {
	for _, o := range s.lost {
		u.log.Warn("object that no migration made was dropped", "database", u.conn.file, "type", o.Type, "name", wording.Printable(o.Name), "file", o.file, "sql", wording.PrintableLines(o.SQL))
	}
}

// A stray is data that no migration knows, because somebody made a column or a table by hand.
// A migration that rebuilds or drops the table takes it along, and nobody would be told.
type stray struct {
	sqltext.Stray        // when the segment began
	now           string // name of the table, after the migrations that have run
	rows, values  int64  // that it has
}

// findStrays finds the strays that a segment could lose, before it runs. (The recorded
// fingerprint tells that there are none.)
func (u *upgrade) findStrays(ctx context.Context, s *segment) (err error) {
	newest := s.from.newest()
	if u.ran == 0 { // else it is known what there was when the upgrade began
		u.strays = nil
		if !slices.ContainsFunc(slices.Concat(u.planned, s.migrations), (*pending).mayDrop) || newest.fingerprint == sqltext.Fingerprint(s.had) {
			return nil
		}
		all, err := u.schema.prepare(0)
		if err != nil {
			return err
		}
		want := u.replay(ctx, s, all)
		known := func(name string) bool {
			return want == nil && slices.ContainsFunc(all, func(m *pending) bool { return m.says(name) })
		}
		for _, x := range sqltext.Strays(want, s.had, known) {
			if !sqlite.IsLitestream(x.Table) {
				u.strays = append(u.strays, &stray{Stray: x})
			}
		}
	}
	for _, x := range u.strays {
		if x.now = x.Table; mentioned(x.now, s.migrations) {
			if x.rows, x.values, _, err = sqlite.CountStray(ctx, s.on.Conn, x.now, x.Value); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// keepStrays returns an error if a migration has lost a stray. One without a transaction is
// about to run.
func (u *upgrade) keepStrays(ctx context.Context, s *segment, m *pending) error {
	var lost []sqltext.Difference
	for _, x := range u.strays {
		was, dropped := x.now, false
		x.now, dropped = sqltext.Follow(m.statements, was)
		if m.Program == nil && !dropped || x.values == 0 {
			continue
		}
		if m.Program != nil || x.Column != "" && !m.noTransaction {
			// A migration may delete rows, and a column that it knows, but not what is in others.
			u.progress.does(checking)
			rows, values, ok, err := sqlite.CountStray(ctx, s.on.Conn, was, x.Value)
			if err != nil {
				return err
			}
			if x.values-values <= max(0, x.rows-rows) && ok || x.Known && !ok {
				x.now = was
				continue
			}
		}
		what := "table " + x.Table
		if x.Column != "" {
			what += ": column " + x.Column
		}
		if what += ", with values in "; len(lost) > 0 && strings.HasPrefix(lost[len(lost)-1].Detail, what) {
			continue // in two ways
		}
		lost = append(lost, sqltext.Difference{Type: x.Type, Name: x.Table, Found: x.SQL, Detail: what + wording.Count(int(x.values), "row")})
	}
	if len(lost) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	e := u.schema.refuse(ErrDrift, s.from)
	e.Detail, e.Differences, e.Digest, e.upgrading = m.File+" loses what no migration made: ", lost, u.schema.driftDigest(lost), true
	var v verdict
	v.allows(e, u.allow)
	return u.announce(v)
}

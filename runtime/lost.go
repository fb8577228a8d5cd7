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

// findLost notes what a migration that has run took away and no migration names.
func (u *upgrade) findLost(ctx context.Context, s *segment, m *pending) error {
	drops := func(stmt sqltext.Statement) bool { return stmt.Keyword() == "drop" }
	if m.Program == nil && !slices.ContainsFunc(m.statements, drops) {
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
		named := func(p *pending) bool {
			return p.Program != nil && strings.Contains(sqltext.Fold(string(p.text)), sqltext.Fold(o.Name))
		}
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

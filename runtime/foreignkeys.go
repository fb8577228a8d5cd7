package lockstep

import (
	"context"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// orphansBefore reads which rows of a database have no parent.
func (c *conn) orphansBefore(ctx context.Context, objects []sqltext.Object) (*sqlite.OrphanSet, error) {
	found, err := sqlite.FindOrphans(ctx, c.Conn, objects)
	if err != nil {
		return nil, err
	}
	return sqlite.NewOrphanSet(ctx, c.Conn, found)
}

// sealForeignKeys checks that there are no rows without a parent but those that there were
// before. again means that those are not known.
func (u *upgrade) sealForeignKeys(ctx context.Context, s *segment, objects []sqltext.Object) (again bool, err error) {
	found, err := sqlite.FindOrphans(ctx, s.on.Conn, objects)
	if err != nil || len(found) == 0 {
		return false, err
	}
	if s.on != u.conn { // the database is still what it was
		s.before, err = u.conn.orphansBefore(ctx, s.from.objects)
	} else if s.before == nil {
		u.countFirst = true
		return true, nil
	}
	if err != nil {
		return false, err
	}
	fresh, old, err := s.before.New(ctx, s.on.Conn, found)
	if err != nil {
		return false, err
	}
	var violations []Violation
	var known []string
	for i, o := range fresh {
		v := Violation{Table: o.Table, Parent: o.Parent, Count: o.Count, Before: old[i], Rows: o.Rows, Mismatch: o.Mismatch}
		if o.Count > 0 {
			violations = append(violations, v)
		}
	}
	if len(violations) > 0 {
		return false, u.rolledBack(&Error{Kind: ErrForeignKey, DB: u.conn.file, Expected: u.schema.Expected, Violations: violations})
	}
	for _, o := range found {
		known = append(known, Violation{Table: o.Table, Parent: o.Parent, Mismatch: o.Mismatch, Count: o.Count}.String())
	}
	u.log.Warn("foreign keys are violated, as before the upgrade", "database", u.conn.file, "violations", strings.Join(known, "; "))
	return false, nil
}

package lockstep

import (
	"context"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// effects returns what migrations can do to the foreign keys of a database, or nil if all that
// will be there is theirs.
func effects(st *state, migrations []*pending) *sqltext.Effects {
	if st.isNew() {
		return nil
	}
	e := sqltext.NewEffects(st.objects)
	for _, m := range migrations {
		e.Anything = e.Anything || m.Program != nil
		for i := range m.statements {
			e.Add(&m.statements[i])
		}
	}
	return e
}

// sealForeignKeys checks that there are no rows without a parent but those that there were
// before.
func (u *upgrade) sealForeignKeys(ctx context.Context, s *segment, objects []sqltext.Object) error {
	found, err := sqlite.FindOrphans(ctx, s.on.Conn, objects, s.effects)
	if err != nil || len(found) == 0 {
		return err
	}
	fresh, err := s.before.New(ctx, s.on.Conn, found)
	if err != nil {
		return err
	}
	var violations []Violation
	assumed := ""
	for i := range fresh {
		o := &fresh[i]
		if o.Count > 0 {
			violations = append(violations, Violation(*o))
		}
		for j := 0; j < len(s.migrations) && o.Count > 0 && assumed == ""; j++ {
			assumed = sqltext.Assumed(s.migrations[j].statements, o.Table, o.Parent)
		}
	}
	if len(violations) > 0 {
		return u.rolledBack(&Error{Kind: ErrForeignKey, DB: u.conn.file, Expected: u.schema.Expected, Violations: violations, Detail: wording.Though(assumed)})
	}
	known := ""
	for i := range found {
		found[i].Rows = nil
		known += "; " + Violation(found[i]).String()
	}
	u.log.Warn("foreign keys are violated, as before the upgrade", "database", u.conn.file, "violations", known[2:])
	return nil
}

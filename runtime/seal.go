package lockstep

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// seal ends the run of a segment: it records the migrations, reads the record back and, at
// the expected version, proves that the result is what the generator saw. again means that
// the upgrade has to start over, to count the rows without a parent that there were before.
func (u *upgrade) seal(ctx context.Context, s *segment) (again bool, err error) {
	if err := s.on.inTransaction(ctx); err != nil {
		return false, err
	}
	if err := s.on.checkFaults(ctx); err != nil {
		return false, err
	}
	if err := s.on.manage(ctx, s.from); err != nil {
		return false, err
	}
	version := s.to()
	if len(s.rows) == 0 { // version 0, whose tables are all that is missing
		return false, s.on.confirm(ctx, version, s.from.history, "", "")
	}
	history := s.from.history
	if len(history) > 0 { // or what another tool ran since would seem not to have run
		if err := s.on.reached(ctx, u.schema, s.from.version); err != nil {
			return false, err
		}
		history = u.schema.reached(history, s.from.version)
	}
	if err := s.on.record(ctx, version, s.rows); err != nil {
		return false, err
	}
	objects, err := sqlite.Objects(ctx, s.on.Conn)
	if err != nil {
		return false, err
	}
	again, err = u.sealForeignKeys(ctx, s, objects)
	if again || err != nil {
		return again, err
	}
	digest, fingerprint := u.schema.Digest, u.schema.Fingerprint
	if version < u.schema.Expected {
		digest, fingerprint = u.schema.digestAt(version), ""
	} else {
		var v verdict
		v.judgeTables(u.schema, &state{db: s.from.db, version: version, objects: objects}, u.allow)
		s.overruled = s.overruled || len(v.allowed) > 0
		if err := u.announce(v); err != nil {
			return false, u.rolledBack(err)
		}
	}
	if s.overruled {
		digest, fingerprint = "", "" // the next start is to ask again
	}
	if err := s.on.seal(ctx, u.schema, version, digest, fingerprint); err != nil {
		return false, err
	}
	history = append(slices.Clip(history), s.rows...)
	return false, s.on.confirm(ctx, version, u.schema.reached(history, version), digest, fingerprint)
}

// confirm reads back what was recorded: the version and, in the history, the rows that were
// there, those of a segment, and the seal of the newest. A trigger may have changed it.
func (c *conn) confirm(ctx context.Context, version Version, want []row, digest, fingerprint string) error {
	st, err := c.readState(ctx)
	var fact string
	e := (*Error)(nil)
	switch {
	case errors.As(err, &e) && e.Detail != "":
		fact = e.Detail
	case err != nil:
		return err
	case !st.managed || st.version != version:
		fact = "_meta says " + st.version.String()
	case !slices.EqualFunc(want, st.history, func(a, b row) bool {
		return a.Version == b.Version && a.File == b.File && a.Checksum == b.Checksum
	}):
		fact = "_lockstep_history has other rows"
	default:
		if r, ok := st.newest(); !ok || r.digest == digest && r.fingerprint == fingerprint && r.cookie.Int64 == st.cookie {
			return nil
		}
		fact = "the newest row of _lockstep_history has other values"
	}
	for _, o := range st.objects {
		if o.Type == "trigger" && sqltext.IsOurs(o.Table) {
			fact += " after trigger " + o.Name
		}
	}
	return fmt.Errorf("version %v was recorded, but %s", version, fact)
}

// reached adds to the history the row that conn.reached adds, if it is missing.
func (s *Schema) reached(history []row, version Version) []row {
	if m, ok := s.migration(version); ok && !slices.ContainsFunc(history, func(r row) bool { return r.Version == version }) {
		history = append(slices.Clip(history), row{Applied: Applied{Version: version, File: m.File}})
	}
	return history
}

package lockstep

import (
	"context"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// seal ends the run of a segment: it proves, at the expected version, that the result is
// what the generator saw, and records the migrations.
func (u *upgrade) seal(ctx context.Context, s *segment) error {
	err := sqlite.InTransaction(ctx, s.on.Conn)
	if err == nil {
		err = s.on.settings.CheckFaults(ctx, s.on.Conn)
	}
	if err != nil {
		return err
	}
	objects, err := s.on.manage(ctx, s.from)
	if err != nil {
		return err
	}
	err = u.sealForeignKeys(ctx, s, objects)
	if err == nil {
		err = u.tryMade(ctx, s, objects)
	}
	if err == nil {
		err = sqlite.InTransaction(ctx, s.on.Conn) // what was read may have ended it
	}
	if err != nil {
		return err
	}
	version, digest, fingerprint := s.to(), u.schema.Digest, u.schema.Fingerprint
	if version < u.schema.Expected {
		digest, fingerprint = u.schema.digestAt(version), ""
	} else {
		var v verdict
		v.judgeTables(u.schema, &state{db: s.from.db, version: version, objects: objects}, u.allow)
		s.overruled = s.overruled || len(v.allowed) > 0
		if err := u.announce(v); err != nil {
			return u.rolledBack(err)
		}
	}
	if s.overruled {
		digest, fingerprint = "", "" // the next start is to ask again
	}
	rows := s.rows
	if len(s.from.history) > 0 { // or what another tool ran since would seem not to have run
		rows = append(u.schema.unrecorded(s.from.history, s.from.version), rows...)
	}
	return s.on.record(ctx, objects, version, s.from.history, rows, digest, fingerprint)
}

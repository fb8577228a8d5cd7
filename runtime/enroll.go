package lockstep

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// Enroll gives a version to a database that has tables but no version: it records that the
// database is at the version that s expects, and [Migrate] takes it from there. It is for a
// database that another tool, or nobody, has migrated so far.
//
// It does so only if the tables are those that the migrations of s produce. Tables and
// indexes that no migration makes do not matter. Enroll compares and writes in one
// transaction, and writes nothing but the tables of the version and of the history. How the
// database came to its version is not known, so the history has no checksums up to there.
//
// The error is an [*Error], and errors.Is finds in it [ErrManaged] if the database has a
// version, [ErrDrift] if its tables are different, [ErrUnmanaged] if it cannot be written
// to or has tables with the names of lockstep's own, or one of the errors of Migrate. An s
// of [Schema.At] does not know the tables of its version, and is refused. After an error,
// nothing has been written.
func Enroll(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) error {
	c := configure(opts)
	err := c.persist(ctx, db, s, (*gate).enroll)
	if e := (*Error)(nil); c.unanswered && errors.As(err, &e) && e.Kind == ErrManaged && e.Version == s.Expected {
		return nil
	}
	return err
}

func (g *gate) enroll(ctx context.Context) error {
	// If the file is read-only, what else is wrong with it says more.
	seen, err := g.read(ctx)
	if err != nil {
		return err
	}
	if e := enrollable(g.schema, seen); e != nil {
		return e
	}
	defer g.conn.restore(ctx)
	defer g.conn.rollback(ctx)
	err = g.conn.protect(ctx)
	if err == nil {
		err = g.begin(ctx)
	}
	if err == nil {
		err = g.enrollLocked(ctx)
	}
	if err == nil {
		// Ignore ctx from here on, as an upgrade does.
		lasting := context.WithoutCancel(ctx)
		g.unanswered, err = g.commit(lasting, g.schema.Expected, func(context.Context) error { return g.conn.commit(lasting) })
	}
	if e := (*Error)(nil); err == nil || errors.As(err, &e) {
		return err
	}
	e := &Error{DB: g.conn.file, Expected: g.schema.Expected, Detail: "not enrolled", Err: sqlite.Forbidden(err, g.conn.file), enrolling: true, ended: ended(ctx)}
	if sqlite.IsReadOnly(err) {
		e.Kind = ErrUnmanaged
	}
	return e
}

// enrollLocked does the work under the lock.
func (g *gate) enrollLocked(ctx context.Context) error {
	st, err := g.conn.readState(ctx)
	if err != nil {
		return err
	}
	if e := enrollable(g.schema, st); e != nil {
		return e
	}
	if err = g.conn.refuseTemporary(ctx, st, nil); err != nil {
		return err
	}
	objects, err := g.conn.manage(ctx, st)
	if err == nil {
		rows := g.schema.unrecorded(nil, g.schema.Expected)
		err = g.conn.record(ctx, objects, g.schema.Expected, nil, rows, g.schema.Digest, g.schema.Fingerprint)
	}
	return err
}

// enrollable returns nil if the database has no version and the tables that the
// migrations produce.
func enrollable(s *Schema, st *state) *Error {
	refuse := func(kind error, detail string) *Error {
		return &Error{Kind: kind, DB: st.db, Version: st.version, Expected: s.Expected, Detail: detail, enrolling: true}
	}
	switch {
	case st.managed:
		return refuse(ErrManaged, "")
	case s.Fingerprint == "": // see Schema.At
		return refuse(nil, fmt.Sprintf("not enrolled: the tables of version %v are not recorded", s.Expected))
	case st.has("_meta"):
		return refuse(ErrUnmanaged, "has a table _meta that does not hold a version; rename it")
	case st.has("_lockstep_history"):
		return refuse(ErrUnmanaged, "has a table _lockstep_history and no version; restore its _meta, or rename it")
	}
	changed, _, err := s.diff(st.objects)
	if len(changed) > 0 {
		err = refuse(ErrDrift, "")
		err.Differences = changed
	}
	return err
}

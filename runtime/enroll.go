package lockstep

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Enroll gives a version to a database that has tables and none: it marks it as
// being at the version that s expects, and [Migrate] takes it from there. It is for
// a database that another tool, or nobody, has migrated so far.
//
// It does so only if the tables are those that the migrations of s produce. Tables
// and indexes that no migration makes are no obstacle. The comparison and what
// Enroll writes are one transaction: the tables of the version and of the history,
// and nothing else. How the database came to its version is not known, so it has no
// checksums of the migrations up to there.
//
// The error is a [*Error] and errors.Is finds in it [ErrManaged] if the database has
// a version, [ErrDrift] if its tables are others, [ErrUnmanaged] if it cannot be
// written to or has tables of the names of lockstep's own, or one of the errors of
// Migrate. An s of [Schema.At] does not know the tables of its version, and is refused.
// Nothing has been written then.
func Enroll(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) error {
	g, err := open(ctx, db, s, opts)
	if err != nil {
		return err
	}
	defer g.close()

	// What is wrong with a file that cannot be written to is worth more than that.
	seen, err := g.read(ctx)
	if err != nil {
		return err
	}
	if err := g.enrollable(seen); err != nil {
		return err
	}
	err = g.retry(ctx, func(ctx context.Context) error { return g.begin(ctx, "BEGIN IMMEDIATE") })
	if err != nil {
		return g.notEnrolled(ctx, err)
	}
	if err := g.enroll(ctx); err != nil {
		g.rollback(ctx)
		return g.notEnrolled(ctx, err)
	}
	// See step for why the caller's context no longer counts.
	committing := context.WithoutCancel(ctx)
	err = g.retry(committing, func(context.Context) error {
		_, err := g.conn.ExecContext(committing, "COMMIT")
		return err
	})
	if err == nil {
		return nil
	}
	g.rollback(ctx)
	if now, unread := g.read(committing); unread == nil && now.managed && now.version == s.Expected {
		return nil // it took place; see commitFailed
	}
	return g.notEnrolled(ctx, err)
}

// enroll does the work under the lock.
func (g *gate) enroll(ctx context.Context) error {
	st, err := g.readState(ctx)
	if err != nil {
		return err
	}
	if err := g.enrollable(st); err != nil {
		return err
	}
	if err := g.manage(ctx, st); err != nil {
		return err
	}
	if _, err := g.conn.ExecContext(ctx, "UPDATE main._meta SET version = ?", g.schema.Expected); err != nil {
		return err
	}
	return g.seal(ctx, g.schema.Expected, g.schema.Digest, g.schema.Fingerprint)
}

// enrollable returns nil if the database has no version and the tables that the
// migrations produce.
func (g *gate) enrollable(st *state) error {
	e := &Error{DB: g.name, Version: st.version, Expected: g.schema.Expected, enrolling: true}
	if st.managed {
		e.Kind = ErrManaged
		return e
	}
	if g.schema.Fingerprint == "" { // see Schema.At
		e.Detail = fmt.Sprintf("not enrolled, because the tables of version %v are not recorded", e.Expected)
		return e
	}
	named := func(name string) bool {
		return slices.ContainsFunc(st.objects, func(o sqltext.Object) bool { return sqltext.Equal(o.Name, name) })
	}
	switch e.Kind = ErrUnmanaged; {
	case named("_meta"):
		e.Detail = "has a _meta that is not a version; rename it"
		return e
	case named("_lockstep_history"):
		e.Detail = "has a _lockstep_history and no version; put its _meta back, or rename it"
		return e
	}
	changed, _, err := g.schema.diff(st.objects)
	if len(changed) > 0 {
		e.Kind, e.Differences = ErrDrift, changed
		return e
	}
	return err
}

// notEnrolled gives an error of the driver the words that the database's other
// errors have.
func (g *gate) notEnrolled(ctx context.Context, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	e := &Error{DB: g.name, Expected: g.schema.Expected, Detail: "not enrolled", Err: err, enrolling: true, ended: ended(ctx)}
	if resultCode(err) == codeReadOnly {
		e.Kind = ErrUnmanaged
	}
	return e
}

package lockstep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// manage makes the tables that lockstep writes to, where they are missing, and reads the
// objects of the schema. st was read in the same transaction.
func (c *conn) manage(ctx context.Context, st *state) ([]sqltext.Object, error) {
	var missing []string
	if !st.managed {
		missing = append(missing, metaSQL, "INSERT INTO main._meta (id, version) VALUES (1, 0)")
	}
	if !st.has("_lockstep_history") {
		missing = append(missing, historySQL)
	}
	for _, q := range missing {
		if err := c.exec(ctx, q); err != nil {
			return nil, err
		}
	}
	return sqlite.Objects(ctx, c.Conn)
}

// unrecorded returns the row that the history lacks of a version to which another tool
// brought the database: without a checksum.
func (s *Schema) unrecorded(history []row, version Version) (rows []row) {
	if m := s.migration(version); m != nil {
		rows = []row{{Applied: Applied{Version: version, File: m.File, At: time.Now()}}}
	}
	for i := range history {
		if history[i].Version == version {
			return nil
		}
	}
	return rows
}

// record writes the version, and the rows that the history lacks. In the newest it notes
// what atHead compares with: the digest and the fingerprint, and the schema cookie under
// which they are true. It comes last in a transaction, because whatever changes the schema
// changes the cookie. history and objects were read in the same transaction.
func (c *conn) record(ctx context.Context, objects []sqltext.Object, version Version, history, rows []row, digest, fingerprint string) error {
	const most = 100 // in one statement: SQLite allows at least 999 parameters
	for done := 0; done < len(rows); done += most {
		some := rows[done:min(done+most, len(rows))]
		q, args := []byte(nil), []any{runningProgram()}
		for i := range some {
			r, checksum := &some[i], any(nil)
			if r.Checksum != "" {
				checksum = r.Checksum
			}
			q = append(q, ", (?1, ?, ?, ?, ?, ?)"...)
			args = append(args, r.Version, r.File, checksum, r.At.UTC().Format(time.RFC3339), r.Took.Milliseconds())
		}
		err := c.exec(ctx, "INSERT INTO main._lockstep_history (program, version, file, checksum, applied_at, duration_ms) VALUES "+string(q[2:]), args...)
		if err != nil {
			return err
		}
	}
	var cookie int64
	err := c.exec(ctx, "UPDATE main._meta SET version = ?1 WHERE version <> ?1", version)
	if err == nil {
		err = c.read(ctx, "PRAGMA schema_version", &cookie)
	}
	if err == nil {
		err = c.exec(ctx, "UPDATE main._lockstep_history SET digest = ?, fingerprint = nullif(?, ''), cookie = ? WHERE version = ?",
			digest, fingerprint, cookie, version)
	}
	if err == nil && len(history) > 0 {
		err = c.exec(ctx, `UPDATE main._lockstep_history SET digest = NULL, fingerprint = NULL, cookie = NULL
WHERE version < ? AND digest IS NOT NULL`, version)
	}
	if err != nil {
		return err
	}
	return c.confirm(ctx, objects, version, append(slices.Clip(history), rows...), digest, fingerprint)
}

// confirm reads back what was recorded: the version, the history, and the notes in its newest
// row. A trigger may have changed it; the objects no trigger can change.
func (c *conn) confirm(ctx context.Context, objects []sqltext.Object, version Version, want []row, digest, fingerprint string) error {
	st, err := c.readVersions(ctx, objects, nil)
	same := len(want) == len(st.history)
	for i := 0; i < len(want) && same; i++ {
		a, b := &want[i], &st.history[i]
		same = a.Version == b.Version && a.File == b.File && a.Checksum == b.Checksum
	}
	fact, e := "", (*Error)(nil)
	switch {
	case errors.As(err, &e) && e.Detail != "":
		fact = e.Detail
	case err != nil:
		return err
	case !st.managed || st.version != version:
		fact = "_meta says " + st.version.String()
	case !same:
		fact = "_lockstep_history has other rows"
	default:
		if r := st.newest(); r.Version == 0 || r.digest == digest && r.fingerprint == fingerprint && r.cookie.Int64 == st.cookie {
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

// keepsOwn calls f, and returns an error if that changed what lockstep has written to the
// database. (The generator sees the statements of a migration in SQL. Of a program, only
// the result is known.)
func (c *conn) keepsOwn(ctx context.Context, f func() error) error {
	before, err := c.readOwn(ctx)
	if err == nil {
		err = f()
	}
	if err != nil {
		return err
	}
	after, err := c.readOwn(ctx)
	if err == nil && after != before {
		err = errors.New("changed _meta or _lockstep_history, which belong to lockstep")
	}
	return err
}

// readOwn reads everything that lockstep has written to the database, and the names of what
// is temporary and would hide or change it.
func (c *conn) readOwn(ctx context.Context) (string, error) {
	st, err := c.readState(ctx)
	if e, ok := err.(*Error); ok && e.Err == nil {
		return e.Detail, nil
	}
	var temporary string
	if err == nil {
		err = c.read(ctx, "SELECT coalesce(group_concat(name), '') FROM sqlite_temp_master WHERE lower(tbl_name) IN ('_meta', '_lockstep_history')", &temporary)
	}
	return fmt.Sprint(temporary, sqlite.Of(st.objects, sqltext.IsOurs), st.managed, st.version, st.history), err
}

// runningProgram names the running program for the history: the path and version of its main
// module.
func runningProgram() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			return info.Main.Path + "@" + v
		}
		return info.Main.Path
	}
	return filepath.Base(os.Args[0])
}

package lockstep

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// manage makes the tables that lockstep writes to, where they are missing. st was read in
// the same transaction.
func (c *conn) manage(ctx context.Context, st *state) error {
	if !st.managed {
		for _, q := range []string{metaSQL, "INSERT INTO main._meta (id, version) VALUES (1, 0)"} {
			if err := c.exec(ctx, q); err != nil {
				return err
			}
		}
	}
	if !st.has("_lockstep_history") {
		return c.exec(ctx, historySQL)
	}
	return nil
}

// record writes a row for each migration that was applied, and the version. It is called
// in the transaction that applied them.
func (c *conn) record(ctx context.Context, version Version, rows []row) error {
	stmt, err := c.PrepareContext(ctx, `INSERT INTO main._lockstep_history (version, file, checksum, applied_at, duration_ms, program)
VALUES (?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, r := range rows {
		_, err := stmt.ExecContext(ctx, r.Version, r.File, null(r.Checksum), r.At.UTC().Format(time.RFC3339), r.Took.Milliseconds(), r.Program)
		if err != nil {
			return err
		}
	}
	return c.exec(ctx, "UPDATE main._meta SET version = ?", version)
}

// seal notes in the newest row of the history what atHead compares with: the digest and
// the fingerprint, and the schema cookie under which they are true. It comes last in a
// transaction, because whatever changes the schema changes the cookie.
func (c *conn) seal(ctx context.Context, s *Schema, version Version, digest, fingerprint string) error {
	if err := c.reached(ctx, s, version); err != nil {
		return err
	}
	var cookie int64
	if err := c.read(ctx, "PRAGMA schema_version", &cookie); err != nil {
		return err
	}
	err := c.exec(ctx, "UPDATE main._lockstep_history SET digest = ?, fingerprint = ?, cookie = ? WHERE version = ?",
		digest, null(fingerprint), cookie, version)
	if err != nil {
		return err
	}
	return c.exec(ctx, `UPDATE main._lockstep_history SET digest = NULL, fingerprint = NULL, cookie = NULL
WHERE version < ? AND digest IS NOT NULL`, version)
}

// reached has the history have a row of the version: without a checksum if another tool
// brought the database to it.
func (c *conn) reached(ctx context.Context, s *Schema, version Version) error {
	m, ok := s.migration(version)
	if !ok {
		return nil
	}
	return c.exec(ctx, `INSERT INTO main._lockstep_history (version, file, applied_at, duration_ms, program)
VALUES (?, ?, ?, 0, ?) ON CONFLICT DO NOTHING`, version, m.File, time.Now().UTC().Format(time.RFC3339), runningProgram())
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

// readOwn reads everything that lockstep has written to the database. It includes
// temporary tables, which would hide those with their names.
func (c *conn) readOwn(ctx context.Context) (string, error) {
	const names = "lower(tbl_name) IN ('_meta', '_lockstep_history')"
	var b strings.Builder
	var tables []string
	err := c.query(ctx, "SELECT 'main', type, name, sql FROM sqlite_master WHERE "+names+" UNION ALL SELECT 'temp', type, name, sql FROM sqlite_temp_master WHERE "+names, func(scan scanner) error {
		var schema, kind, name string
		var text sql.NullString
		err := scan(&schema, &kind, &name, &text)
		b.WriteString(schema + " " + kind + " " + name + " " + text.String + "\n")
		if schema == "main" && kind == "table" {
			tables = append(tables, name)
		}
		return err
	})
	for _, table := range tables {
		columns := "id, version"
		if table == "_lockstep_history" {
			columns = "version, file, checksum, applied_at, duration_ms, program, digest, fingerprint, cookie"
		}
		if err != nil {
			break
		}
		q := "SELECT quote(" + strings.ReplaceAll(columns, ", ", ") || '|' || quote(") + ") FROM main." + table + " ORDER BY rowid"
		err = c.query(ctx, q, func(scan scanner) error {
			var text string
			err := scan(&text)
			b.WriteString(text + "\n")
			return err
		})
	}
	return b.String(), err
}

// null stores "" as NULL.
func null(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// runningProgram names the running program for the history: the path and version of its main
// module.
var runningProgram = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			return info.Main.Path + "@" + v
		}
		return info.Main.Path
	}
	return filepath.Base(os.Args[0])
})

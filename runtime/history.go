package lockstep

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Everything that lockstep writes to a database. _meta is the table of Python's
// fastmigrate, to the letter, so that either tool can take over a database from the
// other: it decides which version the database is at. _lockstep_history says how it got
// there. Elsewhere they are main._meta and main._lockstep_history, because temporary tables
// and attached databases may have the same names.
const (
	metaSQL = `CREATE TABLE _meta (
                            id INTEGER PRIMARY KEY CHECK (id = 1),
                            version INTEGER NOT NULL DEFAULT 0
                        )`

	historySQL = `CREATE TABLE _lockstep_history (
	version INTEGER PRIMARY KEY,
	file TEXT NOT NULL,
	checksum TEXT,             -- of the text that ran; NULL when another tool ran it
	applied_at TEXT NOT NULL,  -- UTC, RFC 3339
	duration_ms INTEGER NOT NULL,
	program TEXT NOT NULL,     -- the module and version of the program that ran it
	digest TEXT,               -- the newest row alone: over the checksums up to here
	fingerprint TEXT,          -- the newest row alone: of the schema
	cookie INTEGER             -- the newest row alone: PRAGMA schema_version, when the fingerprint was taken
)`
)

// state is what a database says of itself. Whoever writes reads it again under the lock
// that it writes with.
type state struct {
	db      string // the file
	version Version
	managed bool // has _meta, with one version in it
	objects []sqltext.Object
	cookie  int64
	history []row // oldest first
}

// row is a row of _lockstep_history.
type row struct {
	Applied
	digest      string
	fingerprint string
	cookie      sql.NullInt64
}

// newest returns the newest row of the history if it is that of the version that
// the database is at, or else an empty one.
//
//go:noinline
func (st *state) newest() *row {
	if n := len(st.history); n > 0 && st.history[n-1].Version == st.version {
		return &st.history[n-1]
	}
	return &row{}
}

// theirs reports whether an object is the application's: not lockstep's, and not
// Litestream's, which may replicate a file before there is anything in it.
func (st *state) theirs(o sqltext.Object) bool {
	return !sqlite.IsLitestream(o.Name) && !(st.managed && sqltext.IsOurs(o.Name))
}

// tables counts the tables and views of the application.
func (st *state) tables() (n int) {
	for _, o := range st.objects {
		if (o.Type == "table" || o.Type == "view") && st.theirs(o) {
			n++
		}
	}
	return n
}

// isNew reports whether nothing would be lost with the database.
func (st *state) isNew() bool { return st.version == 0 && !slices.ContainsFunc(st.objects, st.theirs) }

// has reports whether there is a table or view of this name.
//
//go:noinline
func (st *state) has(table string) bool {
	return slices.ContainsFunc(st.objects, func(o sqltext.Object) bool {
		return (o.Type == "table" || o.Type == "view") && sqltext.Equal(o.Name, table)
	})
}

// headQuery reads everything that tells whether a database is at the version, except the
// schema cookie. It fails on a database that lockstep has not written to. (A join takes
// SQLite two thirds of the time of a subquery that counts the rows of _meta.)
const headQuery = `SELECT h.version, digest, fingerprint, cookie, m.version
FROM main._lockstep_history AS h, main._meta AS m ORDER BY h.version DESC LIMIT 2`

// atHead is the fast path: it reports whether the database came to the version by these
// migrations, and its schema was right and has not changed since. If it says no, or
// cannot tell, readState finds out why.
func (g *gate) atHead(ctx context.Context) (head bool, err error) {
	var cookie, now int64
	s, n := g.schema, 0
	err = sqlite.Each(ctx, g.conn.Conn, headQuery, func(scan sqlite.Scan) error {
		var version, meta int64
		var digest, fingerprint sql.NullString
		var sealed sql.NullInt64
		err := scan(&version, &digest, &fingerprint, &sealed, &meta)
		if n++; n == 1 {
			head = version == int64(s.Expected) && meta == version &&
				sealed.Valid && digest.String == s.Digest && fingerprint.String == s.Fingerprint
			cookie = sealed.Int64
		} else if version == int64(s.Expected) {
			head = false // _meta has two rows
		}
		return err
	})
	if err == nil && head {
		err = g.conn.read(ctx, "PRAGMA schema_version", &now)
	}
	switch {
	case sqlite.IsBusy(err) || sqlite.IsInterrupt(err):
		return false, err
	case err != nil:
		return false, nil
	}
	return head && cookie == now, nil
}

// readState reads the state of the database. It is called in a transaction, so
// that what it reads belongs together.
func (c *conn) readState(ctx context.Context) (*state, error) {
	objects, err := sqlite.Objects(ctx, c.Conn)
	return c.readVersions(ctx, objects, err)
}

// readVersions reads the rest of the state, unless there was an error.
func (c *conn) readVersions(ctx context.Context, objects []sqltext.Object, err error) (*state, error) {
	c.readFile(ctx)
	st := &state{db: c.file, objects: objects}
	if err == nil {
		err = c.read(ctx, "PRAGMA schema_version", &st.cookie)
	}
	if err == nil && st.has("_meta") && st.ours() {
		err = c.readVersion(c.row(ctx, versionQuery), st)
	}
	if err == nil && st.managed && st.has("_lockstep_history") {
		err = c.readHistory(ctx, st)
	}
	if _, ok := err.(*Error); ok || err == nil || sqlite.IsBusy(err) || ctx.Err() != nil {
		return st, err
	}
	return st, c.unreadable(err, "")
}

// ours reports whether _meta is the table that fastmigrate and lockstep make. A different
// one belongs to the application.
func (st *state) ours() bool {
	found := sqlite.Of(st.objects, func(table string) bool { return sqltext.Equal(table, "_meta") })
	changed, _ := sqltext.Diff([]sqltext.Object{{Type: "table", Name: "_meta", Table: "_meta", SQL: metaSQL}}, found)
	return len(changed) == 0
}

const versionQuery = "SELECT count(*), version FROM main._meta"

func (c *conn) readVersion(only sqlite.Scan, st *state) error {
	var n int
	var found any
	if err := only(&n, &found); err != nil {
		return err
	}
	v, ok := found.(int64)
	switch {
	case n != 1:
		return c.unreadable(nil, "_meta has %d rows; want 1", n)
	case !ok:
		return c.unreadable(nil, "_meta says version %#v; want a whole number", found)
	case v < 0:
		return c.unreadable(nil, "_meta says version %d; want 0 or more", v)
	case v > maxVersion:
		return c.unreadable(nil, "_meta says version %d; want at most %d", v, maxVersion)
	}
	st.version, st.managed = Version(v), true
	return nil
}

// What a database says can be anything, and where an int has 32 bits another number would
// come of it.
const (
	maxVersion  = math.MaxInt32
	maxDuration = int64(math.MaxInt64 / time.Millisecond)
)

func (c *conn) readHistory(ctx context.Context, st *state) error {
	const q = `SELECT version, file, coalesce(checksum, ''), applied_at, duration_ms, program, coalesce(digest, ''), coalesce(fingerprint, ''), cookie
FROM main._lockstep_history ORDER BY version`
	return sqlite.Each(ctx, c.Conn, q, func(scan sqlite.Scan) error {
		var r row
		var applied string
		var version, ms int64
		if err := scan(&version, &r.File, &r.Checksum, &applied, &ms, &r.Program, &r.digest, &r.fingerprint, &r.cookie); err != nil {
			return err
		}
		if version < 1 || version > maxVersion {
			return c.unreadable(nil, "_lockstep_history has a row of version %d; want 1 to %d", version, maxVersion)
		}
		if ms < 0 || ms > maxDuration {
			return c.unreadable(nil, "_lockstep_history has a duration of %d ms; want 0 to %d", ms, maxDuration)
		}
		r.Version = Version(version)
		r.At, _ = time.Parse(time.RFC3339, applied)
		r.Took = time.Duration(ms) * time.Millisecond
		st.history = append(st.history, r)
		return nil
	})
}

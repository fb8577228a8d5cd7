package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// A tool is another migration tool, by what it keeps in a database.
type tool struct {
	name    string
	table   string // "" if it keeps no table
	columns string // of the table, sorted, in lower case
	read    func(ctx context.Context, db *database) (*record, error)
}

// tools are those that --from knows, with the tables that they make unless they are
// told another name:
//
//   - goose adds a row to goose_db_version for each migration. A rollback deletes the
//     row, or in old releases adds another with is_applied 0, so the newest row of
//     each version counts. The first row has version 0 and stands for nothing.
//   - golang-migrate has one row in schema_migrations, with the version of the last
//     migration, and dirty while one runs and after it has failed.
//   - dbmate has a row in schema_migrations for each migration, by the digits with
//     which its file's name begins.
//   - user_version is what programs count in by themselves.
var tools = []tool{
	{"goose", "goose_db_version", "id is_applied tstamp version_id", readGoose},
	{"golang-migrate", "schema_migrations", "dirty version", readGolangMigrate},
	{"dbmate", "schema_migrations", "version", readDbmate},
	{"user_version", "", "", readUserVersion},
}

// A record is what a tool says of a database.
type record struct {
	versions []uint64 // of the migrations that it has applied, in order
	last     bool     // it says only which was the last
}

// toolFlag is --from.
type toolFlag struct{ *tool }

func (f *toolFlag) String() string { return "" }

func (f *toolFlag) Set(s string) error {
	var names []string
	for i := range tools {
		if tools[i].name == s {
			f.tool = &tools[i]
			return nil
		}
		names = append(names, tools[i].name)
	}
	return errors.New("want one of " + strings.Join(names, ", "))
}

// A leftAlone is a table in which another tool keeps its own version.
type leftAlone struct {
	Table string `json:"table"`
	Tool  string `json:"tool"`
}

// bookkeeping returns the tables of other tools. A table of the same name with
// other columns is the user's.
func (db *database) bookkeeping(ctx context.Context) ([]leftAlone, error) {
	found := []leftAlone{}
	for _, tool := range tools {
		has, err := tool.in(ctx, db)
		if err != nil {
			return nil, err
		}
		if has {
			found = append(found, leftAlone{tool.table, tool.name})
		}
	}
	return found, nil
}

// in reports whether the database has the table of the tool.
func (t *tool) in(ctx context.Context, db *database) (bool, error) {
	if t.table == "" {
		return false, nil
	}
	rows, err := db.QueryContext(ctx, "SELECT lower(name) FROM pragma_table_info(?, 'main') ORDER BY 1", t.table)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var columns []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return false, err
		}
		columns = append(columns, name)
	}
	return strings.Join(columns, " ") == t.columns, rows.Err()
}

// readRecord reads what the tool of --from says, into the result and e.record.
func (e *enrollment) readRecord(ctx context.Context, db *database, out *enrollResult) error {
	if e.from == nil {
		return nil
	}
	if e.from.table != "" {
		has, err := e.from.in(ctx, db)
		if err != nil {
			return db.named(err)
		}
		if !has {
			return refuse("missing", "%s: no table %s as %s makes it; not enrolled", e.path, e.from.table, e.from.name)
		}
	}
	rec, err := e.from.read(ctx, db)
	if r := (*refusal)(nil); errors.As(err, &r) {
		return err
	}
	if err != nil {
		return db.named(err)
	}
	if len(rec.versions) == 0 {
		return refuse("missing", "%s: %s records no migration; not enrolled", e.path, e.from.name)
	}
	e.record = rec
	last := rec.versions[len(rec.versions)-1]
	out.From = &enrolledFrom{Tool: e.from.name, Last: strconv.FormatUint(last, 10)}
	if !rec.last {
		out.From.Migrations = len(rec.versions)
	}
	return nil
}

// recorded returns the versions of which the record can mean one, the likeliest
// first. The files may have kept their numbers, or been numbered anew: 0001 for
// 20240131094500. A tool that says only which migration was the last tells nothing
// in the second case.
func (e *enrollment) recorded() (versions []lockstep.Version, err error) {
	rec, migrations := e.record, e.newest.Migrations
	numbers := map[uint64]bool{}
	for _, m := range migrations {
		numbers[uint64(m.Version)] = true
	}
	n := len(rec.versions)
	last := rec.versions[n-1]
	if !slices.ContainsFunc(rec.versions, func(v uint64) bool { return !numbers[v] }) {
		versions = append(versions, lockstep.Version(last))
	}
	switch {
	case rec.last && len(versions) == 0:
		return nil, refuse("missing", "%s: at %d by %s, which is no number in %s; say with --at which of them it is",
			e.path, last, e.from.name, e.dir)
	case rec.last:
	case n > len(migrations):
		return nil, refuse("missing", "%s: %s has applied %d migrations, and %s has %d; not enrolled",
			e.path, e.from.name, n, e.dir, len(migrations))
	case !slices.Contains(versions, migrations[n-1].Version):
		versions = append(versions, migrations[n-1].Version)
	}
	return versions, nil
}

func readGoose(ctx context.Context, db *database) (*record, error) {
	rows, err := db.QueryContext(ctx, "SELECT version_id, is_applied FROM goose_db_version ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	applied := map[uint64]bool{}
	for rows.Next() {
		var version int64
		var is bool
		if err := rows.Scan(&version, &is); err != nil {
			return nil, err
		}
		if is && version > 0 {
			applied[uint64(version)] = true
		} else {
			delete(applied, uint64(version))
		}
	}
	return &record{versions: slices.Sorted(maps.Keys(applied))}, rows.Err()
}

func readGolangMigrate(ctx context.Context, db *database) (*record, error) {
	rows, err := db.QueryContext(ctx, "SELECT version, dirty FROM schema_migrations")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	rec := &record{last: true}
	for rows.Next() {
		var version int64
		var dirty bool
		if err := rows.Scan(&version, &dirty); err != nil {
			return nil, err
		}
		if dirty {
			return nil, refuse("differs", "%s: golang-migrate left version %d dirty: it has not been through it as a whole; put that right first", db.path, version)
		}
		rec.versions = append(rec.versions, uint64(version))
	}
	if len(rec.versions) > 1 {
		return nil, refuse("differs", "%s: schema_migrations has %d rows; golang-migrate keeps one", db.path, len(rec.versions))
	}
	return rec, rows.Err()
}

func readDbmate(ctx context.Context, db *database) (*record, error) {
	rows, err := db.QueryContext(ctx, "SELECT version FROM schema_migrations")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	rec := &record{}
	for rows.Next() {
		var version string
		if err := rows.Scan(&version); err != nil {
			return nil, err
		}
		n, err := strconv.ParseUint(version, 10, 64)
		if err != nil {
			return nil, refuse("differs", "%s: schema_migrations has version %q; dbmate's are numbers", db.path, version)
		}
		rec.versions = append(rec.versions, n)
	}
	slices.Sort(rec.versions)
	return rec, rows.Err()
}

func readUserVersion(ctx context.Context, db *database) (*record, error) {
	var version int64
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return nil, err
	}
	if version <= 0 {
		return &record{last: true}, nil
	}
	return &record{versions: []uint64{uint64(version)}, last: true}, nil
}

// choose returns the schema of the version that the record means: the one of those
// it can mean whose tables the database has. Of two that both fit, one migration
// would run again or never, so the user has to say.
func (e *enrollment) choose(ctx context.Context, state *lockstep.State) (*lockstep.Schema, error) {
	versions, err := e.recorded()
	if err != nil {
		return nil, err
	}
	var first *lockstep.Schema
	var fits []*lockstep.Schema
	for _, v := range versions {
		schema, err := e.schema(ctx, v)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = schema
		}
		changed, err := e.compare(schema, state.Objects)
		if err != nil {
			return nil, err
		}
		if len(changed) == 0 {
			fits = append(fits, schema)
		}
	}
	switch len(fits) {
	case 0:
		return first, nil // the difference is shown
	case 1:
		return fits[0], nil
	}
	return nil, refuse("differs", "%s: what %s records is version %v by number and %v by count, and its tables are those of both; say which with --at",
		e.path, e.from.name, fits[0].Expected, fits[1].Expected)
}

// An enrolledFrom is what another tool recorded.
type enrolledFrom struct {
	Tool       string `json:"tool"`
	Last       string `json:"last"`       // the tool's version
	Migrations int    `json:"migrations"` // 0 if the tool does not say
}

func (f *enrolledFrom) String() string {
	if f.Migrations > 0 {
		return fmt.Sprintf("%s: %d applied, the last %s", f.Tool, f.Migrations, f.Last)
	}
	return f.Tool + ": at " + f.Last
}

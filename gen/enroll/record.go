package enroll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A Tool is another migration tool, by what it keeps in a database.
type Tool struct {
	Table   string `json:"table"` // "" if it keeps none
	Name    string `json:"tool"`
	columns string // of the table, sorted, in lower case
	query   string // for each version that it has applied, and whether it failed there
	last    bool   // it records only the last migration
}

// Tools are those whose record is understood, with the tables that they make unless they
// are told another name:
//
//   - goose adds a row to goose_db_version for each migration. A rollback deletes the
//     row, or in old releases adds another with is_applied 0, so the newest row of
//     each version counts. The first row has version 0 and means nothing.
//   - golang-migrate has one row in schema_migrations, with the version of the last
//     migration, and dirty while one runs and after it has failed.
//   - dbmate has a row in schema_migrations for each migration: the digits with which
//     the name of its file begins.
//   - user_version is where programs without a tool count.
var Tools = []*Tool{
	{"goose_db_version", "goose", "id is_applied tstamp version_id",
		"SELECT version_id, 0 FROM goose_db_version AS g WHERE is_applied AND id = (SELECT max(id) FROM goose_db_version WHERE version_id = g.version_id)", false},
	{"schema_migrations", "golang-migrate", "dirty version", "SELECT version, dirty FROM schema_migrations", true},
	{"schema_migrations", "dbmate", "version", "SELECT version, 0 FROM schema_migrations", false},
	{"", "user_version", "", "SELECT max(user_version, 0), 0 FROM pragma_user_version", true},
}

// ToolNamed returns the tool of that name.
func ToolNamed(name string) (*Tool, error) {
	var names []string
	for _, t := range Tools {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return nil, errors.New("want one of " + strings.Join(names, ", "))
}

// A Record is what a tool recorded in a database.
type Record struct {
	Tool       string `json:"tool"`
	Last       string `json:"last"`       // the tool's version
	Migrations int    `json:"migrations"` // that it has applied; 0 if it does not say

	versions []uint64 // in order
}

func (r *Record) String() string {
	if r.Migrations > 0 {
		return fmt.Sprintf("%s: %d applied, the last %s", r.Tool, r.Migrations, r.Last)
	}
	return r.Tool + ": at " + r.Last
}

// leftAlone returns the tools whose tables are in the database.
func (e *enrollment) leftAlone(ctx context.Context) ([]*Tool, error) {
	tools := []*Tool{}
	for _, t := range Tools {
		found, err := e.has(ctx, t)
		if err != nil {
			return nil, err
		}
		if found {
			tools = append(tools, t)
		}
	}
	return tools, nil
}

// has reports whether the database has the table of the tool. A table of the same name
// with other columns is the user's.
func (e *enrollment) has(ctx context.Context, t *Tool) (bool, error) {
	var columns string
	err := e.db.QueryRowContext(ctx, "SELECT ifnull(group_concat(lower(name), ' ' ORDER BY lower(name)), '') FROM pragma_table_info(?, 'main')", t.Table).Scan(&columns)
	if err != nil {
		return false, e.db.Named(err)
	}
	return t.Table != "" && columns == t.columns, nil
}

// readRecord reads what the tool of Request.From recorded.
func (e *enrollment) readRecord(ctx context.Context) error {
	t := e.From
	if t == nil {
		return nil
	}
	found, err := e.has(ctx, t)
	if err != nil {
		return err
	}
	if !found && t.Table != "" {
		return gen.Refuse("missing", "%s: no table %s as %s makes it; not enrolled", e.Path, t.Table, t.Name)
	}
	var versions []uint64
	err = sqlite.Each(ctx, e.db, t.query, func(scan sqlite.Scan) error {
		var text string
		var dirty bool
		if err := scan(&text, &dirty); err != nil {
			return err
		}
		version, err := strconv.ParseUint(text, 10, 64)
		switch {
		case err != nil:
			return gen.Refuse("differs", "%s: %s has version %q; want a number", e.Path, t.Table, text)
		case dirty:
			return gen.Refuse("differs", "%s: %s left version %d dirty: it failed halfway; repair that first", e.Path, t.Name, version)
		case version > 0:
			versions = append(versions, version)
		}
		return nil
	})
	if r := (*gen.Refusal)(nil); err != nil && !errors.As(err, &r) {
		return e.db.Named(err)
	}
	if err != nil {
		return err
	}
	slices.Sort(versions)
	n := len(versions)
	switch {
	case n == 0:
		return gen.Refuse("missing", "%s: %s recorded no migration; not enrolled", e.Path, t.Name)
	case n > 1 && t.last:
		return gen.Refuse("differs", "%s: %s has %d rows; %s keeps one", e.Path, t.Table, n, t.Name)
	}
	e.out.From = &Record{Tool: t.Name, Last: strconv.FormatUint(versions[n-1], 10), versions: versions}
	if !t.last {
		e.out.From.Migrations = n
	}
	return nil
}

// meant returns the versions of which the record can mean one, the likeliest first. The
// files may have kept their numbers, or been renumbered: 0001 for 20240131094500. A tool
// that records only the last migration says nothing in the second case.
func (e *enrollment) meant() (versions []lockstep.Version, err error) {
	r, migrations := e.out.From, e.newest.Migrations
	last := r.versions[len(r.versions)-1]
	isNumber := func(v uint64) bool {
		return slices.ContainsFunc(migrations, func(m lockstep.Migration) bool { return uint64(m.Version) == v })
	}
	if !slices.ContainsFunc(r.versions, func(v uint64) bool { return !isNumber(v) }) {
		versions = append(versions, lockstep.Version(last))
	}
	n := r.Migrations
	switch {
	case n == 0 && len(versions) == 0:
		return nil, gen.Refuse("missing", "%s: at %d by %s, and %s has no such number; give the version with --at", e.Path, last, r.Tool, e.Dir)
	case n == 0:
	case n > len(migrations):
		return nil, gen.Refuse("missing", "%s: %s applied %d migrations, and %s has %d; not enrolled", e.Path, r.Tool, n, e.Dir, len(migrations))
	case !slices.Contains(versions, migrations[n-1].Version):
		versions = append(versions, migrations[n-1].Version)
	}
	return versions, nil
}

// choose returns the schema of the version that the record means: the one whose schema
// the database has. If two fit, the wrong one would have a migration run twice, or never,
// so the user has to say.
func (e *enrollment) choose(ctx context.Context, objects []sqltext.Object) (*lockstep.Schema, error) {
	versions, err := e.meant()
	if err != nil {
		return nil, err
	}
	fit, err := e.fitting(ctx, versions, 2, objects)
	if err != nil {
		return nil, err
	}
	switch len(fit) {
	case 0:
		return e.schema(ctx, versions[0]) // the difference is shown
	case 1:
		return fit[0], nil
	}
	return nil, gen.Refuse("differs", "%s: what %s recorded is version %v by number and %v by count, and the schema is that of both; give one with --at",
		e.Path, e.out.From.Tool, fit[0].Expected, fit[1].Expected)
}

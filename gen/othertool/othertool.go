// Package othertool is not for programs and promises nothing: it may change or go in any
// release. It knows other migration tools: the files that they read, the order in which
// they run them, what of a file goes up, and what they record in a database.
package othertool

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A Tool is another migration tool.
type Tool struct {
	Table string `json:"table"` // in which it records what it has applied, or ""
	Name  string `json:"tool"`
	Like  string `json:"-"` // a tool whose files can have the same names, or ""

	// Of the database:
	Columns string `json:"-"` // of the table, sorted, in lower case
	Query   string `json:"-"` // for the key of each migration that it has applied, and whether that failed
	Last    bool   `json:"-"` // it records only the last migration
	key     func(o Origin) string

	// Of the directory:
	sign       pattern // the path of a file that no other tool has; nil if any of files
	mark       pattern // what is in the text of such a file, or nil
	files      pattern // paths of migrations, with their number and words; nil if it has none
	annotation pattern // a line that splits a file, with what it says, or nil
	byText     bool    // they run in the order of their paths
	plain      bool    // files of other tools may have such names
}

// Tools are those that are known, in the order in which a directory is looked at. Their
// tables are those that they make unless they are told another name:
//
//   - drizzle has the order of its files, and the time by which its table knows each, in
//     a journal; from 1.0 on, a folder for each, by whose name the table knows it.
//   - goose adds a row to goose_db_version for each migration. A rollback deletes the
//     row, or in old releases adds another with is_applied 0, so the newest row of
//     each version counts. The first row has version 0 and means nothing.
//   - golang-migrate has one row in schema_migrations, with the version of the last
//     migration, and dirty while one runs and after it has failed.
//   - dbmate has a row in schema_migrations for each migration: the digits with which
//     the name of its file begins.
//   - fastmigrate's version is in lockstep's own table.
//   - user_version is where programs without a tool count.
var Tools = []*Tool{
	{Name: "drizzle", sign: re(`^meta/_journal\.json$`), files: re(`^(\d+)_([^/]+)\.sql$`),
		Table: "__drizzle_migrations", Columns: "created_at hash id", key: func(o Origin) string { return o.Time },
		Query: "SELECT created_at, 0 FROM __drizzle_migrations"},
	{Name: "drizzle", sign: re(`^[^/]+/snapshot\.json$`), files: re(`^(\d*)_?([^/]*)/migration\.sql$`), byText: true,
		Table: "__drizzle_migrations", Columns: "applied_at created_at hash id name", key: folder,
		Query: "SELECT name, 0 FROM __drizzle_migrations"},
	{Name: "prisma", files: re(`^(\d*)_?([^/]*)/migration\.sql$`), byText: true,
		Table: "_prisma_migrations", Columns: "applied_steps_count checksum finished_at id logs migration_name rolled_back_at started_at", key: folder,
		Query: "SELECT migration_name, finished_at IS NULL FROM _prisma_migrations WHERE rolled_back_at IS NULL"},
	{Name: "diesel", files: re(`^([\d-]*)_?([^/]*)/up\.sql$`), byText: true,
		Table: "__diesel_schema_migrations", Columns: "run_on version", key: dieselVersion,
		Query: "SELECT version, 0 FROM __diesel_schema_migrations"},
	{Name: "refinery", files: re(`^(?:[^/]+/)?[UV](\d+)[\d._]*?__([^/]+)\.(?:sql|rs)$`),
		Table: "refinery_schema_history", Columns: "applied_on checksum name version", key: number,
		Query: "SELECT version, 0 FROM refinery_schema_history"},
	{Name: "goose", files: re(`^(\d+)_([^/]+)\.(?:sql|go)$`), mark: re(`(?im)^\s*--\s*\+goose\s+up\b|\bgoose\.Add\w*Migration`), annotation: re(`(?i)^\s*--\s*\+goose\s+(.*)`),
		Table: "goose_db_version", Columns: "id is_applied tstamp version_id", key: number,
		Query: "SELECT version_id, 0 FROM goose_db_version AS g WHERE is_applied AND id = (SELECT max(id) FROM goose_db_version WHERE version_id = g.version_id)"},
	{Name: "dbmate", files: re(`^(\d+)[-_.]?([^/]*)\.sql$`), mark: re(`(?m)^\s*--\s*migrate:up\b`), annotation: re(`^\s*--\s*migrate:(.*)`), byText: true,
		Table: "schema_migrations", Columns: "version", key: number,
		Query: "SELECT version, 0 FROM schema_migrations"},
	{Name: "sql-migrate", files: re(`^(\d*)[-_.]?([^/]*)\.sql$`), mark: re(`(?m)^\s*--\s*\+migrate\s+Up\b`), annotation: re(`^\s*--\s*\+migrate\s+(.*)`),
		Table: "gorp_migrations", Columns: "applied_at id", key: file,
		Query: "SELECT id, 0 FROM gorp_migrations"},
	{Name: "golang-migrate", Like: "sqlx", files: re(`^[^\d/]{0,2}(\d+)[-_.]([^/]*)\.up\.[^/]*sql$`),
		Table: "schema_migrations", Columns: "dirty version", key: number, Last: true,
		Query: "SELECT version, dirty FROM schema_migrations"},
	{Name: "fastmigrate", files: re(`^(\d{4})-([^/]+)\.(?:sql|py|sh)$`), plain: true,
		Table: "_meta", Columns: "id version", key: number, Last: true,
		Query: "SELECT version, 0 FROM _meta"},
	{Name: "atlas", sign: re(`^atlas\.sum$`), files: re(`^(\d+)_?([^/]*)\.sql$`), byText: true,
		Table: "atlas_schema_revisions", Columns: "applied description error error_stmt executed_at execution_time hash operator_version partial_hashes total type version", key: number,
		Query: "SELECT version, applied < total FROM atlas_schema_revisions WHERE version GLOB '[0-9]*'"},
	{Name: "sqlx", sign: re(`^\d{5,}_[^/]+\.sql$`), files: re(`^(\d+)_([^/]+)\.sql$`),
		Table: "_sqlx_migrations", Columns: "checksum description execution_time installed_on success version", key: number,
		Query: "SELECT version, NOT success FROM _sqlx_migrations"},
	{Name: "d1", Like: "sqlx", files: re(`^(\d+)[-_. ]+([^/]+)\.sql$`), plain: true,
		Table: "d1_migrations", Columns: "applied_at id name", key: file,
		Query: "SELECT name, 0 FROM d1_migrations"},
	{Name: "user_version", key: number, Last: true,
		Query: "SELECT max(user_version, 0), 0 FROM pragma_user_version"},
}

// A pattern is compiled when it is first asked for: few commands need one.
type pattern func() *regexp.Regexp

func re(expr string) pattern {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// Named returns the tool of that name, or the first of its kinds.
func Named(name string) (*Tool, error) {
	for _, t := range Tools {
		if strings.EqualFold(t.Name, name) {
			return t, nil
		}
	}
	return nil, errors.New("want one of " + strings.Join(Names(), ", "))
}

// Names returns the names of the tools.
func Names() (names []string) {
	for _, t := range Tools {
		names = append(names, t.Name)
	}
	return slices.Compact(names)
}

// An Origin is where a migration of lockstep's comes from.
type Origin struct {
	Path string `json:"from"` // below the directory of the other tool, with slashes
	Time string `json:"-"`    // drizzle's, or ""
	File string `json:"to"`   // the name of the migration
}

// Key returns what the tool's record calls the migration, as [Key] writes it.
func (t *Tool) Key(o Origin) string { return Key(t.key(o)) }

// Key returns a key of a record without zeros before a number.
func Key(s string) string {
	if digits().FindString(s) == s && s != "" {
		return strings.TrimLeft(s[:len(s)-1], "0") + s[len(s)-1:]
	}
	return s
}

var digits = re(`\d+`)

func number(o Origin) string { return digits().FindString(path.Base(o.Path)) }
func file(o Origin) string   { return o.Path }
func folder(o Origin) string { return path.Dir(o.Path) }

func dieselVersion(o Origin) string {
	version, _, _ := strings.Cut(folder(o), "_")
	return strings.ReplaceAll(version, "-", "")
}

// Comment returns the comment in migrations.go that records where the migrations come
// from. [Origins] reads it.
func Comment(t *Tool, origins []Origin) string {
	text := "// From " + t.Name + `, by "lockstep init --from"; "lockstep enroll --from" reads this:` + "\n//\n"
	for _, o := range origins {
		text += "//\t" + o.Path
		if o.Time != "" {
			text += " (" + o.Time + ")"
		}
		text += " -> " + o.File + "\n"
	}
	return text
}

var commentLine = re(`(?m)^//\t(\S.*?)(?: \((\d+)\))? -> (\d{4}-\S+)\r?$`)

// Origins returns what a comment in the text of a Go file records, in its order.
func Origins(text string) (origins []Origin) {
	for _, m := range commentLine().FindAllStringSubmatch(text, -1) {
		origins = append(origins, Origin{m[1], m[2], m[3]})
	}
	return origins
}

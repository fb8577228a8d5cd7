package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A setting of a connection can change what a migration does to the rows.
type setting struct {
	pragma string
	replay string // its value in the generator, and so in an upgrade
	read   string // a query for its value; "" for the pragma itself
	undo   string // a value that does more than replay to restore it, or ""
}

// settings are all of them. Other pragmas decide how fast SQLite works, how much memory it
// uses and what it leaves on the disk (cache_size, mmap_size, temp_store, secure_delete),
// or make a statement fail rather than do something else, which the application may want
// (query_only, max_page_count, cell_size_check). trusted_schema is among those: off, it
// would refuse the application's own functions in a schema; on, it would allow a file from
// elsewhere to call them. empty_result_callbacks is about a function that no driver calls.
//
// https://sqlite.org/pragma.html
var settings = []setting{
	// This does nothing inside a transaction. On, the documented way to rebuild a table
	// empties its child tables through ON DELETE CASCADE.
	// https://sqlite.org/lang_altertable.html#otheralter
	{pragma: "foreign_keys", replay: "0"},
	{pragma: "defer_foreign_keys", replay: "0"}, // a COMMIT clears it
	{pragma: "case_sensitive_like", replay: "0", read: "SELECT ('a' LIKE 'A') IS NOT 1"},
	{pragma: "recursive_triggers", replay: "0"},
	{pragma: "legacy_alter_table", replay: "0"},
	{pragma: "ignore_check_constraints", replay: "0"},
	{pragma: "writable_schema", replay: "0", undo: "reset"}, // also forgets a schema that was rolled back
	{pragma: "read_uncommitted", replay: "0"},
	// The order of rows decides the rowids that INSERT … SELECT gives.
	{pragma: "reverse_unordered_selects", replay: "0"},
	{pragma: "automatic_index", replay: "1"},
	{pragma: "analysis_limit", replay: "0"},
	// What a migration in Go reads.
	{pragma: "count_changes", replay: "0"},
	{pragma: "full_column_names", replay: "0"},
	{pragma: "short_column_names", replay: "1"},
}

// A changedSetting has the value that it had.
type changedSetting struct {
	*setting
	was string
}

// Settings are those of one connection that change for an upgrade, until Restore. The
// connection comes with each call.
type Settings struct {
	changed []changedSetting
	lax     bool     // a migration could get past SQLite's checks
	faults  []string // that there were before it
}

// Enter gives the connection the settings of the generator's replay.
func (x *Settings) Enter(ctx context.Context, c *sql.Conn) error {
	for i := range settings {
		if err := x.set(ctx, c, &settings[i]); err != nil {
			return err
		}
	}
	return x.SpareFiles(ctx, c)
}

// SpareFiles has the connection keep in memory what SQLite keeps in temporary files, if there
// is no folder for those, as in an image without /tmp. What it has in temporary tables would
// be lost by that.
//
// https://sqlite.org/tempfiles.html
func (x *Settings) SpareFiles(ctx context.Context, c *sql.Conn) error {
	if diskfile.MayWrite(cmp.Or(os.Getenv("SQLITE_TMPDIR"), os.TempDir())) == nil {
		return nil
	}
	var n int
	if err := Read(ctx, c, "SELECT count(*) FROM sqlite_temp_master", &n); err != nil || n > 0 {
		return err
	}
	return x.set(ctx, c, &setting{pragma: "temp_store", replay: "2"})
}

// Protect has what is written next to the file survive the death of the process and a loss of
// power. No transaction may be open.
//
// Without a journal on the disk, a ROLLBACK (mode OFF) or a process that is killed (mode
// MEMORY) leaves half an upgrade in the file. Below FULL, a journal that is not on the
// disk yet may be all there is to undo pages that are.
// https://sqlite.org/pragma.html#pragma_synchronous
//
// SQLite names files by absolute paths. Other names are those of a server, as of dqlite, which
// sees to it in its own way: there, what is written in FULL fails.
func (x *Settings) Protect(ctx context.Context, c *sql.Conn, file string) error {
	onDisk := IsFile(file)
	mode, err := JournalMode(ctx, c)
	if err != nil {
		return err
	}
	level, err := (&setting{pragma: "main.synchronous"}).of(ctx, c)
	if err != nil {
		return err
	}
	switch {
	case onDisk && (mode == "off" || mode == "memory"):
		err = x.set(ctx, c, &setting{pragma: "journal_mode", replay: "delete"})
	case mode == "off":
		err = x.set(ctx, c, &setting{pragma: "journal_mode", replay: "memory"})
	}
	if err == nil && level < "2" && filepath.IsAbs(file) { // FULL
		err = x.set(ctx, c, &setting{pragma: "synchronous", replay: "2"})
	}
	return err
}

// IsFile reports whether what SQLite says of the database is the name of a file that is there.
// That of a server's database may be the name of another file in the working directory.
func IsFile(name string) bool {
	_, err := os.Stat(name)
	return err == nil && filepath.IsAbs(name)
}

// OnServer reports whether what SQLite says of the database is no path: dqlite names it so.
func OnServer(name string) bool {
	return name != "" && name != ":memory:" && !filepath.IsAbs(name)
}

// Refused returns why a migration in SQL cannot run on this database, or nil. The generator
// refuses some of it, too.
func Refused(name string, noTransaction bool, statements []sqltext.Statement) error {
	if !OnServer(name) {
		return nil
	}
	if noTransaction {
		return errors.New("a database on a server can lose its connection in the middle; write the migration without no-transaction")
	}
	for _, s := range statements {
		pragma, sets := s.SetsConnection()
		what := strings.ToUpper(s.Keyword())
		switch {
		case sets && !s.Skipped(true):
			what = "PRAGMA " + pragma
		case what != "VACUUM" && what != "ATTACH" && what != "DETACH":
			continue
		}
		return fmt.Errorf("line %d: %s works on a file, and can crash a server; leave it out", s.Line, what)
	}
	return nil
}

// JournalMode returns the journal mode of the database.
func JournalMode(ctx context.Context, c *sql.Conn) (string, error) {
	return (&setting{pragma: "main.journal_mode"}).of(ctx, c)
}

// set changes a setting. SQLite's older releases do not know all.
func (x *Settings) set(ctx context.Context, c *sql.Conn, s *setting) error {
	now, err := s.of(ctx, c)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil || now == s.replay:
		return err
	}
	x.note(s, now)
	_, err = c.ExecContext(ctx, "PRAGMA "+s.pragma+" = "+s.replay)
	if err == nil && s.pragma == "foreign_keys" {
		if now, err = s.of(ctx, c); err == nil && now != s.replay {
			err = errors.New("PRAGMA foreign_keys has no effect; switch them off in the data source name")
		}
	}
	return err
}

// note notes the value of a setting for Restore.
//
//go:noinline
func (x *Settings) note(s *setting, value string) {
	if !slices.ContainsFunc(x.changed, func(n changedSetting) bool { return n.pragma == s.pragma }) {
		x.changed = append(x.changed, changedSetting{s, value})
	}
}

// of returns the value of the setting.
func (s *setting) of(ctx context.Context, c *sql.Conn) (value string, err error) {
	err = Read(ctx, c, cmp.Or(s.read, "PRAGMA "+s.pragma), &value)
	return value, err
}

// Before notes the setting that a migration is about to change.
func (x *Settings) Before(ctx context.Context, c *sql.Conn, pragma string) error {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.pragma == pragma })
	if i < 0 {
		return nil
	}
	now, err := settings[i].of(ctx, c)
	x.note(&settings[i], now)
	if err == nil && !x.lax && (pragma == "writable_schema" || pragma == "ignore_check_constraints") {
		x.lax = true
		x.faults, err = Quick.List(ctx, c)
	}
	return err
}

// CheckFaults returns an error if a migration that could get past SQLite's checks has left
// what they find, and was not there before.
func (x *Settings) CheckFaults(ctx context.Context, c *sql.Conn) error {
	if !x.lax {
		return nil
	}
	// Only now does SQLite read a schema that was written as rows.
	if _, err := c.ExecContext(ctx, "PRAGMA writable_schema = reset"); err != nil {
		return err
	}
	now, err := Quick.List(ctx, c)
	if fault := FirstNew(now, x.faults); fault != "" {
		err = errors.New("the migrations leave a database that fails its check: " + fault)
	}
	return err
}

// Restore gives the connection its settings back. No transaction may be open. It reports
// whether they took.
func (x *Settings) Restore(ctx context.Context, c *sql.Conn) bool {
	changed := x.changed
	x.changed = nil
	for _, s := range changed {
		if s.pragma == "journal_mode" {
			if now, _ := s.of(ctx, c); now == "wal" { // a migration has made it so, for everybody
				continue
			}
		}
		value := s.was
		if s.undo != "" && value == s.replay {
			value = s.undo
		}
		_, err := c.ExecContext(ctx, "PRAGMA "+s.pragma+" = "+value)
		if err == nil {
			value, err = s.of(ctx, c)
		}
		if err != nil || value != s.was {
			return false
		}
	}
	return true
}

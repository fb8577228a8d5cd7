package lockstep

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
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
	setting
	was string
}

// enter gives the connection the settings of the generator's replay, until restore.
func (c *conn) enter(ctx context.Context) error {
	for _, s := range settings {
		if err := c.set(ctx, s); err != nil {
			return err
		}
	}
	return c.spareFiles(ctx)
}

// protect has what is written next survive the death of the process and a loss of power,
// until restore. No transaction may be open.
//
// Without a journal on the disk, a ROLLBACK (mode OFF) or a process that is killed (mode
// MEMORY) leaves half an upgrade in the file. Below FULL, a journal that is not on the
// disk yet may be all there is to undo pages that are.
// https://sqlite.org/pragma.html#pragma_synchronous
func (c *conn) protect(ctx context.Context) error {
	mode, err := c.setting(ctx, setting{pragma: "main.journal_mode"})
	if err != nil {
		return err
	}
	level, err := c.setting(ctx, setting{pragma: "main.synchronous"})
	if err != nil {
		return err
	}
	c.readFile(ctx)
	_, missing := os.Stat(c.file)
	switch onDisk := missing == nil; {
	case onDisk && (mode == "off" || mode == "memory"):
		err = c.set(ctx, setting{pragma: "journal_mode", replay: "delete"})
	case mode == "off":
		err = c.set(ctx, setting{pragma: "journal_mode", replay: "memory"})
	}
	if err == nil && level < "2" { // FULL
		err = c.set(ctx, setting{pragma: "synchronous", replay: "2"})
	}
	return err
}

// set changes a setting until restore. SQLite's older releases do not know all.
func (c *conn) set(ctx context.Context, s setting) error {
	now, err := c.setting(ctx, s)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil || now == s.replay:
		return err
	}
	c.note(s, now)
	return c.exec(ctx, "PRAGMA "+s.pragma+" = "+s.replay)
}

// note notes the value of a setting for restore.
func (c *conn) note(s setting, value string) {
	if !slices.ContainsFunc(c.changed, func(n changedSetting) bool { return n.pragma == s.pragma }) {
		c.changed = append(c.changed, changedSetting{s, value})
	}
}

// setting returns the value of a setting.
func (c *conn) setting(ctx context.Context, s setting) (value string, err error) {
	if s.read == "" {
		s.read = "PRAGMA " + s.pragma
	}
	return value, c.read(ctx, s.read, &value)
}

// noteBefore notes the setting that a migration is about to change.
func (c *conn) noteBefore(ctx context.Context, pragma string) error {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.pragma == pragma })
	if i < 0 {
		return nil
	}
	now, err := c.setting(ctx, settings[i])
	c.note(settings[i], now)
	if err == nil && c.faults == nil && (pragma == "writable_schema" || pragma == "ignore_check_constraints") {
		c.faults, err = sqlite.Quick.Faults(ctx, c.Conn)
	}
	return err
}

// checkFaults returns an error if a migration that could get past SQLite's checks has left
// what they find, and was not there before.
func (c *conn) checkFaults(ctx context.Context) error {
	if c.faults == nil {
		return nil
	}
	// Only now does SQLite read a schema that was written as rows.
	if err := c.exec(ctx, "PRAGMA writable_schema = reset"); err != nil {
		return err
	}
	now, err := sqlite.Quick.Faults(ctx, c.Conn)
	for _, fault := range slices.Sorted(maps.Keys(now)) {
		if more := now[fault] - c.faults[fault]; more > 0 {
			return fmt.Errorf("the migrations leave a database that fails its check: %s", fault)
		}
	}
	return err
}

// restore gives the connection its settings back, even after ctx has ended. No transaction
// may be open. A connection on which a setting does not take is discarded.
func (c *conn) restore(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, s := range c.changed {
		if s.pragma == "journal_mode" {
			if now, _ := c.setting(ctx, s.setting); now == "wal" { // a migration has made it so, for everybody
				continue
			}
		}
		value := s.was
		if s.undo != "" && value == s.replay {
			value = s.undo
		}
		err := c.exec(ctx, "PRAGMA "+s.pragma+" = "+value)
		if err == nil {
			value, err = c.setting(ctx, s.setting)
		}
		if err != nil || value != s.was {
			c.discard()
			break
		}
	}
	c.changed = nil
}

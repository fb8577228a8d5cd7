package lockstep

import (
	"context"
	"os"
)

// A setting is a pragma of a connection, with the value that it had.
type setting struct{ pragma, value string }

// migrationsMayChange are settings that migrations may change. They are restored, because
// the connection goes back to the pool.
var migrationsMayChange = map[string]bool{
	"legacy_alter_table":       true,
	"recursive_triggers":       true,
	"ignore_check_constraints": true,
	"writable_schema":          true,
}

// enter gives the connection the settings of an upgrade, until restore.
func (c *conn) enter(ctx context.Context) error {
	// PRAGMA foreign_keys does nothing inside a transaction, and with it on, the
	// documented way to rebuild a table empties its child tables through
	// ON DELETE CASCADE. https://sqlite.org/lang_altertable.html#otheralter
	if err := c.set(ctx, "foreign_keys", "0"); err != nil {
		return err
	}
	// Without a journal on the disk, a ROLLBACK (mode OFF) or a process that is killed
	// (mode MEMORY) leaves half an upgrade in the file.
	// https://sqlite.org/pragma.html#pragma_journal_mode
	var mode string
	if err := c.read(ctx, "PRAGMA main.journal_mode", &mode); err != nil {
		return err
	}
	_, err := os.Stat(c.file)
	switch onDisk := err == nil; {
	case onDisk && (mode == "off" || mode == "memory"):
		return c.set(ctx, "journal_mode", "delete")
	case mode == "off":
		return c.set(ctx, "journal_mode", "memory")
	}
	return nil
}

// set changes a setting until restore.
func (c *conn) set(ctx context.Context, pragma, value string) error {
	if err := c.note(ctx, pragma); err != nil {
		return err
	}
	return c.exec(ctx, "PRAGMA "+pragma+" = "+value)
}

// noteBefore notes the setting that a migration is about to change.
func (c *conn) noteBefore(ctx context.Context, pragma string) error {
	if migrationsMayChange[pragma] {
		return c.note(ctx, pragma)
	}
	return nil
}

// note notes the value of a setting for restore.
func (c *conn) note(ctx context.Context, pragma string) error {
	for _, s := range c.changed {
		if s.pragma == pragma {
			return nil
		}
	}
	s := setting{pragma: pragma}
	if err := c.read(ctx, "PRAGMA "+pragma, &s.value); err != nil {
		return err
	}
	c.changed = append(c.changed, s)
	return nil
}

// restore gives the connection its settings back, even after ctx has ended. No transaction
// may be open. A connection on which a setting does not take is discarded.
func (c *conn) restore(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, s := range c.changed {
		var value string
		if s.pragma == "journal_mode" {
			c.read(ctx, "PRAGMA journal_mode", &value)
			if value == "wal" { // a migration has made it so, for everybody
				continue
			}
		}
		err := c.exec(ctx, "PRAGMA "+s.pragma+" = "+s.value)
		if err == nil {
			err = c.read(ctx, "PRAGMA "+s.pragma, &value)
		}
		if err != nil || value != s.value {
			c.discard()
			return
		}
	}
}

//go:build unix

package script_test

import (
	"errors"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
)

// TestStrays has what somebody made by hand survive an upgrade with scripts, on whose copy
// it would be lost.
func TestStrays(t *testing.T) {
	const rebuild = "CREATE TABLE o (id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES items); INSERT INTO o SELECT id, item FROM orders; DROP TABLE orders; ALTER TABLE o RENAME TO orders"
	s := schema(t, shop, 6)
	for _, c := range []struct {
		claim, file string
		schema      *lockstep.Schema
	}{
		{"WhatAScriptLoses", "0003-cents.py", withScript(s, whole+"db.executescript('"+rebuild+"')\n")},
		{"WhatSQLAfterAScriptLoses", "0004-index.sql", withSQL(s, 3, rebuild+"; CREATE INDEX items_by_cents ON items (cents)")},
	} {
		t.Run(c.claim, func(t *testing.T) {
			path := shopAt(t, 2, "delete")
			execute(t, path, "ALTER TABLE orders ADD COLUMN note TEXT; UPDATE orders SET note = 'mine' WHERE id = 1")
			db := connect(t, path)
			err := lockstep.Migrate(t.Context(), db, c.schema)
			e := (*lockstep.Error)(nil)
			if !errors.Is(err, lockstep.ErrDrift) || !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			want := "data.db: " + c.file + " loses what no migration made: table orders: column note, with values in 1 row; rolled back, still at 0002; to start anyway, allow " + e.Digest
			if got := message(err, path); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if got := one(t, db, "SELECT group_concat(note) FROM orders"); got != "mine" {
				t.Errorf("got notes %s", got)
			}
			if got := beside(t, path); got != "data.db" {
				t.Errorf("beside the database is %s", got)
			}
			if err := lockstep.Migrate(t.Context(), db, c.schema, lockstep.WithAllowed(e.Digest)); err != nil {
				t.Error(err)
			}
		})
	}
}

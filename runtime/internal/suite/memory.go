package suite

import (
	"context"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

func memory(t *test) {
	t.claim("RefusesMemoryThatConnectionsDoNotShare", func(t *test) {
		for _, limit := range []int{0, 2} {
			db := t.openDSN(":memory:")
			db.SetMaxOpenConns(limit)
			t.isRefusal(lockstep.Migrate(t.Context(), db, t.schema(notes)), lockstep.ErrMemory,
				":memory:: each connection of the pool has its own database; call SetMaxOpenConns(1), or share it as the driver documents")
		}
	})
	t.claim("AcceptsMemoryOfOneConnection", func(t *test) {
		db := t.openDSN(":memory:")
		db.SetMaxOpenConns(1)
		s := t.schema(notes)
		for range 2 {
			if err := lockstep.Migrate(t.Context(), db, s); err != nil {
				t.Fatal(err)
			}
		}
		t.same("notes", t.rows(db, "SELECT count(*) FROM notes")[0], "3")
	})
	t.claim("KeepsMemoryOfOneConnectionWhenAnUpgradeFails", func(t *test) {
		// Its connection must not be discarded.
		db := t.openDSN(":memory:")
		db.SetMaxOpenConns(1)
		if err := lockstep.Migrate(t.Context(), db, t.schema(upTo(1, notes))); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := lockstep.Migrate(ctx, db, t.schema(notes), lockstep.WithProgress(func(p lockstep.Progress) {
			if p.Version == 3 {
				cancel()
			}
		}))
		t.says(err, ":memory:: 0003-index-tags.sql:1: interrupted: context canceled; rolled back, still at 0001")
		t.execOn(db, "BEGIN", "ROLLBACK", "INSERT INTO notes (title) VALUES ('kept')")
		t.same("notes", strings.Join(t.rows(db, "SELECT title FROM notes"), " "), "first second kept")
		if err := lockstep.Migrate(t.Context(), db, t.schema(notes)); err != nil {
			t.Error(err)
		}
	})
	t.claim("AcceptsMemoryThatConnectionsShare", func(t *test) {
		db := t.openDSN(t.driver.Shared("shared"))
		s := t.schema(notes)
		for range 2 {
			if err := lockstep.Migrate(t.Context(), db, s); err != nil {
				t.Fatal(err)
			}
		}
		t.settings(db)
		t.same("notes", t.rows(db, "SELECT count(*) FROM notes")[0], "3")
	})
}

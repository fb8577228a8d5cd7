package suite

import lockstep "github.com/lockstep-db/lockstep/runtime"

func memory(t *test) {
	t.claim("RefusesMemoryThatConnectionsDoNotShare", func(t *test) {
		for _, limit := range []int{0, 2} {
			db := t.openDSN(":memory:")
			db.SetMaxOpenConns(limit)
			t.isRefusal(lockstep.Migrate(t.Context(), db, t.schema(notes)), lockstep.ErrMemory,
				":memory:: each connection of the pool has a database of its own; call SetMaxOpenConns(1), or share it as the driver documents")
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

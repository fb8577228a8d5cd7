package suite

import "github.com/lockstep-db/lockstep/runtime"

func perMigration(t *test) {
	t.claim("GivesTheSameDatabase", func(t *test) {
		t.migrate(notes)
		want := t.state()
		one := newTest(t.T, t.driver)
		one.migrate(notes, lockstep.WithPerMigration())
		one.atHead(t.schema(notes))
		t.same("state", one.state(), want)
	})
	t.claim("StopsAfterTheLastGoodOne", func(t *test) {
		t.stocked()
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		err := lockstep.Migrate(t.Context(), db, t.schema(shop), lockstep.WithPerMigration())
		t.says(err, "data.db: 0005-prices.sql:3: CHECK constraint failed: typeof(price) = 'integer': rowid 2 of goods; rolled back, still at 0004")
		t.same("settings", t.settings(db), settings)
		t.atHead(t.schema(upTo(4, shop)))
		if !t.fast(0, t.schema(upTo(4, shop))) {
			// The schema at an earlier version is not recorded, so the next start compares.
			t.same("digest", t.query("SELECT digest FROM _lockstep_history WHERE version = 4"), t.schema(upTo(4, shop)).Digest)
		}
		t.exec("UPDATE goods SET price = 3")
		t.migrate(shop)
		t.atHead(t.schema(shop))
	})
	t.claim("ChecksForeignKeysAfterEach", func(t *test) {
		t.migrate(family)
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		err := lockstep.Migrate(t.Context(), db, t.schema(family+`
-- 0002-fine.sql --
CREATE TABLE more (id);
-- 0003-orphan.sql --
INSERT INTO child VALUES (90, 9);
-- 0004-never.sql --
DELETE FROM child WHERE id = 90;
`), lockstep.WithPerMigration())
		t.isRefusal(err, lockstep.ErrForeignKey, "data.db: the upgrade to 0004 leaves rows without a parent: table child, parent parent: rowid 90; rolled back, still at 0002")
		t.same("settings", t.settings(db), settings)
		t.same("version", t.query("SELECT version FROM _meta"), "2")
	})
}

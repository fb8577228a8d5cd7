package suite

import (
	"errors"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

const wal = `
-- 0001-goods.sql --
CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price TEXT);
-- 0002-stock.sql --
CREATE TABLE stock (good INTEGER REFERENCES goods, n INTEGER);
-- 0003-wal.sql --
-- lockstep: no-transaction
PRAGMA page_size = 8192;
VACUUM;
PRAGMA journal_mode = wal;
-- 0004-fill.sql --
INSERT INTO stock SELECT id, CASE WHEN json(price) > 0 THEN 1 ELSE 0 END FROM goods;
-- 0005-index.sql --
CREATE INDEX stock_by_good ON stock (good);
`

func runsAlone(t *test) {
	t.claim("RunsWhatSQLiteRefusesInATransaction", func(t *test) {
		for _, opts := range [][]lockstep.Option{nil, {lockstep.WithPerMigration()}} {
			t := newTest(t.T, t.driver)
			db := t.pool(Settings{ForeignKeys: true})
			settings := t.settings(db)
			if err := lockstep.Migrate(t.Context(), db, t.schema(wal), opts...); err != nil {
				t.Fatal(err)
			}
			t.same("settings", t.settings(db), settings)
			t.atHead(t.schema(wal))
			t.same("journal_mode", t.query("PRAGMA journal_mode"), "wal")
			t.same("page_size", t.query("PRAGMA page_size"), "8192")
		}
	})
	t.claim("CanBeTheLastMigration", func(t *test) {
		t.migrate(upTo(3, wal))
		t.atHead(t.schema(upTo(3, wal)))
		if !t.fast(0, t.schema(upTo(3, wal))) {
			t.Error("the next start is not fast")
		}
	})
	t.claim("SplitsTheUpgrade", func(t *test) {
		t.migrate(upTo(1, wal))
		t.exec("INSERT INTO goods VALUES (1, 'tea', 'dear')")
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		err := lockstep.Migrate(t.Context(), db, t.schema(wal))
		t.says(err, "data.db: 0004-fill.sql:1: malformed JSON; rolled back, still at 0003")
		t.same("settings", t.settings(db), settings)
		t.atHead(t.schema(upTo(3, wal)))
		t.exec("UPDATE goods SET price = '3'")
		t.migrate(wal)
		t.atHead(t.schema(wal))
	})
}

func waitsAlone(t *test) {
	// Nothing keeps others out while such a migration runs.
	t.claim("WaitsForTheLocksOfOthers", func(t *test) {
		const archive = `
-- 0001-goods.sql --
CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price TEXT);
-- 0002-alone.sql --
-- lockstep: no-transaction
DELETE FROM goods WHERE id > 1;
VACUUM;
`
		t.migrate(upTo(1, archive))
		t.exec("INSERT INTO goods VALUES (1, 'tea', '5'), (2, 'jam', '6')")
		s := t.schema(archive)
		var release func()
		locked := func(then func()) lockstep.Option {
			return lockstep.WithProgress(func(p lockstep.Progress) {
				if p.Statement == 2 && !p.Done {
					release = t.hold("BEGIN IMMEDIATE")
					then()
				}
			})
		}
		db := t.pool(Settings{})
		settings := t.settings(db)
		err := lockstep.Migrate(t.Context(), db, s, lockstep.WithTimeout(50*time.Millisecond), locked(func() {}))
		release()
		t.says(err, "data.db: 0002-alone.sql:3: database is locked; still at 0001, but line 2 took effect")
		var e *lockstep.MigrationError
		if !errors.Is(err, lockstep.ErrBusy) || !errors.As(err, &e) || e.RolledBack {
			t.Errorf("got %#v", err)
		}
		released := make(chan bool)
		err = lockstep.Migrate(t.Context(), db, s, locked(func() {
			time.AfterFunc(50*time.Millisecond, func() {
				release()
				close(released)
			})
		}))
		<-released
		if err != nil {
			t.Fatal(err)
		}
		t.same("settings", t.settings(db), settings)
		t.atHead(s)
		t.same("goods", t.query("SELECT * FROM goods"), "1|tea|5")
	})
}

func runsAloneAgain(t *test) {
	t.claim("RunsAgainAfterAFailure", func(t *test) {
		const archive = `
-- 0001-goods.sql --
CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price TEXT);
-- 0002-alone.sql --
-- lockstep: no-transaction
CREATE TABLE IF NOT EXISTS done (n INTEGER);
BEGIN;
INSERT INTO done VALUES (1);
SELECT json(price) FROM goods;
COMMIT;
VACUUM;
`
		t.migrate(upTo(1, archive))
		t.exec("INSERT INTO goods VALUES (1, 'tea', 'dear')")
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		err := lockstep.Migrate(t.Context(), db, t.schema(archive))
		t.says(err, "data.db: 0002-alone.sql:5: malformed JSON; still at 0001, but line 2 took effect")
		var e *lockstep.MigrationError
		if !errors.As(err, &e) || e.RolledBack || e.Version != 1 || e.Line != 5 {
			t.Errorf("got %+v", e)
		}
		t.same("settings", t.settings(db), settings)
		t.same("version", t.query("SELECT version FROM _meta"), "1")
		t.exec("UPDATE goods SET price = '3'")
		t.migrate(archive)
		t.atHead(t.schema(archive))
		t.same("done", t.query("SELECT n FROM done"), "1")
	})
	t.claim("SaysWhatStays", func(t *test) {
		const archive = `
-- 0001-goods.sql --
CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price TEXT);
-- 0002-alone.sql --
-- lockstep: no-transaction
CREATE TABLE IF NOT EXISTS one (n INTEGER PRIMARY KEY);
BEGIN;
INSERT OR IGNORE INTO one VALUES (1);
END;
SAVEPOINT a; SAVEPOINT b;
INSERT OR IGNORE INTO one VALUES (2);
RELEASE b;
INSERT OR IGNORE INTO one SELECT json(price) FROM goods;
RELEASE a;
INSERT OR IGNORE INTO one SELECT json(name) FROM goods;
`
		t.migrate(upTo(1, archive))
		s := t.schema(archive)
		t.exec("INSERT INTO goods VALUES (1, 'tea', 'dear')")
		t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s),
			"data.db: 0002-alone.sql:9: malformed JSON; still at 0001, but lines 2, 4 took effect")
		t.same("one", t.query("SELECT n FROM one"), "1")
		t.exec("UPDATE goods SET price = '3'")
		err := lockstep.Migrate(t.Context(), t.open(Settings{}), s)
		t.says(err, "data.db: 0002-alone.sql:11: malformed JSON; still at 0001, but lines 2, 4, 7, 9 took effect")
		var e *lockstep.MigrationError
		if !errors.As(err, &e) || len(e.Done) != 4 || e.Done[0] != 2 {
			t.Errorf("got %+v", e)
		}
		t.same("one", t.query("SELECT n FROM one"), "1\n2\n3")
		t.exec("UPDATE goods SET name = '4'")
		t.migrate(archive)
		t.same("one", t.query("SELECT n FROM one"), "1\n2\n3\n4")
	})
}

package suite

import (
	"strings"
	"testing/fstest"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

func keepsSettings(t *test) {
	t.claim("KeepsTheConnectionsSettings", func(t *test) {
		const changes = `
-- 0001-notes.sql --
PRAGMA foreign_keys = ON;
PRAGMA legacy_alter_table = ON;
PRAGMA recursive_triggers = ON;
PRAGMA ignore_check_constraints = ON;
PRAGMA defer_foreign_keys = ON;
CREATE TABLE notes (id INTEGER PRIMARY KEY);
`
		for _, on := range []bool{false, true} {
			t := newTest(t.T, t.driver)
			db := t.pool(Settings{ForeignKeys: on})
			settings := t.settings(db)
			if err := lockstep.Migrate(t.Context(), db, t.schema(changes)); err != nil {
				t.Fatal(err)
			}
			t.same("settings", t.settings(db), settings)
		}
	})
	t.claim("KeepsASettingOfOneConnection", func(t *test) {
		t.migrate(upTo(1, notes))
		db := t.open(Settings{})
		db.SetMaxOpenConns(1)
		t.execOn(db, "PRAGMA foreign_keys = ON", "PRAGMA recursive_triggers = ON")
		if err := lockstep.Migrate(t.Context(), db, t.schema(notes)); err != nil {
			t.Fatal(err)
		}
		t.same("foreign_keys", t.rows(db, "PRAGMA foreign_keys")[0], "1")
		t.same("recursive_triggers", t.rows(db, "PRAGMA recursive_triggers")[0], "1")
	})
}

func runsScripts(t *test) {
	t.claim("RunsStatementsThatReturnRowsToTheirEnd", func(t *test) {
		t.migrate(`
-- 0001-rows.sql --
CREATE TABLE t (n INTEGER);
CREATE TABLE seen (n INTEGER);
CREATE TRIGGER saw AFTER UPDATE ON t BEGIN INSERT INTO seen VALUES (new.n); END;
INSERT INTO t VALUES (1), (2), (3) RETURNING n;
UPDATE t SET n = n + 10 WHERE n > 0 RETURNING n, 'row';
WITH more(n) AS (VALUES (7), (8)) INSERT INTO t SELECT n FROM more;
WITH last AS (SELECT max(n) AS n FROM t) DELETE FROM t WHERE n IN last RETURNING n;
REPLACE INTO t (rowid, n) VALUES (1, 100) RETURNING n;
SELECT n FROM t;
VALUES (1), (2);
EXPLAIN SELECT 1;
PRAGMA table_info(t);
PRAGMA user_version = 42;
`)
		t.same("t", t.query("SELECT n FROM t"), "100\n12\n7\n8")
		t.same("seen", t.query("SELECT n FROM seen"), "11\n12\n13")
		t.same("user_version", t.query("PRAGMA user_version"), "42")
	})
	t.claim("SkipsBeginAndCommit", func(t *test) {
		t.migrate(`
-- 0001-begin.sql --
BEGIN TRANSACTION;
CREATE TABLE t (n INTEGER);
COMMIT;
begin immediate; INSERT INTO t VALUES (1); END TRANSACTION;
`)
		t.same("t", t.query("SELECT n FROM t"), "1")
	})
	t.claim("RunsSavepoints", func(t *test) {
		t.migrate(`
-- 0001-savepoints.sql --
CREATE TABLE t (n INTEGER);
SAVEPOINT a;
INSERT INTO t VALUES (1);
ROLLBACK TO a;
RELEASE a;
INSERT INTO t VALUES (2);
`)
		t.same("t", t.query("SELECT n FROM t"), "2")
	})
}

func checksTheResult(t *test) {
	t.claim("RefusesTablesThatTheMigrationsDoNotMake", func(t *test) {
		t.migrate(upTo(1, notes))
		t.exec("CREATE TABLE tags_old (tag TEXT)", "ALTER TABLE notes ADD COLUMN stray TEXT")
		before := t.state()
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		err := lockstep.Migrate(t.Context(), db, t.schema(upTo(2, notes)))
		e := t.isRefusal(err, lockstep.ErrDrift, "data.db: the upgrade to 0002 produced different tables: table notes: column stray: not expected; rolled back, still at 0001; to start anyway, allow d1:…")
		if e.Version != 1 || e.Expected != 2 || len(e.Differences) != 1 {
			t.Errorf("got versions %v and %v, %d differences; want 0001 and 0002, 1 difference", e.Version, e.Expected, len(e.Differences))
		}
		t.same("state", t.state(), before)
		t.same("settings", t.settings(db), settings)
	})
	t.claim("AcceptsNumbersWithGaps", func(t *test) {
		// A directory of fastmigrate may have them.
		s := t.schema(upTo(3, notes))
		for i := range s.Migrations {
			m := &s.Migrations[i]
			was := m.File
			m.Version *= 10
			m.File = m.Version.String() + strings.TrimPrefix(was, was[:4])
			embedded := s.Files.(fstest.MapFS)
			embedded[m.File] = embedded[was]
			delete(embedded, was)
		}
		s.Expected = 30
		s.Digest = fixture.Digest(s.Migrations)
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
			t.Fatal(err)
		}
		t.atHead(s)
		t.same("history", t.query("SELECT version, file FROM _lockstep_history"), "10|0010-notes.sql\n20|0020-tags.sql\n30|0030-index-tags.sql")
	})
}

package suite

import (
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// family is a parent table with children of every kind, all empty.
const family = `
-- 0001-family.sql --
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent ON DELETE CASCADE);
CREATE TABLE nullable (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent ON DELETE SET NULL);
CREATE TABLE pair (a TEXT, b INTEGER, parent INTEGER REFERENCES parent (id) ON DELETE CASCADE, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE inbox (id INTEGER, parent INTEGER);
`

// born makes the file a family at version 1, with orphans in its inbox.
func (t *test) born(archive string) {
	t.Helper()
	t.migrate(archive)
	t.exec(
		"INSERT INTO parent VALUES (1, 'one'), (2, 'two')",
		"INSERT INTO child VALUES (10, 1), (11, 1), (20, 2)",
		"INSERT INTO nullable VALUES (10, 1), (20, 2), (30, NULL)",
		"INSERT INTO pair VALUES ('x', 1, 1), ('y', 2, 2)",
		"INSERT INTO inbox VALUES (70, 9), (71, NULL), (72, 9)",
	)
}

// recipe is how SQLite's documentation rebuilds a table.
// https://sqlite.org/lang_altertable.html#otheralter
const recipe = `BEGIN TRANSACTION;
CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO new_parent SELECT id, name FROM parent;
DROP TABLE parent;
ALTER TABLE new_parent RENAME TO parent;
PRAGMA foreign_key_check;
COMMIT;
`

// orphans and mismatched damage a family: with rows without parent, and with a table of
// somebody else whose foreign key SQLite cannot check.
var (
	orphans    = []string{"PRAGMA foreign_keys = OFF", "INSERT INTO child VALUES (90, 9), (91, 9)", "INSERT INTO pair VALUES ('w', 9, 9)"}
	mismatched = []string{"PRAGMA foreign_keys = OFF", "CREATE TABLE stray (name TEXT REFERENCES parent (name))", "INSERT INTO stray VALUES ('one')"}
)

// receive is a migration that leaves orphans behind, which received names.
const (
	receive  = "INSERT INTO nullable SELECT id, parent FROM inbox;"
	received = "table nullable, parent parent: rowid 70, rowid 72"
)

// orphaned damages a family and fails the test unless a migration that leaves orphans behind
// is rolled back.
func (t *test) orphaned(script, want string, damage ...string) (e *lockstep.Error) {
	t.Helper()
	t.born(family)
	t.exec(damage...)
	before := t.state()
	for _, on := range []bool{false, true} {
		db := t.pool(Settings{ForeignKeys: on})
		settings := t.settings(db)
		err := lockstep.Migrate(t.Context(), db, t.schema(family+"-- 0002-more.sql --\n"+script))
		e = t.isRefusal(err, lockstep.ErrForeignKey, "data.db: the upgrade to 0002 leaves rows without a parent: "+want+"; rolled back, still at 0001")
		t.same("settings", t.settings(db), settings)
		t.same("state", t.state(), before)
	}
	return e
}

// upgradesDamaged damages a family and fails the test unless a migration succeeds.
func (t *test) upgradesDamaged(script string, damage ...string) {
	t.Helper()
	t.born(family)
	t.exec(damage...)
	db := t.pool(Settings{ForeignKeys: true})
	settings := t.settings(db)
	s := t.schema(family + "-- 0002-more.sql --\n" + script)
	if err := lockstep.Migrate(t.Context(), db, s); err != nil {
		t.Fatalf("got error %s", t.text(err))
	}
	t.same("settings", t.settings(db), settings)
	t.atHead(s)
}

func keepsChildren(t *test) {
	const children = "SELECT 'child', id, parent FROM child UNION ALL SELECT 'nullable', id, parent FROM nullable UNION ALL SELECT 'pair', a || b, parent FROM pair"
	for _, c := range []struct{ name, script string }{
		{"RebuildOfAParentKeepsChildrenWithPragma", "PRAGMA foreign_keys=OFF;\n" + recipe + "PRAGMA foreign_keys=ON;\n"},
		{"RebuildOfAParentKeepsChildrenWithoutPragma", recipe},
	} {
		t.claim(c.name, func(t *test) {
			for _, on := range []bool{false, true} {
				t := newTest(t.T, t.driver)
				t.born(family)
				before := t.query(children)
				db := t.pool(Settings{ForeignKeys: on})
				settings := t.settings(db)
				s := t.schema(family + "-- 0002-rebuild.sql --\n" + c.script)
				if err := lockstep.Migrate(t.Context(), db, s); err != nil {
					t.Fatal(err)
				}
				t.same("settings", t.settings(db), settings)
				t.same("children", t.query(children), before)
				t.same("parent", t.query("SELECT sql FROM sqlite_master WHERE name = 'parent'"), `CREATE TABLE "parent" (id INTEGER PRIMARY KEY, name TEXT NOT NULL)`)
				t.atHead(s)
			}
		})
	}
}

func namesOrphans(t *test) {
	t.claim("NamesOrphansByRowid", func(t *test) {
		e := t.orphaned("INSERT INTO child SELECT id, parent FROM inbox;", "table child, parent parent: rowid 70, rowid 72")
		if e.Version != 1 || e.Expected != 2 || len(e.Violations) != 1 || e.Violations[0].Count != 2 {
			t.Errorf("got %+v", e)
		}
	})
	t.claim("NamesOrphansByPrimaryKeyWithoutRowid", func(t *test) {
		t.orphaned("INSERT INTO pair SELECT 'it''s', id, parent FROM inbox;", "table pair, parent parent: key ('it''s', 70), key ('it''s', 72)")
	})
	t.claim("NamesTheFirstOfManyOrphans", func(t *test) {
		t.orphaned("WITH RECURSIVE n(i) AS (SELECT id + 30 FROM inbox WHERE id = 70 UNION ALL SELECT i + 1 FROM n WHERE i < 199) INSERT INTO child SELECT i, i FROM n;",
			"table child, parent parent: rowid 100, rowid 101, rowid 102, rowid 103, rowid 104 and 95 more")
	})
	t.claim("NamesOrphansOfEveryTable", func(t *test) {
		t.orphaned("-- lockstep: no-cascade\nDELETE FROM parent WHERE id = 2;",
			"table pair, parent parent: key ('y', 2); table child, parent parent: rowid 20; table nullable, parent parent: rowid 20")
	})
}

func acceptsOldOrphans(t *test) {
	t.claim("UpgradesDatabaseWithOldOrphans", func(t *test) {
		t.upgradesDamaged("CREATE TABLE more (id);", orphans...)
	})
	t.claim("UpgradesDatabaseWithOldOrphansInARenamedTable", func(t *test) {
		t.upgradesDamaged("ALTER TABLE child RENAME TO kid;", orphans...)
	})
	t.claim("UpgradesDatabaseWithOldOrphansOfARenamedParent", func(t *test) {
		t.upgradesDamaged("ALTER TABLE parent RENAME TO guardian;", orphans...)
	})
	t.claim("UpgradesDatabaseWithOldOrphansInARebuiltTable", func(t *test) {
		t.upgradesDamaged(recipe, orphans...)
	})
	t.claim("RemovesOldOrphans", func(t *test) {
		t.upgradesDamaged("DELETE FROM child WHERE parent NOT IN (SELECT id FROM parent);", orphans...)
	})
	t.claim("UpgradesDatabaseWithAnOldMismatch", func(t *test) {
		t.upgradesDamaged("CREATE TABLE more (id);", append(mismatched, orphans...)...)
	})
	t.claim("UpgradesDatabaseWithAnOldMismatchOfARebuiltTable", func(t *test) {
		t.upgradesDamaged(recipe, append(mismatched, orphans...)...)
	})
	t.claim("UpgradesDatabaseWithAnOldMismatchOfARenamedTable", func(t *test) {
		t.upgradesDamaged("ALTER TABLE parent RENAME TO guardian;", append(mismatched, orphans...)...)
	})
	t.claim("IgnoresTheCaseOfNames", func(t *test) {
		t.upgradesDamaged("CREATE TABLE new_child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES Parent ON DELETE CASCADE);\n"+
			"INSERT INTO new_child SELECT * FROM child;\nDROP TABLE child;\nALTER TABLE new_child RENAME TO Child;", orphans...)
	})
}

func refusesNewOrphans(t *test) {
	t.claim("OldOrphansDoNotExcuseNewOnes", func(t *test) {
		t.orphaned(receive, received, orphans...)
	})
	t.claim("SaysHowManyOrphansThereWere", func(t *test) {
		t.orphaned("INSERT INTO child SELECT id, parent FROM inbox;", "table child, parent parent: 2 more than the 2 before: rowid 70, rowid 72, rowid 90, rowid 91", orphans...)
	})
	t.claim("OrphansOfALostParentDoNotExcuseOthers", func(t *test) {
		t.orphaned("CREATE TABLE fresh (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent);\nINSERT INTO fresh SELECT id, parent FROM inbox;",
			"table fresh, parent parent: rowid 70, rowid 72",
			"PRAGMA foreign_keys = OFF", "CREATE TABLE lost (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES gone)", "INSERT INTO lost VALUES (1, 1), (2, 2), (3, 3)")
	})
	t.claim("OldMismatchDoesNotHideOrphans", func(t *test) {
		t.orphaned(receive, received, mismatched...)
	})
	t.claim("NamesOrphansOfALostParent", func(t *test) {
		t.orphaned("DROP TABLE child;\nDROP TABLE nullable;\nDROP TABLE pair;\nDROP TABLE parent;", "table extra, parent parent: rowid 1",
			"CREATE TABLE extra (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent)", "INSERT INTO extra VALUES (1, 1), (2, NULL)")
	})
	t.claim("NamesAForeignKeyThatCanNoLongerBeChecked", func(t *test) {
		t.orphaned(strings.Replace(recipe, "PRAGMA foreign_key_check;\n", "", 1), "table stray references parent: foreign key mismatch",
			"CREATE UNIQUE INDEX parent_by_name ON parent (name)", "CREATE TABLE stray (name TEXT REFERENCES parent (name))", "INSERT INTO stray VALUES ('one')")
	})
}

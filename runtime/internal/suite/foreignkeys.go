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
			"table child, parent parent: rowid 100, rowid 101, rowid 102 and 97 more")
	})
	t.claim("NamesOrphansOfEveryTable", func(t *test) {
		t.orphaned("-- lockstep: no-cascade\nDELETE FROM parent WHERE id = 2;",
			"table child, parent parent: rowid 20; table nullable, parent parent: rowid 20; table pair, parent parent: key ('y', 2)")
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
		t.orphaned("INSERT INTO child SELECT id, parent FROM inbox;", "table child, parent parent: rowid 70, rowid 72, besides 2 rows from before", orphans...)
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

func comparesOrphans(t *test) {
	// The number of orphans says nothing.
	const one = "INSERT INTO child VALUES (90, 9)"
	off := "PRAGMA foreign_keys = OFF"
	const answered = " -- lockstep: no-cascade\n"
	t.claim("AnOrphanThatIsRemovedDoesNotExcuseAnother", func(t *test) {
		t.orphaned("DELETE FROM child WHERE parent NOT IN (SELECT id FROM parent);\nDELETE FROM parent WHERE name = 'tmp';"+answered,
			"table child, parent parent: rowid 30", off, one, "INSERT INTO parent VALUES (3, 'tmp')", "INSERT INTO child VALUES (30, 3)")
	})
	t.claim("AnOrphanThatIsRemovedDoesNotExcuseOneWithItsParent", func(t *test) {
		t.orphaned("DELETE FROM child WHERE id = 90;\nINSERT INTO child SELECT id, parent FROM inbox WHERE id = 70;", "table child, parent parent: rowid 70", off, one)
	})
	t.claim("AnOrphanThatIsRemovedDoesNotExcuseOneOfAnotherTable", func(t *test) {
		t.orphaned("DELETE FROM child WHERE id = 90;\nINSERT INTO nullable SELECT id, parent FROM inbox WHERE id = 70;\nALTER TABLE nullable ADD COLUMN more;", "table nullable, parent parent: rowid 70", off, one)
	})
	t.claim("AnOrphanThatLosesAnotherParentIsNew", func(t *test) {
		t.orphaned("UPDATE child SET parent = 8 WHERE parent = 9;", "table child, parent parent: rowid 90", off, one)
	})
	t.claim("OrphansNameWhatTheMigrationAssumes", func(t *test) {
		t.orphaned("SELECT 1; -- lockstep: assumes nothing\n"+receive+" -- lockstep: assumes all in the inbox have parents",
			received+", though the migration assumes all in the inbox have parents")
	})
	t.claim("AnOrphanOfAnotherColumnIsNew", func(t *test) {
		two := family + "CREATE TABLE two (id INTEGER PRIMARY KEY, a REFERENCES parent, b REFERENCES parent);\n"
		t.born(two)
		t.exec(off, "INSERT INTO two VALUES (5, 9, 1)")
		s := t.schema(two + "-- 0002-swap.sql --\nUPDATE two SET a = b, b = a;\n")
		t.isRefusal(lockstep.Migrate(t.Context(), t.open(Settings{}), s), lockstep.ErrForeignKey,
			"data.db: the upgrade to 0002 leaves rows without a parent: table two, parent parent: rowid 5; rolled back, still at 0001")
	})
	t.claim("ARebuiltTableWithAnotherOrphanIsRefused", func(t *test) {
		t.orphaned("CREATE TABLE new_child (id INTEGER PRIMARY KEY, parent TEXT REFERENCES parent);\nINSERT INTO new_child SELECT id + 500, parent + (parent = 9) FROM child;\n"+
			"DROP TABLE child;\nALTER TABLE new_child RENAME TO child;", "table child, parent parent: rowid 590", off, one)
	})
	t.claim("AnOrphanInAKeyWithoutRowidIsNew", func(t *test) {
		t.orphaned("DELETE FROM pair WHERE a = 'w';\nINSERT INTO pair SELECT 'v', id, parent FROM inbox WHERE id = 70;", "table pair, parent parent: key ('v', 70)", off, "INSERT INTO pair VALUES ('w', 9, 9)")
	})
	t.claim("AMismatchDoesNotHideOrphansOfItsTable", func(t *test) {
		t.orphaned("DELETE FROM parent WHERE id = 2;"+answered+"DELETE FROM child WHERE parent = 2;\nDELETE FROM nullable WHERE parent = 2;\nDELETE FROM pair WHERE parent = 2;",
			"table stray, parent parent: rowid 1", off, "CREATE TABLE stray (name TEXT REFERENCES parent (name), parent REFERENCES parent)", "INSERT INTO stray VALUES ('one', 2)")
	})
	t.claim("ARebuiltTableKeepsItsOrphansByValue", func(t *test) {
		t.upgradesDamaged("CREATE TABLE new_child (id INTEGER PRIMARY KEY, guardian TEXT REFERENCES parent);\nINSERT INTO new_child SELECT id + 500, parent FROM child;\n"+
			"DROP TABLE child;\nALTER TABLE new_child RENAME TO kid;", orphans...)
	})
	t.claim("ARenamedColumnKeepsItsOrphans", func(t *test) {
		t.upgradesDamaged("ALTER TABLE child RENAME COLUMN parent TO guardian;", orphans...)
	})
	t.claim("AMigrationWithoutATransactionIsComparedWithWhatWasBeforeIt", func(t *test) {
		for _, damage := range [][]string{{}, orphans} {
			t := newTest(t.T, t.driver)
			t.born(family)
			t.exec(damage...)
			s := t.schema(family + "-- 0002-alone.sql --\n-- lockstep: no-transaction\nDELETE FROM pair;\nDELETE FROM nullable;\nDELETE FROM parent WHERE id = 2;" + answered)
			besides := ""
			if len(damage) > 0 {
				besides = ", besides 2 rows from before"
			}
			t.isRefusal(lockstep.Migrate(t.Context(), t.open(Settings{}), s), lockstep.ErrForeignKey,
				"data.db: the upgrade to 0002 leaves rows without a parent: table child, parent parent: rowid 20"+besides+"; still at 0001, but 0002-alone.sql has no transaction and took effect")
		}
	})
	t.claim("ASegmentIsComparedWithWhatWasBeforeIt", func(t *test) {
		t.born(family)
		t.exec(off, one)
		s := t.schema(family + "-- 0002-more.sql --\nCREATE TABLE more (id);\n-- 0003-replace.sql --\nDELETE FROM child WHERE id = 90;\nINSERT INTO nullable SELECT id, parent FROM inbox WHERE id = 70;\n")
		t.isRefusal(lockstep.Migrate(t.Context(), t.open(Settings{}), s, lockstep.WithPerMigration()), lockstep.ErrForeignKey,
			"data.db: the upgrade to 0003 leaves rows without a parent: table nullable, parent parent: rowid 70; rolled back, still at 0002")
	})
}

package suite

import (
	"database/sql"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// sensitive is a migration that does something else under most settings.
const sensitive = `
-- 0001-notes.sql --
CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT UNIQUE, size INTEGER CHECK (size > 0));
CREATE TABLE log (entry TEXT);
CREATE TABLE copied (id INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE was (pragma TEXT, value);
CREATE TRIGGER lose AFTER DELETE ON notes BEGIN INSERT INTO log VALUES ('lost ' || old.title); END;
-- 0002-sensitive.sql --
INSERT INTO was SELECT 'synchronous', * FROM pragma_synchronous;
INSERT INTO was SELECT 'defer_foreign_keys', * FROM pragma_defer_foreign_keys;
INSERT INTO was SELECT 'automatic_index', * FROM pragma_automatic_index;
INSERT INTO was SELECT 'writable_schema', * FROM pragma_writable_schema;
INSERT INTO copied (title) SELECT title FROM notes;
REPLACE INTO notes (title, size) VALUES ('kept', 9);
INSERT OR IGNORE INTO notes (title, size) VALUES ('negative', -1);
DELETE FROM notes WHERE title NOT LIKE 'draft:%' AND title <> 'kept';
CREATE TABLE moved (id INTEGER PRIMARY KEY);
CREATE TRIGGER follow AFTER INSERT ON moved BEGIN INSERT INTO log VALUES (new.id); END;
ALTER TABLE moved RENAME TO stays;
`

// settingsOf returns the settings of the one connection of a pool. (Any COMMIT or ROLLBACK
// clears defer_foreign_keys.)
func (t *test) settingsOf(db *sql.DB) string {
	t.Helper()
	var b strings.Builder
	for _, pragma := range []string{
		"synchronous", "foreign_keys", "recursive_triggers", "legacy_alter_table", "ignore_check_constraints",
		"writable_schema", "read_uncommitted", "reverse_unordered_selects", "automatic_index", "analysis_limit", "count_changes",
		"full_column_names", "short_column_names", "trusted_schema", "query_only", "cell_size_check", "secure_delete", "temp_store",
	} {
		b.WriteString(pragma + "=" + strings.Join(t.rows(db, "PRAGMA "+pragma), "") + " ")
	}
	return b.String() + strings.Join(t.rows(db, "SELECT 'a' LIKE 'A', (SELECT count(*) FROM mark)"), "")
}

// changes are settings that are not the replay's.
var changes = []string{
	"synchronous = 0", "synchronous = 1", "synchronous = 3", "defer_foreign_keys = 1", "case_sensitive_like = 1", "recursive_triggers = 1",
	"legacy_alter_table = 1", "ignore_check_constraints = 1", "writable_schema = 1", "read_uncommitted = 1",
	"reverse_unordered_selects = 1", "automatic_index = 0", "analysis_limit = 7", "count_changes = 1",
	"full_column_names = 1", "short_column_names = 0", "trusted_schema = 0", "trusted_schema = 1",
}

// under runs the sensitive migration of an archive on a connection with a setting.
func (t *test) under(change, archive string) (err error) {
	t.Helper()
	t.migrate(upTo(1, sensitive))
	t.exec("INSERT INTO notes (title, size) VALUES ('draft: a', 1), ('Draft: b', 1), ('kept', 2), ('gone', 3)")
	db := t.open(Settings{ForeignKeys: true})
	db.SetMaxOpenConns(1)
	t.execOn(db, "CREATE TEMP TABLE mark (a)", "INSERT INTO mark VALUES (1)")
	if change != "" {
		t.execOn(db, "PRAGMA "+change)
	}
	before := t.settingsOf(db)
	err = lockstep.Migrate(t.Context(), db, t.schema(archive))
	t.same("settings after "+change, t.settingsOf(db), before)
	return err
}

func restoresSettings(t *test) {
	const result = "SELECT * FROM was UNION ALL SELECT id, title FROM notes UNION ALL SELECT id, title FROM copied UNION ALL SELECT 'log', entry FROM log UNION ALL SELECT name, sql FROM sqlite_schema"
	t.claim("OfTheConnectionDoNotChangeWhatAMigrationDoes", func(t *test) {
		normal := newTest(t.T, t.driver)
		if err := normal.under("", sensitive); err != nil {
			t.Fatal(err)
		}
		want := normal.query(result)
		for _, change := range changes {
			t := newTest(t.T, t.driver)
			if err := t.under(change, sensitive); err != nil {
				t.Errorf("PRAGMA %s: got error %v", change, err)
				continue
			}
			want, got := want, t.query(result)
			if change == "synchronous = 3" {
				want = strings.Replace(want, "synchronous|2", "synchronous|3", 1)
			}
			t.same("PRAGMA "+change, got, want)
		}
	})
	t.claim("OfTheConnectionComeBackAfterAFailure", func(t *test) {
		for _, change := range changes {
			t := newTest(t.T, t.driver)
			if err := t.under(change, sensitive+"INSERT INTO notes (title) SELECT 'twice' FROM notes;\n"); err == nil {
				t.Errorf("PRAGMA %s: got no error", change)
			}
		}
	})
	t.claim("ThatCannotBeSwitchedAreAFailure", func(t *test) {
		t.migrate(upTo(1, notes))
		before := t.state()
		db, tr := t.trace(Settings{})
		db.SetMaxOpenConns(1)
		t.execOn(db, "PRAGMA foreign_keys = 1")
		tr.ignore = "PRAGMA foreign_keys = 0"
		err := lockstep.Migrate(t.Context(), db, t.schema(notes))
		t.says(err, "data.db: PRAGMA foreign_keys has no effect; switch them off in the data source name; rolled back, still at 0001")
		t.same("state", t.state(), before)
	})
}

func writesSafely(t *test) {
	t.claim("ProtectWhateverIsWritten", func(t *test) {
		for _, c := range []struct {
			call   string
			damage []string
		}{
			{"Migrate", []string{"VACUUM"}}, // it notes the new schema cookie
			{"Enroll", []string{"DROP TABLE _meta", "DROP TABLE _lockstep_history"}},
		} {
			t := newTest(t.T, t.driver)
			t.migrate(notes)
			s := t.schema(notes)
			t.exec(c.damage...)
			db, tr := t.trace(Settings{})
			db.SetMaxOpenConns(1)
			t.execOn(db, "PRAGMA synchronous = 1", "PRAGMA journal_mode = memory")
			tr.take()
			call := lockstep.Migrate
			if c.call == "Enroll" {
				call = lockstep.Enroll
			}
			if err := call(t.Context(), db, s); err != nil {
				t.Fatal(err)
			}
			got, want := tr.take(), []string{"PRAGMA journal_mode = delete", "PRAGMA synchronous = 2", "COMMIT", "PRAGMA journal_mode = memory", "PRAGMA synchronous = 1"}
			for _, q := range want {
				_, rest, found := strings.Cut("\n"+got, "\n"+q)
				if !found {
					t.Errorf("%s did not run %s in order, but\n%s", c.call, q, got)
				}
				got = rest
			}
		}
	})
	const numbers = "-- 0001-numbers.sql --\nCREATE TABLE numbers (n INTEGER CHECK (n > 0));\nCREATE TABLE more (n);\n-- 0002-more.sql --\n"
	for _, c := range []struct{ name, script, fault string }{
		{"IgnoresChecks", "PRAGMA ignore_check_constraints = ON;\nINSERT INTO numbers SELECT n FROM more;\nPRAGMA ignore_check_constraints = OFF;\n", "CHECK constraint failed in numbers"},
		{"WritesTheSchema", "PRAGMA writable_schema = ON;\nUPDATE sqlite_schema SET sql = 'CREATE TABLE more (n NOT NULL)' WHERE name = 'more';\nPRAGMA writable_schema = OFF;\nINSERT INTO more VALUES (NULL);\n", "NULL value in more.n"},
	} {
		t.claim("AMigrationThat"+c.name+"IsCheckedForWhatItLeaves", func(t *test) {
			t.migrate(upTo(1, numbers))
			s := t.schema(numbers + c.script)
			t.exec("INSERT INTO more VALUES (-1)")
			before := t.state()
			err := lockstep.Migrate(t.Context(), t.open(Settings{}), s)
			t.same("error", t.text(err), "data.db: the migrations leave a database that fails its check: "+c.fault+"; rolled back, still at 0001")
			t.same("state", t.state(), before)
		})
	}
	t.claim("AFaultThatWasThereBeforeIsNoObstacle", func(t *test) {
		t.migrate(upTo(1, numbers))
		t.exec("PRAGMA ignore_check_constraints = ON", "INSERT INTO numbers VALUES (-1)")
		t.migrate(numbers + "PRAGMA ignore_check_constraints = ON;\nUPDATE numbers SET n = n;\n")
	})
	t.claim("OfAFailedAttemptDoNotReachTheNext", func(t *test) {
		// Rows without parent have everything run a second time.
		t.born(family)
		t.exec("PRAGMA foreign_keys = OFF", "INSERT INTO child VALUES (90, 9)")
		t.exec("CREATE TRIGGER lose AFTER DELETE ON parent BEGIN INSERT INTO inbox VALUES (1000, old.id); END")
		s := t.schema(family + "-- 0002-more.sql --\nREPLACE INTO parent VALUES (1, 'uno'); -- lockstep: no-cascade\nPRAGMA recursive_triggers = ON;\n")
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
			t.Fatal(err)
		}
		t.same("inbox", t.query("SELECT count(*) FROM inbox WHERE id = 1000"), "0")
	})
}

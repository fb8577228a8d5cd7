package suite

import (
	"context"
	"fmt"

	"github.com/lockstep-db/lockstep/runtime"
)

// goRefusals is about statements that no migration may execute.
func goRefusals(t *test) {
	const control = ": the upgrade is one transaction; return nil to keep the migration's changes, an error to roll back"
	const one = ": a migration changes one database; copy between files in the program"
	const connection = " changes the connection, not the database; set it where the program opens the database"
	for _, c := range []struct{ name, query, want string }{
		{"Begin", "BEGIN IMMEDIATE", "BEGIN" + control},
		{"Commit", "COMMIT", "COMMIT" + control},
		{"End", "end transaction", "END" + control},
		{"Rollback", "ROLLBACK", "ROLLBACK" + control},
		{"RollbackTo", "ROLLBACK TO x", "ROLLBACK" + control},
		{"Savepoint", "SAVEPOINT x", "SAVEPOINT" + control},
		{"Release", "RELEASE x", "RELEASE" + control},
		{"CommitBehindSemicolonsAndComments", ";; -- now\n/* ; */ ; \ufeff\tCoMMit;", "COMMIT" + control},
		{"CommitBehindAnotherStatement", "UPDATE notes SET slug = 'x'; COMMIT; BEGIN", "COMMIT" + control},
		{"CommitBehindATrigger", "CREATE TRIGGER t AFTER UPDATE ON notes BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; COMMIT; BEGIN IMMEDIATE", "COMMIT" + control},
		{"CommitBehindATemporaryTrigger", "CREATE /* */ TEMP TRIGGER t AFTER UPDATE ON notes BEGIN SELECT 1; SELECT 2; END;COMMIT", "COMMIT" + control},
		{"CommitBehindAnExplainedTrigger", "EXPLAIN QUERY PLAN CREATE TRIGGER t AFTER UPDATE ON notes BEGIN SELECT 1; END; COMMIT", "COMMIT" + control},
		{"Attach", "ATTACH ':memory:' AS other", "ATTACH" + one},
		{"Detach", "DETACH other", "DETACH" + one},
		{"Vacuum", "VACUUM", `VACUUM: cannot run inside a transaction; put it in an SQL migration of its own whose first line is "-- lockstep: no-transaction"`},
		{"ForeignKeys", "PRAGMA foreign_keys = ON", "PRAGMA foreign_keys does nothing inside a transaction; foreign keys are off during an upgrade, and checked at its end"},
		{"ForeignKeysInParentheses", "pragma main.\"Foreign_Keys\"(1)", "PRAGMA foreign_keys does nothing inside a transaction; foreign keys are off during an upgrade, and checked at its end"},
		{"SettingsOfTheConnection", "PRAGMA query_only = 1", "PRAGMA query_only" + connection},
		{"ExplainedSettings", "EXPLAIN PRAGMA query_only = 1", "PRAGMA query_only" + connection},
		{"AJournalMode", "PRAGMA journal_mode = delete", "PRAGMA journal_mode" + connection}, // which ends a node of dqlite
		{"AnExplainedPageSize", "EXPLAIN PRAGMA page_size = 8192", "PRAGMA page_size" + connection},
	} {
		t.claim("Refuses"+c.name, func(t *test) { t.refusesStatement(c.query, c.want) })
	}
}

// refusesStatement fails the test unless a function is refused the statement, however it
// executes it, and fails even if it returns nil.
func (t *test) refusesStatement(query, refusal string) {
	t.Helper()
	t.migrate(upTo(1, slugs))
	want := "data.db: 0003-slugs.go: " + refusal + "; rolled back, still at 0001"
	s := t.slugsBy(executes(query))
	t.fails(s, want)
	db := t.open(Settings{})
	defer db.Close()
	for name, run := range map[string]goFunc{
		"Exec":              executes(query),
		"ExecWithArguments": executes(query, 1),
		"Query":             queries(query),
		"QueryRow": func(ctx context.Context, tx lockstep.Tx) error {
			return tx.QueryRowContext(ctx, query).Scan(new(any))
		},
		"Prepare": prepares(query),
	} {
		s.Migrations[2].Program = lockstep.Go(func(ctx context.Context, tx lockstep.Tx) error {
			t.same(name, fmt.Sprint(run(ctx, tx)), refusal)
			return nil
		})
		t.says(lockstep.Migrate(t.Context(), db, s), want)
	}
	s.Migrations[2].Program = lockstep.Go(fillSlugs)
	t.upgradeBy(s)
}

func goSettings(t *test) {
	t.claim("AcceptsWhatLooksLikeTransactionControl", func(t *test) {
		t.runs(func(ctx context.Context, tx lockstep.Tx) error {
			for _, q := range []string{
				"CREATE TEMP TRIGGER t AFTER UPDATE ON notes BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; DROP TRIGGER t",
				"EXPLAIN COMMIT",
				"SELECT 'x; COMMIT;' -- COMMIT\n; /* ; COMMIT; */",
				`CREATE TABLE "commit" ("begin;" TEXT); DROP TABLE "commit"`,
				"PRAGMA foreign_keys; PRAGMA query_only; PRAGMA table_info(notes)",
				"PRAGMA user_version = 7",
			} {
				if err := executes(q)(ctx, tx); err != nil {
					return fmt.Errorf("%s: %w", q, err)
				}
			}
			return nil
		})
		t.same("user_version", t.query("PRAGMA user_version"), "7")
	})
	t.claim("SettingsThatItMayChangeArePutBack", func(t *test) {
		t.runs(func(ctx context.Context, tx lockstep.Tx) error { // compares the settings
			for _, q := range []string{"PRAGMA recursive_triggers = 1", "EXPLAIN PRAGMA legacy_alter_table = 1", "PRAGMA ignore_check_constraints(on)", "PRAGMA defer_foreign_keys = 1"} {
				if err := executes(q)(ctx, tx); err != nil {
					return err
				}
			}
			var on bool
			if err := tx.QueryRowContext(ctx, "PRAGMA recursive_triggers").Scan(&on); err != nil || !on {
				t.Errorf("got %v, %v", on, err)
			}
			return nil
		})
	})
}

func goOwnTables(t *test) {
	for _, c := range []struct{ name, q string }{
		{"Version", "UPDATE _meta SET version = 9"},
		{"LackOfAVersion", "DELETE FROM main._meta"},
		{"LackOfItsTable", "DROP TABLE '_meta'"},
		{"TemporaryTableBeforeIt", "CREATE TEMP TABLE _Meta (id, version)"},
		{"TriggerOnIt", "CREATE TRIGGER t AFTER UPDATE ON _meta BEGIN UPDATE _meta SET version = 1; END"},
		{"History", "UPDATE _lockstep_history SET checksum = NULL"},
		{"HistoryByATrigger", "CREATE TRIGGER t AFTER UPDATE ON notes BEGIN DELETE FROM _lockstep_history; END; UPDATE notes SET slug = 1; DROP TRIGGER t"},
		{"ColumnOfTheHistory", "ALTER TABLE _lockstep_history ADD COLUMN x"},
	} {
		t.claim("LeavesTheRecordAlone"+c.name, func(t *test) {
			t.undone("changed _meta or _lockstep_history, which belong to lockstep", executes(c.q))
		})
	}
	t.claim("LeavesTheRecordAloneOfANewDatabase", func(t *test) {
		s := t.goSchema("-- 0001-one.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{1: executes("CREATE TABLE _meta (id INTEGER PRIMARY KEY, version INTEGER); INSERT INTO _meta VALUES (1, 7)")})
		t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s), "data.db: 0001-one.go: changed _meta or _lockstep_history, which belong to lockstep; rolled back, still at 0000")
		t.same("tables", t.query("SELECT name FROM sqlite_master"), "")
	})
}

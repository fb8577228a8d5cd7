package suite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing/fstest"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

type goFunc = func(ctx context.Context, tx lockstep.Tx) error

// goSchema generates the schema of a program of which some migrations are written
// in Go. The archive has SQL in their place that makes the same tables.
func (t *test) goSchema(archive string, funcs map[lockstep.Version]goFunc) *lockstep.Schema {
	t.Helper()
	texts := make(map[string]string)
	for name, text := range files(archive) {
		texts[strings.TrimSuffix(name, ".go")+map[bool]string{true: ".sql"}[strings.HasSuffix(name, ".go")]] = text
	}
	s := t.schemaOf(texts)
	embedded := s.Files.(fstest.MapFS)
	for i := range s.Migrations {
		m := &s.Migrations[i]
		f, ok := funcs[m.Version]
		if !ok {
			continue
		}
		delete(embedded, m.File)
		m.File = strings.TrimSuffix(m.File, ".sql") + ".go"
		m.Program = lockstep.Go(f)
		setText(s, i, fmt.Sprintf("package migrations\n\nfunc migrate%v(ctx context.Context, tx lockstep.Tx) error {}\n", m.Version))
	}
	return s
}

// setText gives a migration that is a program another text.
func setText(s *lockstep.Schema, i int, text string) {
	m := &s.Migrations[i]
	m.Ends = nil
	m.Checksum = m.Program.Checksum([]byte(text))
	s.Files.(fstest.MapFS)[m.File] = &fstest.MapFile{Data: []byte(text)}
	s.Digest = lockstep.Digest(s.Migrations)
}

// slugs has a migration written in Go between two in SQL.
const slugs = `
-- 0001-notes.sql --
CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, slug TEXT);
INSERT INTO notes (title) VALUES ('One'), ('Two'), ('Three');
-- 0002-trim.sql --
UPDATE notes SET title = title || '!';
-- 0003-slugs.go --
SELECT 1;
-- 0004-index.sql --
CREATE TABLE slugs AS SELECT slug FROM notes;
`

// fillSlugs is migration 0003.
func fillSlugs(ctx context.Context, tx lockstep.Tx) error {
	rows, err := tx.QueryContext(ctx, "SELECT id, title FROM notes ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var title string
		if err := rows.Scan(&id, &title); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE notes SET slug = ? WHERE id = ?", strings.ToLower(title), id); err != nil {
			return err
		}
	}
	return rows.Err()
}

func goMigration(t *test) {
	// slugsBy is the schema of slugs with this function.
	slugsBy := func(t *test, f goFunc) *lockstep.Schema {
		t.Helper()
		return t.goSchema(slugs, map[lockstep.Version]goFunc{3: f})
	}
	upgrade := func(t *test, s *lockstep.Schema, opts ...lockstep.Option) {
		t.Helper()
		db := t.pool(Settings{ForeignKeys: true})
		defer db.Close()
		was := t.settings(db)
		if err := lockstep.Migrate(t.Context(), db, s, opts...); err != nil {
			t.Fatal(err)
		}
		t.same("settings", t.settings(db), was)
		t.atHead(s)
	}
	// undone upgrades a file at version 1 by a function, which is expected to fail
	// with this text, and then by fillSlugs, which succeeds.
	undone := func(t *test, want string, f goFunc) {
		t.Helper()
		t.migrate(upTo(1, slugs))
		t.fails(slugsBy(t, f), "data.db: 0003-slugs.go: "+want+"; rolled back, still at 0001")
		upgrade(t, slugsBy(t, fillSlugs))
		t.same("slugs", t.query("SELECT * FROM slugs"), "one!\ntwo!\nthree!")
	}

	t.claim("RunsBetweenTheSQLAroundItInOneTransaction", func(t *test) {
		t.migrate(upTo(1, slugs))
		calls := 0
		s := slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
			calls++
			err := fillSlugs(ctx, tx)
			t.same("titles that others see", t.query("SELECT title FROM notes"), "One\nThree\nTwo")
			t.same("version that others see", t.query("SELECT version FROM _meta"), "1")
			return err
		})
		upgrade(t, s)
		t.same("slugs", t.query("SELECT * FROM slugs"), "one!\ntwo!\nthree!")
		upgrade(t, s)
		if calls != 1 {
			t.Errorf("called %d times", calls)
		}
	})
	t.claim("IsUndoneWithTheSQLThatFailsBehindIt", func(t *test) {
		t.migrate(upTo(1, slugs))
		s := t.goSchema(with(slugs, "0004-index.sql", "CREATE TABLE slugs AS SELECT slug FROM notes;\nCREATE UNIQUE INDEX one ON notes (slug LIKE '%');"), map[lockstep.Version]goFunc{3: fillSlugs})
		t.fails(s, "data.db: 0004-index.sql:2: UNIQUE constraint failed: index 'one'; rolled back, still at 0001")
		upgrade(t, slugsBy(t, fillSlugs))
	})
	make1 := func(ctx context.Context, tx lockstep.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE one (n INTEGER PRIMARY KEY); INSERT INTO one VALUES (1), (2)")
		return err
	}
	drop := func(ctx context.Context, tx lockstep.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM one WHERE n = 1")
		return err
	}
	for _, c := range []struct{ name, archive string }{
		{"MayBeTheOnlyOne", "-- 0001-one.go --\nCREATE TABLE one (n INTEGER PRIMARY KEY);\n"},
		{"MayBeTheOldest", "-- 0001-one.go --\nCREATE TABLE one (n INTEGER PRIMARY KEY);\n-- 0002-two.sql --\nINSERT INTO one VALUES (3);\n"},
		{"MayBeTheNewest", "-- 0001-one.sql --\nCREATE TABLE one (n INTEGER PRIMARY KEY);\nINSERT INTO one VALUES (1), (2);\n-- 0002-two.go --\nSELECT 1;\n"},
		{"MayStandBehindAnother", "-- 0001-one.go --\nCREATE TABLE one (n INTEGER PRIMARY KEY);\n-- 0002-two.go --\nSELECT 1;\n"},
	} {
		t.claim(c.name, func(t *test) {
			funcs := make(map[lockstep.Version]goFunc)
			if strings.Contains(c.archive, "0001-one.go") {
				funcs[1] = make1
			}
			if strings.Contains(c.archive, "0002-two.go") {
				funcs[2] = drop
			}
			s := t.goSchema(c.archive, funcs)
			upgrade(t, s)
			want := map[string]string{"MayBeTheOnlyOne": "1\n2", "MayBeTheOldest": "1\n2\n3", "MayBeTheNewest": "2", "MayStandBehindAnother": "2"}[c.name]
			t.same("rows", t.query("SELECT n FROM one ORDER BY n"), want)
			if !t.fast(0, s) {
				t.Error("the next start is not the fast one")
			}
		})
	}
	t.claim("RunsInATransactionOfItsOwnWithPerMigration", func(t *test) {
		t.migrate(upTo(1, slugs))
		s := slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
			t.same("version that others see", t.query("SELECT version FROM _meta"), "2")
			return fillSlugs(ctx, tx)
		})
		upgrade(t, s, lockstep.WithPerMigration())
		t.same("slugs", t.query("SELECT * FROM slugs"), "one!\ntwo!\nthree!")
	})
	t.claim("KeepsWhatWasBeforeItWithPerMigration", func(t *test) {
		t.migrate(upTo(1, slugs))
		err := lockstep.Migrate(t.Context(), t.open(Settings{}), slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
			return errors.Join(fillSlugs(ctx, tx), errors.New("not today"))
		}), lockstep.WithPerMigration())
		t.says(err, "data.db: 0003-slugs.go: not today; rolled back, still at 0002")
		t.same("notes", t.query("SELECT title, slug FROM notes ORDER BY id"), "One!|\nTwo!|\nThree!|")
		upgrade(t, slugsBy(t, fillSlugs), lockstep.WithPerMigration())
	})
	t.claim("IsRecordedWithAChecksumOverItsTokens", func(t *test) {
		s := slugsBy(t, fillSlugs)
		upgrade(t, s)
		sum := t.query("SELECT checksum FROM _lockstep_history WHERE version = 3 AND file = '0003-slugs.go'")
		t.same("checksum", sum, s.Migrations[2].Checksum)
		t.same("algorithm", sum[:3], "g1:")
	})
	t.claim("OfAnotherTextHasDiverged", func(t *test) {
		upgrade(t, slugsBy(t, fillSlugs))
		s := slugsBy(t, fillSlugs)
		setText(s, 2, "package migrations\n\nfunc migrate0003(ctx context.Context, tx lockstep.Tx) error { return nil }\n")
		t.refuses(s, lockstep.ErrDiverged, "data.db: at version 0004 through other migrations: 0003-slugs.go was applied with another text than this program has; to start nevertheless, allow d1:…")
	})
	t.claim("ChangedWithoutGeneratingIsStale", func(t *test) {
		t.migrate(upTo(1, slugs))
		before := t.bytes()
		s := slugsBy(t, fillSlugs)
		s.Files.(fstest.MapFS)["0003-slugs.go"] = &fstest.MapFile{Data: []byte("package migrations")}
		t.isRefusal(lockstep.Migrate(t.Context(), t.open(Settings{}), s), lockstep.ErrStale,
			"0003-slugs.go: changed since lockstep_gen.go was generated; generate before building\n\tgo generate ./...")
		t.untouched(before)
	})

	const control = ": the transaction is that of the whole upgrade; return nil to keep what the migration did, and an error to undo it"
	const one = ": a migration is about one database; copy between files in the program"
	const connection = ": not for a migration; set it where the program opens the database"
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
		{"Vacuum", "VACUUM", `VACUUM: cannot run inside a transaction; put it into an SQL migration of its own whose first line is "-- lockstep: no-transaction"`},
		{"ForeignKeys", "PRAGMA foreign_keys = ON", "PRAGMA foreign_keys: does nothing inside a transaction; they are off during an upgrade, and checked at its end"},
		{"ForeignKeysInParentheses", "pragma main.\"Foreign_Keys\"(1)", "PRAGMA foreign_keys: does nothing inside a transaction; they are off during an upgrade, and checked at its end"},
		{"SettingsOfTheConnection", "PRAGMA query_only = 1", "PRAGMA query_only" + connection},
		{"ExplainedSettings", "EXPLAIN PRAGMA query_only = 1", "PRAGMA query_only" + connection},
	} {
		t.claim("Refuses"+c.name, func(t *test) {
			t.migrate(upTo(1, slugs))
			want := "data.db: 0003-slugs.go: " + c.want + "; rolled back, still at 0001"
			s := slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
				_, err := tx.ExecContext(ctx, c.query)
				return err
			})
			t.fails(s, want)
			db := t.open(Settings{})
			defer db.Close()
			for name, run := range map[string]goFunc{
				"Exec": func(ctx context.Context, tx lockstep.Tx) error {
					_, err := tx.ExecContext(ctx, c.query)
					return err
				},
				"ExecWithArguments": func(ctx context.Context, tx lockstep.Tx) error {
					_, err := tx.ExecContext(ctx, c.query, 1)
					return err
				},
				"Query": func(ctx context.Context, tx lockstep.Tx) error {
					_, err := tx.QueryContext(ctx, c.query)
					return err
				},
				"QueryRow": func(ctx context.Context, tx lockstep.Tx) error {
					return tx.QueryRowContext(ctx, c.query).Scan(new(any))
				},
				"Prepare": func(ctx context.Context, tx lockstep.Tx) error {
					_, err := tx.PrepareContext(ctx, c.query)
					return err
				},
			} {
				s.Migrations[2].Program = lockstep.Go(func(ctx context.Context, tx lockstep.Tx) error {
					t.same(name, fmt.Sprint(run(ctx, tx)), c.want)
					return nil
				})
				t.says(lockstep.Migrate(t.Context(), db, s), want)
			}
			s.Migrations[2].Program = lockstep.Go(fillSlugs)
			upgrade(t, s)
		})
	}
	t.claim("AcceptsWhatLooksLikeTransactionControl", func(t *test) {
		t.migrate(upTo(1, slugs))
		upgrade(t, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
			for _, q := range []string{
				"CREATE TEMP TRIGGER t AFTER UPDATE ON notes BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; DROP TRIGGER t",
				"EXPLAIN COMMIT",
				"SELECT 'x; COMMIT;' -- COMMIT\n; /* ; COMMIT; */",
				`CREATE TABLE "commit" ("begin;" TEXT); DROP TABLE "commit"`,
				"PRAGMA foreign_keys; PRAGMA query_only; PRAGMA table_info(notes)",
				"PRAGMA user_version = 7",
			} {
				if _, err := tx.ExecContext(ctx, q); err != nil {
					return fmt.Errorf("%s: %w", q, err)
				}
			}
			return fillSlugs(ctx, tx)
		}))
		t.same("user_version", t.query("PRAGMA user_version"), "7")
	})
	t.claim("SettingsThatItMayChangeArePutBack", func(t *test) {
		t.migrate(upTo(1, slugs))
		upgrade(t, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error { // compares the settings
			for _, q := range []string{"PRAGMA recursive_triggers = 1", "EXPLAIN PRAGMA legacy_alter_table = 1", "PRAGMA ignore_check_constraints(on)", "PRAGMA defer_foreign_keys = 1"} {
				if _, err := tx.ExecContext(ctx, q); err != nil {
					return err
				}
			}
			var on bool
			if err := tx.QueryRowContext(ctx, "PRAGMA recursive_triggers").Scan(&on); err != nil || !on {
				t.Errorf("got %v, %v", on, err)
			}
			return nil
		}))
	})
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
			undone(t, "_meta and _lockstep_history are lockstep's, and the migration has changed them; leave them alone", func(ctx context.Context, tx lockstep.Tx) error {
				_, err := tx.ExecContext(ctx, c.q)
				return err
			})
		})
	}
	t.claim("LeavesTheRecordAloneOfANewDatabase", func(t *test) {
		s := t.goSchema("-- 0001-one.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{1: func(ctx context.Context, tx lockstep.Tx) error {
			_, err := tx.ExecContext(ctx, "CREATE TABLE _meta (id INTEGER PRIMARY KEY, version INTEGER); INSERT INTO _meta VALUES (1, 7)")
			return err
		}})
		t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s), "data.db: 0001-one.go: _meta and _lockstep_history are lockstep's, and the migration has changed them; leave them alone; rolled back, still at 0000")
		t.same("tables", t.query("SELECT name FROM sqlite_master"), "")
	})

	exec := func(q string, args ...any) goFunc {
		return func(ctx context.Context, tx lockstep.Tx) error {
			_, err := tx.ExecContext(ctx, q, args...)
			return err
		}
	}
	prepared := func(q string, args ...any) goFunc {
		return func(ctx context.Context, tx lockstep.Tx) error {
			stmt, err := tx.PrepareContext(ctx, q)
			if err != nil {
				return err
			}
			defer stmt.Close()
			_, err = stmt.ExecContext(ctx, args...)
			return err
		}
	}
	query := func(q string, args ...any) goFunc {
		return func(ctx context.Context, tx lockstep.Tx) error {
			rows, err := tx.QueryContext(ctx, q, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		}
	}
	const rollback = "INSERT OR ROLLBACK INTO notes (title) VALUES (?), (?)"
	for _, c := range []struct {
		name string
		f    goFunc
		want string
	}{
		{"Exec", exec("INSERT OR ROLLBACK INTO notes (title) VALUES ('a'), ('a')"), "INSERT OR ROLLBACK INTO notes (title) VALUES ('a'), ('a'): UNIQUE constraint failed: notes.title"},
		{"ExecWithArguments", exec(rollback, "a", "a"), rollback + ": UNIQUE constraint failed: notes.title"},
		{"Query", query(rollback+" RETURNING id", "a", "a"), rollback + " RETURNING id: UNIQUE constraint failed: notes.title"},
		{"QueryRow", func(ctx context.Context, tx lockstep.Tx) error {
			return tx.QueryRowContext(ctx, rollback+" RETURNING id", "a", "a").Scan(new(any))
		}, rollback + " RETURNING id: UNIQUE constraint failed: notes.title"},
		{"Prepared", prepared(rollback, "a", "a"), rollback + ": UNIQUE constraint failed: notes.title"},
		{"PreparedQuery", func(ctx context.Context, tx lockstep.Tx) error {
			stmt, err := tx.PrepareContext(ctx, rollback+" RETURNING id")
			if err != nil {
				return err
			}
			return stmt.QueryRowContext(ctx, "a", "a").Scan(new(any))
		}, rollback + " RETURNING id: UNIQUE constraint failed: notes.title"},
		{"Raise", exec("CREATE TRIGGER t BEFORE UPDATE ON notes BEGIN SELECT RAISE(ROLLBACK, 'hands off'); END;\nUPDATE notes SET slug = ''"),
			"CREATE TRIGGER t BEFORE UPDATE ON notes BEGIN SELECT RAISE(ROLLBACK, 'hands off'… : hands off"},
		{"SecondRow", query("SELECT json(CASE id WHEN 1 THEN '1' ELSE 'x' END) FROM notes ORDER BY id"), "SELECT json(CASE id WHEN 1 THEN '1' ELSE 'x' END) FROM notes ORDER BY id: malformed JSON"},
		{"TooFewArguments", exec("UPDATE notes SET slug = ? WHERE id = ?", "x"), ""},
		{"TooFewArgumentsPrepared", prepared("UPDATE notes SET slug = ?"), ""},
		{"ArgumentOfNoType", prepared("UPDATE notes SET slug = ?", struct{}{}), "UPDATE notes SET slug = ?: unsupported type struct {}, a struct"},
	} {
		t.claim("DoesNothingMoreAfterAFailed"+c.name, func(t *test) {
			t.migrate(upTo(1, slugs))
			want := strings.ReplaceAll(c.want, "… : ", "…: ")
			before := t.state()
			db := t.pool(Settings{ForeignKeys: true})
			settings := t.settings(db)
			err := lockstep.Migrate(t.Context(), db, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
				stmt, err := tx.PrepareContext(ctx, "INSERT INTO notes (title) VALUES ('before')")
				if err != nil {
					return err
				}
				rows, err := tx.QueryContext(ctx, "SELECT 1 UNION ALL SELECT 2")
				if err != nil || !rows.Next() {
					return errors.Join(err, errors.New("no rows"))
				}
				first := c.f(ctx, tx)
				if first == nil {
					t.Error("did not fail")
				}
				if want == "" { // the driver has words of its own
					q := map[string]string{"TooFewArguments": "UPDATE notes SET slug = ? WHERE id = ?", "TooFewArgumentsPrepared": "UPDATE notes SET slug = ?"}[c.name]
					want = q + ": " + first.Error()
				}
				refused := "not done, because a statement before it has failed: " + want
				_, err = tx.ExecContext(ctx, "INSERT INTO notes (title) VALUES ('after')")
				t.same("Exec", fmt.Sprint(err), refused)
				if !errors.Is(err, first) && c.name != "ArgumentOfNoType" { // which database/sql found
					t.Error("the first error is not to be found in the second")
				}
				_, err = tx.QueryContext(ctx, "INSERT INTO notes (title) VALUES ('after')")
				t.same("Query", fmt.Sprint(err), refused)
				t.same("QueryRow", fmt.Sprint(tx.QueryRowContext(ctx, "SELECT 1").Scan(new(any))), refused)
				_, err = tx.PrepareContext(ctx, "SELECT 1")
				t.same("Prepare", fmt.Sprint(err), refused)
				_, err = stmt.ExecContext(ctx)
				t.same("Stmt.Exec", fmt.Sprint(err), refused)
				if rows.Next() {
					t.Error("read on")
				}
				t.same("Rows.Err", fmt.Sprint(rows.Err()), refused)
				return nil
			}))
			t.says(err, "data.db: 0003-slugs.go: "+want+"; rolled back, still at 0001")
			t.same("settings", t.settings(db), settings)
			t.same("state", t.state(), before)
			db.Close()
			upgrade(t, slugsBy(t, fillSlugs))
		})
	}
	for _, c := range []struct {
		name string
		tell func(err error) error
		want string
	}{
		{"AsItIs", func(err error) error { return err }, "INSERT INTO notes (title) VALUES ('Two!'): UNIQUE constraint failed: notes.title"},
		{"Later", func(err error) error { return &later{err} }, "later: …"},
		{"Wrapped", func(err error) error { return fmt.Errorf("note 2: %w", err) }, "note 2: …"},
		{"InItsWords", func(err error) error { return fmt.Errorf("note 2: %v", err) }, "note 2: …"},
		{"NotAtAll", func(err error) error { return errors.New("note 2") }, "note 2: INSERT INTO notes (title) VALUES ('Two!'): UNIQUE constraint failed: notes.title"},
	} {
		t.claim("FailsWithTheErrorOfTheFunction"+c.name, func(t *test) {
			var first error
			t.migrate(upTo(1, slugs))
			err := lockstep.Migrate(t.Context(), t.open(Settings{}), slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
				_, first = tx.ExecContext(ctx, "INSERT INTO notes (title)\n\tVALUES ('Two!')")
				return c.tell(first)
			}))
			t.says(err, "data.db: 0003-slugs.go: "+strings.ReplaceAll(c.want, "…", strings.TrimSuffix(fmt.Sprint(first), " (2067)"))+"; rolled back, still at 0001")
			if first == nil || !errors.Is(err, first) {
				t.Errorf("%v is not found in %v", first, err)
			}
		})
	}
	t.claim("FailureOfItsOwnLeavesAllAsItWas", func(t *test) {
		undone(t, "not today", func(ctx context.Context, tx lockstep.Tx) error {
			return errors.Join(fillSlugs(ctx, tx), errors.New("not today"))
		})
	})
	t.claim("OrphansThatItMakesLeaveAllAsItWas", func(t *test) {
		t.migrate(family)
		before := t.state()
		db := t.pool(Settings{ForeignKeys: true})
		calls := 0
		err := lockstep.Migrate(t.Context(), db, t.goSchema(family+"-- 0002-orphan.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{2: func(ctx context.Context, tx lockstep.Tx) error {
			calls++
			_, err := tx.ExecContext(ctx, "INSERT INTO child VALUES (90, 9)")
			return err
		}}))
		t.isRefusal(err, lockstep.ErrForeignKey, "data.db: the upgrade to 0002 leaves rows without parent: table child, parent parent: rowid 90; rolled back, still at 0001")
		t.same("state", t.state(), before)
		if calls != 2 { // as documented
			t.Errorf("called %d times", calls)
		}
	})

	// ends lets a function end in another way than by returning.
	ends := func(t *test, f goFunc, wantPanic any) {
		t.Helper()
		t.migrate(upTo(1, slugs))
		before := t.state()
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		s := slugsBy(t, f)
		recovered := make(chan any)
		go func() {
			defer func() { recovered <- recover() }()
			lockstep.Migrate(context.Background(), db, s)
		}()
		select {
		case got := <-recovered:
			if got != wantPanic {
				t.Errorf("recovered %v, want %v", got, wantPanic)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("Migrate did not end")
		}
		t.same("settings", t.settings(db), settings)
		t.same("state", t.state(), before)
		if n := db.Stats().OpenConnections; n != poolSize {
			t.Errorf("%d connections are open, want the same %d", n, poolSize)
		}
		db.Close()
		upgrade(t, slugsBy(t, fillSlugs))
	}
	t.claim("PanicGoesOnAndLeavesAllAsItWas", func(t *test) {
		ends(t, func(ctx context.Context, tx lockstep.Tx) error {
			if err := exec("PRAGMA recursive_triggers = 1; UPDATE notes SET slug = 'x'")(ctx, tx); err != nil {
				return err
			}
			tx.QueryContext(ctx, "SELECT * FROM notes")
			panic("stop")
		}, "stop")
	})
	t.claim("PanicInScanGoesOnAndLeavesAllAsItWas", func(t *test) {
		ends(t, func(ctx context.Context, tx lockstep.Tx) error {
			if err := fillSlugs(ctx, tx); err != nil {
				return err
			}
			rows, err := tx.QueryContext(ctx, "SELECT 1")
			if err != nil || !rows.Next() {
				return errors.Join(err, errors.New("no rows"))
			}
			// (A deferred Close would wait for ever: database/sql still holds a lock.)
			return rows.Scan(panicking{})
		}, "scanned")
	})
	t.claim("GoexitLeavesAllAsItWas", func(t *test) {
		ends(t, func(ctx context.Context, tx lockstep.Tx) error {
			if err := fillSlugs(ctx, tx); err != nil {
				return err
			}
			runtime.Goexit()
			return nil
		}, nil)
	})

	// A recursive query that has no end.
	const endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n WHERE i < 0"
	for _, c := range []struct {
		name string
		f    goFunc
	}{
		{"AQuery", query(endless)},
		{"AQueryWithAContextOfItsOwn", func(_ context.Context, tx lockstep.Tx) error { return query(endless)(context.Background(), tx) }},
		{"AnExecWithAContextOfItsOwn", func(_ context.Context, tx lockstep.Tx) error {
			return exec("CREATE TABLE endless AS "+endless)(context.Background(), tx)
		}},
		{"APreparedStatement", prepared("INSERT INTO notes (title) " + endless)},
		{"WhatIgnoresIt", func(ctx context.Context, tx lockstep.Tx) error { query(endless)(ctx, tx); return nil }},
		{"WhatOnlyWaits", func(ctx context.Context, tx lockstep.Tx) error { <-ctx.Done(); return nil }},
		{"WhatGoesOnAfterIt", func(ctx context.Context, tx lockstep.Tx) error {
			<-ctx.Done()
			return exec("UPDATE notes SET slug = 'x'")(context.Background(), tx)
		}},
	} {
		t.claim("ContextThatEndsInterrupts"+c.name, func(t *test) {
			t.migrate(upTo(1, slugs))
			before := t.state()
			db := t.pool(Settings{ForeignKeys: true})
			settings := t.settings(db)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := lockstep.Migrate(ctx, db, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
				if err := fillSlugs(ctx, tx); err != nil {
					return err
				}
				time.AfterFunc(50*time.Millisecond, cancel)
				return c.f(ctx, tx)
			}))
			t.says(err, "data.db: 0003-slugs.go: interrupted: context canceled; rolled back, still at 0001")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's error", err)
			}
			t.same("settings", t.settings(db), settings)
			t.same("state", t.state(), before)
			db.Close()
			upgrade(t, slugsBy(t, fillSlugs))
		})
	}
	t.claim("ContextOfAStatementThatEndsIsAFailureOfIt", func(t *test) {
		t.migrate(upTo(1, slugs))
		before := t.state()
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		var first error
		err := lockstep.Migrate(t.Context(), db, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
			brief, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
			defer cancel()
			if first = exec("INSERT INTO notes (title) "+endless)(brief, tx); first == nil {
				t.Error("did not fail")
			}
			if err := exec("UPDATE notes SET slug = 'kept'")(ctx, tx); err == nil {
				t.Error("executed another statement")
			}
			return fmt.Errorf("out of time: %v", first)
		}))
		t.says(err, fmt.Sprintf("data.db: 0003-slugs.go: out of time: %v; rolled back, still at 0001", first))
		t.same("settings", t.settings(db), settings)
		t.same("state", t.state(), before)
	})

	t.claim("IsOverWhenTheFunctionHasReturned", func(t *test) {
		t.migrate(upTo(1, slugs))
		var kept lockstep.Tx
		var stmt *sql.Stmt
		var rows *sql.Rows
		upgrade(t, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) (err error) {
			kept = tx
			if err := fillSlugs(ctx, tx); err != nil {
				return err
			}
			if stmt, err = tx.PrepareContext(ctx, "UPDATE notes SET slug = 'late'"); err != nil {
				return err
			}
			if rows, err = tx.QueryContext(ctx, "SELECT id FROM notes"); err == nil && !rows.Next() {
				err = errors.New("no rows")
			}
			return err
		}))
		ctx := t.Context()
		for name, err := range map[string]error{
			"Exec":     exec("UPDATE notes SET slug = 'late'")(ctx, kept),
			"Query":    query("SELECT 1")(ctx, kept),
			"QueryRow": kept.QueryRowContext(ctx, "SELECT 1").Scan(new(any)),
			"Prepare":  prepared("SELECT 1")(ctx, kept),
		} {
			if !errors.Is(err, sql.ErrTxDone) {
				t.Errorf("%s: got %v, want %v", name, err, sql.ErrTxDone)
			}
		}
		if _, err := stmt.Exec(); err == nil {
			t.Error("a statement was executed")
		}
		if rows.Next() {
			t.Error("rows were read")
		}
		rows.Close()
		stmt.Close()
		t.same("slugs", t.query("SELECT slug FROM notes ORDER BY id"), "one!\ntwo!\nthree!")
	})
	t.claim("RowsThatHoldRawBytesDoNotHoldTheUpgrade", func(t *test) {
		t.migrate(upTo(1, slugs))
		var rows *sql.Rows
		upgrade(t, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) (err error) {
			if rows, err = tx.QueryContext(ctx, "SELECT title FROM notes"); err != nil {
				return err
			}
			rows.Next()
			return rows.Scan(new(sql.RawBytes))
		}))
		if rows.Next() {
			t.Error("rows were read")
		}
		rows.Close()
	})
	t.claim("GoroutineThatNobodyWaitsForIsAFailure", func(t *test) {
		ended := make(chan error, 2)
		undone(t, "the function has returned while a goroutine of it was using lockstep.Tx; wait for it", func(ctx context.Context, tx lockstep.Tx) error {
			go func() { ended <- query(endless)(context.Background(), tx) }()
			time.Sleep(50 * time.Millisecond)
			return nil
		})
		for range 2 {
			if err := <-ended; err == nil {
				t.Error("the goroutine's statement succeeded")
			}
		}
	})
	t.claim("HandsOutNothingThatEndsTheTransaction", func(t *test) {
		upgrade(t, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
			switch tx.(type) {
			case *sql.Conn, *sql.Tx, *sql.DB, interface{ Raw(func(any) error) error }, interface{ Commit() error }, interface{ Rollback() error }, interface{ Close() error }:
				t.Errorf("it is a %T", tx)
			}
			return nil
		}))
	})

	t.claim("ReadsAndWritesWhatTheDriverMakesOfValues", func(t *test) {
		const archive = "-- 0001-types.sql --\nCREATE TABLE types (id INTEGER PRIMARY KEY, at DATETIME, day DATE, yes BOOLEAN, blob BLOB, text TEXT, real REAL, any);\n"
		t.migrate(archive)
		at := time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)
		const q = "SELECT * FROM types ORDER BY id"
		values := func(rows *sql.Rows, err error) string {
			if err != nil {
				return err.Error()
			}
			defer rows.Close()
			columns, err := rows.ColumnTypes()
			if err != nil {
				return err.Error()
			}
			var b strings.Builder
			for _, c := range columns {
				nullable, known := c.Nullable()
				length, has := c.Length()
				precision, scale, decimal := c.DecimalSize()
				fmt.Fprintln(&b, c.Name(), c.DatabaseTypeName(), c.ScanType(), nullable, known, length, has, precision, scale, decimal)
			}
			for rows.Next() {
				row := make([]any, len(columns))
				pointers := make([]any, len(columns))
				for i := range row {
					pointers[i] = &row[i]
				}
				if err := rows.Scan(pointers...); err != nil {
					return err.Error()
				}
				for _, v := range row {
					fmt.Fprintf(&b, "%T %v\n", v, v)
				}
			}
			return b.String() + fmt.Sprint(rows.Err())
		}
		var inside, row string
		insert := func(ctx context.Context, tx lockstep.Tx) error {
			res, err := tx.ExecContext(ctx, "INSERT INTO types VALUES (:id, :at, :at, :yes, :blob, :text, :real, :null)",
				sql.Named("id", 41), sql.Named("at", at), sql.Named("yes", true), sql.Named("blob", []byte{0, 1}), sql.Named("text", "ä"), sql.Named("real", 1.5), sql.Named("null", nil))
			if err != nil {
				return err
			}
			id, _ := res.LastInsertId()
			n, _ := res.RowsAffected()
			row = fmt.Sprint(id, " ", n)
			stmt, err := tx.PrepareContext(ctx, "INSERT INTO types (at, text, any) VALUES (?, ?, ?) RETURNING id")
			if err != nil {
				return err
			}
			var got int
			if err := stmt.QueryRowContext(ctx, at, sql.NullString{}, "x").Scan(&got); err != nil {
				return err
			}
			row += fmt.Sprint(" ", got)
			var back time.Time
			if err := tx.QueryRowContext(ctx, "SELECT at FROM types WHERE id = ?", got).Scan(&back); err != nil || !back.Equal(at) {
				t.Errorf("got %v, %v; want %v", back, err, at)
			}
			if err := tx.QueryRowContext(ctx, "SELECT at FROM types WHERE 0").Scan(&back); err != sql.ErrNoRows {
				t.Errorf("got %v, want %v", err, sql.ErrNoRows)
			}
			inside = values(tx.QueryContext(ctx, q))
			return nil
		}
		upgrade(t, t.goSchema(archive+"-- 0002-rows.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{2: insert}))
		t.same("values", inside, values(t.open(Settings{}).QueryContext(t.Context(), q)))
		t.same("id and count", row, "41 1 42")
	})
	t.claim("ReadsRowsWhileItWritesOthersAndReusesStatements", func(t *test) {
		t.migrate(upTo(1, slugs))
		upgrade(t, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
			stmt, err := tx.PrepareContext(ctx, "UPDATE notes SET slug = ? WHERE id = ?")
			if err != nil {
				return err
			}
			outer, err := tx.QueryContext(ctx, "SELECT id FROM notes ORDER BY id")
			if err != nil {
				return err
			}
			for outer.Next() {
				var id int
				if err := outer.Scan(&id); err != nil {
					return err
				}
				inner, err := tx.QueryContext(context.Background(), "SELECT lower(title) FROM notes WHERE id = $1", id)
				if err != nil {
					return err
				}
				for inner.Next() {
					var title string
					if err := inner.Scan(&title); err != nil {
						return err
					}
					res, err := stmt.ExecContext(ctx, title, id)
					if err != nil {
						return err
					}
					if n, err := res.RowsAffected(); n != 1 || err != nil {
						t.Errorf("got %d, %v", n, err)
					}
				}
				if err := inner.Close(); err != nil {
					return err
				}
			}
			return outer.Close()
		}))
		t.same("slugs", t.query("SELECT * FROM slugs"), "one!\ntwo!\nthree!")
	})
	t.claim("ReportsProgressAndRows", func(t *test) {
		t.migrate(upTo(1, slugs))
		s := t.goSchema(slugs+"-- 0005-tell.sql --\nCREATE TRIGGER t AFTER UPDATE ON notes BEGIN INSERT INTO slugs VALUES (new.slug); END;\nUPDATE notes SET slug = upper(slug);\n", map[lockstep.Version]goFunc{3: fillSlugs})
		for _, opts := range [][]lockstep.Option{nil, {lockstep.WithPerMigration()}} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(1, slugs))
			var got []string
			upgrade(t, s, append(opts, lockstep.WithProgress(func(p lockstep.Progress) {
				if p.Done {
					got = append(got, fmt.Sprintf("%s %d/%d %d", p.File, p.Statement, p.Statements, p.Rows))
				}
			}))...)
			// CREATE TABLE … AS SELECT counts nothing for SQLite, and lockstep's own rows
			// are not the migrations'.
			t.same("progress", strings.Join(got, "\n"), `0002-trim.sql 1/1 3
0002-trim.sql 0/1 3
0003-slugs.go 0/0 6
0004-index.sql 1/1 6
0004-index.sql 0/1 6
0005-tell.sql 1/2 6
0005-tell.sql 2/2 12
0005-tell.sql 0/2 12`)
		}
	})
	t.claim("ReportsRowsWhileItRuns", func(t *test) {
		t.migrate(upTo(1, slugs))
		var during []int64
		upgrade(t, slugsBy(t, func(ctx context.Context, tx lockstep.Tx) error {
			for begun := time.Now(); len(during) < 2 && time.Since(begun) < 30*time.Second; {
				if err := exec("UPDATE notes SET slug = title")(ctx, tx); err != nil {
					return err
				}
			}
			return nil
		}), lockstep.WithProgress(func(p lockstep.Progress) {
			if p.Version == 3 && !p.Done && p.Rows > 3 {
				during = append(during, p.Rows)
			}
		}))
		if len(during) < 2 || during[1] <= during[0] || during[0]%3 != 0 {
			t.Errorf("got %v", during)
		}
	})
}

// later is an error with other words.
type later struct{ error }

func (e *later) Error() string { return "later: " + e.error.Error() }
func (e *later) Unwrap() error { return e.error }

type panicking struct{}

func (panicking) Scan(any) error { panic("scanned") }

package suite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing/fstest"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
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
	for i, m := range s.Migrations {
		if f, ok := funcs[m.Version]; ok {
			fixture.Replace(s, i, strings.TrimSuffix(m.File, ".sql")+".go", lockstep.Go(f),
				fmt.Sprintf("package migrations\n\nfunc migrate%v(ctx context.Context, tx lockstep.Tx) error {}\n", m.Version))
		}
	}
	return s
}

// setText changes the text of a migration that is a program.
func setText(s *lockstep.Schema, i int, text string) {
	fixture.Replace(s, i, s.Migrations[i].File, s.Migrations[i].Program, text)
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

// slugsBy returns the schema of slugs with this function.
func (t *test) slugsBy(f goFunc) *lockstep.Schema {
	t.Helper()
	return t.goSchema(slugs, map[lockstep.Version]goFunc{3: f})
}

// upgradeBy upgrades the file, and fails the test unless the connections are as before.
func (t *test) upgradeBy(s *lockstep.Schema, opts ...lockstep.Option) {
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

// runs upgrades a file at version 1 by a function.
func (t *test) runs(f goFunc, opts ...lockstep.Option) {
	t.Helper()
	t.migrate(upTo(1, slugs))
	t.upgradeBy(t.slugsBy(f), opts...)
}

// leavesAll calls upgrade, which has to leave a file at version 1 and the connections of the
// pool as they were. Then fillSlugs succeeds.
func (t *test) leavesAll(upgrade func(db *sql.DB)) {
	t.Helper()
	t.migrate(upTo(1, slugs))
	before := t.state()
	db := t.pool(Settings{ForeignKeys: true})
	settings := t.settings(db)
	upgrade(db)
	t.same("settings", t.settings(db), settings)
	t.same("state", t.state(), before)
	if n := db.Stats().OpenConnections; n != poolSize {
		t.Errorf("%d connections are open, want the same %d", n, poolSize)
	}
	db.Close()
	t.upgradeBy(t.slugsBy(fillSlugs))
}

// undone upgrades a file at version 1 by a function, which is expected to fail with this
// text, and then by fillSlugs, which succeeds.
func (t *test) undone(want string, f goFunc) {
	t.Helper()
	t.migrate(upTo(1, slugs))
	t.fails(t.slugsBy(f), "data.db: 0003-slugs.go: "+want+"; rolled back, still at 0001")
	t.upgradeBy(t.slugsBy(fillSlugs))
	t.same("slugs", t.query("SELECT * FROM slugs"), "one!\ntwo!\nthree!")
}

// fills returns a function that does what fillSlugs does, and then f.
func fills(f goFunc) goFunc {
	return func(ctx context.Context, tx lockstep.Tx) error {
		if err := fillSlugs(ctx, tx); err != nil {
			return err
		}
		return f(ctx, tx)
	}
}

// executes returns a function that executes a statement.
func executes(q string, args ...any) goFunc {
	return func(ctx context.Context, tx lockstep.Tx) error {
		_, err := tx.ExecContext(ctx, q, args...)
		return err
	}
}

// prepares returns a function that prepares a statement and executes it.
func prepares(q string, args ...any) goFunc {
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

// queries returns a function that reads the rows of a query to the end.
func queries(q string, args ...any) goFunc {
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

func goMigration(t *test) {
	goPlaces(t)
	goPerMigration(t)
	goRecord(t)
	goRefusals(t)
	goSettings(t)
	goOwnTables(t)
	goErrors(t)
	goEndedTransactions(t)
	goHandledErrors(t)
	goPanics(t)
	goContexts(t)
	goOver(t)
	goGoroutines(t)
	goValues(t)
	goProgress(t)
}

func goPlaces(t *test) {
	t.claim("RunsBetweenTheSQLAroundItInOneTransaction", func(t *test) {
		t.migrate(upTo(1, slugs))
		calls := 0
		s := t.slugsBy(func(ctx context.Context, tx lockstep.Tx) error {
			calls++
			err := fillSlugs(ctx, tx)
			t.same("titles that others see", t.query("SELECT title FROM notes"), "One\nThree\nTwo")
			t.same("version that others see", t.query("SELECT version FROM _meta"), "1")
			return err
		})
		t.upgradeBy(s)
		t.same("slugs", t.query("SELECT * FROM slugs"), "one!\ntwo!\nthree!")
		t.upgradeBy(s)
		if calls != 1 {
			t.Errorf("called %d times", calls)
		}
	})
	t.claim("IsUndoneWithTheSQLThatFailsBehindIt", func(t *test) {
		t.migrate(upTo(1, slugs))
		s := t.goSchema(with(slugs, "0004-index.sql", "CREATE TABLE slugs AS SELECT slug FROM notes;\nCREATE UNIQUE INDEX one ON notes (slug LIKE '%');"), map[lockstep.Version]goFunc{3: fillSlugs})
		t.fails(s, "data.db: 0004-index.sql:2: UNIQUE constraint failed: index 'one': rowid 1 and 2, rowid 1 and 3 of notes as the upgrade left it; rolled back, still at 0001")
		t.upgradeBy(t.slugsBy(fillSlugs))
	})
	const table = "CREATE TABLE one (n INTEGER PRIMARY KEY);\n"
	makes := executes(table + "INSERT INTO one VALUES (1), (2)")
	deletes := executes("DELETE FROM one WHERE n = 1")
	for _, c := range []struct {
		name, archive string
		funcs         map[lockstep.Version]goFunc
		want          string
	}{
		{"MayBeTheOnlyOne", "-- 0001-one.go --\n" + table, map[lockstep.Version]goFunc{1: makes}, "1\n2"},
		{"MayBeTheOldest", "-- 0001-one.go --\n" + table + "-- 0002-two.sql --\nINSERT INTO one VALUES (3);\n", map[lockstep.Version]goFunc{1: makes}, "1\n2\n3"},
		{"MayBeTheNewest", "-- 0001-one.sql --\n" + table + "INSERT INTO one VALUES (1), (2);\n-- 0002-two.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{2: deletes}, "2"},
		{"MayComeAfterAnother", "-- 0001-one.go --\n" + table + "-- 0002-two.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{1: makes, 2: deletes}, "2"},
	} {
		t.claim(c.name, func(t *test) {
			s := t.goSchema(c.archive, c.funcs)
			t.upgradeBy(s)
			t.same("rows", t.query("SELECT n FROM one ORDER BY n"), c.want)
			if !t.fast(0, s) {
				t.Error("the next start is not the fast one")
			}
		})
	}
}

func goPerMigration(t *test) {
	t.claim("RunsInATransactionOfItsOwnWithPerMigration", func(t *test) {
		t.runs(func(ctx context.Context, tx lockstep.Tx) error {
			t.same("version that others see", t.query("SELECT version FROM _meta"), "2")
			return fillSlugs(ctx, tx)
		}, lockstep.WithPerMigration())
		t.same("slugs", t.query("SELECT * FROM slugs"), "one!\ntwo!\nthree!")
	})
	t.claim("KeepsWhatWasBeforeItWithPerMigration", func(t *test) {
		t.migrate(upTo(1, slugs))
		err := lockstep.Migrate(t.Context(), t.open(Settings{}), t.slugsBy(fills(func(context.Context, lockstep.Tx) error {
			return errors.New("not today")
		})), lockstep.WithPerMigration())
		t.says(err, "data.db: 0003-slugs.go: not today; rolled back, still at 0002")
		t.same("notes", t.query("SELECT title, slug FROM notes ORDER BY id"), "One!|\nTwo!|\nThree!|")
		t.upgradeBy(t.slugsBy(fillSlugs), lockstep.WithPerMigration())
	})
}

func goRecord(t *test) {
	t.claim("IsRecordedWithAChecksumOverItsTokens", func(t *test) {
		s := t.slugsBy(fillSlugs)
		t.upgradeBy(s)
		sum := t.query("SELECT checksum FROM _lockstep_history WHERE version = 3 AND file = '0003-slugs.go'")
		t.same("checksum", sum, s.Migrations[2].Checksum)
		t.same("algorithm", sum[:3], "g1:")
	})
	t.claim("OfAnotherTextHasDiverged", func(t *test) {
		t.upgradeBy(t.slugsBy(fillSlugs))
		s := t.slugsBy(fillSlugs)
		setText(s, 2, "package migrations\n\nfunc migrate0003(ctx context.Context, tx lockstep.Tx) error { return nil }\n")
		t.refuses(s, lockstep.ErrDiverged, "data.db: at version 0004, but by other migrations: 0003-slugs.go was applied with different contents; to start anyway, allow d1:…")
	})
	t.claim("ChangedWithoutGeneratingIsStale", func(t *test) {
		t.migrate(upTo(1, slugs))
		before := t.bytes()
		s := t.slugsBy(fillSlugs)
		s.Files.(fstest.MapFS)["0003-slugs.go"] = &fstest.MapFile{Data: []byte("package migrations")}
		t.isRefusal(lockstep.Migrate(t.Context(), t.open(Settings{}), s), lockstep.ErrStale,
			"0003-slugs.go: changed since lockstep_gen.go was generated; generate before building\n\tgo generate ./...")
		t.untouched(before)
	})
}

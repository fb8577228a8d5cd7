package suite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

func refusesVersions(t *test) {
	t.claim("RefusesDatabaseThatIsAhead", func(t *test) {
		t.migrate(upTo(3, notes))
		e := t.refuses(t.schema(upTo(2, notes)), lockstep.ErrAhead,
			"data.db: at version 0003, this program expects 0002: written by a newer program, not opened")
		if e.Version != 3 || e.Expected != 2 {
			t.Errorf("got versions %v and %v, want 0003 and 0002", e.Version, e.Expected)
		}
	})
}

func readsItsOwnVersion(t *test) {
	// A name without a schema is that of a temporary table if there is one, or that of a
	// table in an attached database if there is no other.
	t.claim("ReadsTheVersionOfNoOtherDatabase", func(t *test) {
		s := t.schema(upTo(2, notes))
		other := t.at(t.path + ".other")
		other.migrate(upTo(2, notes))
		t.exec("CREATE TABLE precious (a)", "PRAGMA schema_version = "+other.query("PRAGMA schema_version"))
		db := t.open(Settings{})
		db.SetMaxOpenConns(1)
		t.execOn(db, "ATTACH '"+other.path+"' AS other")
		before := t.bytes()
		for _, call := range []func(context.Context, *sql.DB, *lockstep.Schema, ...lockstep.Option) error{lockstep.Check, lockstep.Migrate} {
			t.isRefusal(call(t.Context(), db, s), lockstep.ErrUnmanaged,
				"data.db: 1 table and no version: not managed\n\tlockstep enroll --db data.db")
		}
		t.untouched(before)
	})
	t.claim("IsNotMisledByTemporaryTables", func(t *test) {
		t.migrate(upTo(1, notes))
		s := t.schema(upTo(3, notes))
		db := t.open(Settings{})
		db.SetMaxOpenConns(1)
		t.execOn(db, "CREATE TEMP TABLE _meta (id, version)", "INSERT INTO _meta VALUES (1, 3)",
			"CREATE TEMP TABLE _lockstep_history (version, file, checksum, applied_at, duration_ms, program, digest, fingerprint, cookie)")
		t.isRefusal(lockstep.Check(t.Context(), db, s), lockstep.ErrBehind,
			"data.db: at version 0001, this program expects 0003: pending 0002-tags.sql, 0003-index-tags.sql\n\tlockstep migrate --db data.db")
		if err := lockstep.Migrate(t.Context(), db, s); err != nil {
			t.Fatal(err)
		}
		t.atHead(s)
		t.same("history", t.query("SELECT count(*) FROM _lockstep_history"), "3")
		t.same("temporary", t.rows(db, "SELECT count(*) FROM temp._lockstep_history")[0], "0")
	})
}

func refusesBehind(t *test) {
	t.claim("CheckRefusesDatabaseThatIsBehind", func(t *test) {
		t.migrate(upTo(2, notes))
		before := t.bytes()
		db := t.open(Settings{})
		e := t.isRefusal(lockstep.Check(t.Context(), db, t.schema(upTo(4, notes))), lockstep.ErrBehind,
			"data.db: at version 0002, this program expects 0004: pending 0003-index-tags.sql, 0004-rebuild-notes.sql\n\tlockstep migrate --db data.db")
		if e.Version != 2 || e.Expected != 4 {
			t.Errorf("got versions %v and %v, want 0002 and 0004", e.Version, e.Expected)
		}
		t.untouched(before)
	})
	t.claim("CheckRefusesNewDatabase", func(t *test) {
		db := t.open(Settings{})
		t.isRefusal(lockstep.Check(t.Context(), db, t.schema(upTo(1, notes))), lockstep.ErrBehind,
			"data.db: at version 0000, this program expects 0001: pending 0001-notes.sql\n\tlockstep migrate --db data.db")
		if info, err := os.Stat(t.path); err == nil && info.Size() > 0 {
			t.Errorf("Check wrote %d bytes", info.Size())
		}
	})
}

func refusesUnmanaged(t *test) {
	t.claim("RefusesUnmanagedDatabase", func(t *test) {
		t.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY)", "CREATE TABLE tags (tag TEXT)")
		t.refuses(t.schema(notes), lockstep.ErrUnmanaged,
			"data.db: 2 tables and no version: not managed\n\tlockstep enroll --db data.db")
	})
	t.claim("RefusesUnmanagedDatabaseWithOnlyAView", func(t *test) {
		t.exec("CREATE VIEW one AS SELECT 1")
		t.refuses(t.schema(notes), lockstep.ErrUnmanaged,
			"data.db: 1 table and no version: not managed\n\tlockstep enroll --db data.db")
	})
	t.claim("RefusesMetaTableOfAnotherShape", func(t *test) {
		t.exec("CREATE TABLE _meta (id INTEGER PRIMARY KEY, version INTEGER NOT NULL DEFAULT 0)", "INSERT INTO _meta VALUES (1, 1)")
		t.refuses(t.schema(notes), lockstep.ErrUnmanaged,
			"data.db: 1 table and no version: not managed\n\tlockstep enroll --db data.db")
	})
}

func refusesDiverged(t *test) {
	another := strings.ReplaceAll(notes, "notes", "recipes")
	t.claim("RefusesAnotherProgramsDatabaseAtHead", func(t *test) {
		t.migrate(upTo(2, another))
		t.refuses(t.schema(upTo(2, notes)), lockstep.ErrDiverged,
			"data.db: at version 0002, but by other migrations: 0001-recipes.sql was applied, but this program has 0001-notes.sql; the database belongs to another program; to start anyway, allow d1:…")
	})
	t.claim("RefusesAnotherProgramsDatabaseBehind", func(t *test) {
		t.migrate(upTo(2, another))
		t.refuses(t.schema(notes), lockstep.ErrDiverged,
			"data.db: at version 0002, but by other migrations: 0001-recipes.sql was applied, but this program has 0001-notes.sql; the database belongs to another program; to start anyway, allow d1:…")
	})
	edited := with(notes, "0002-tags.sql", "CREATE TABLE tags (note INTEGER, tag TEXT);")
	t.claim("RefusesEditedMigrationAtHead", func(t *test) {
		t.migrate(upTo(3, edited))
		e := t.refuses(t.schema(upTo(3, notes)), lockstep.ErrDiverged,
			"data.db: at version 0003, but by other migrations: 0002-tags.sql was applied with different contents; to start anyway, allow d1:…")
		if e.Version != 3 || e.Expected != 3 {
			t.Errorf("got versions %v and %v, want 0003 and 0003", e.Version, e.Expected)
		}
	})
	t.claim("RefusesEditedMigrationBehind", func(t *test) {
		t.migrate(upTo(3, edited))
		t.refuses(t.schema(notes), lockstep.ErrDiverged,
			"data.db: at version 0003, but by other migrations: 0002-tags.sql was applied with different contents; to start anyway, allow d1:…")
	})
	t.claim("NamesTheFirstOfSeveralEditedMigrations", func(t *test) {
		t.migrate(upTo(3, with(edited, "0003-index-tags.sql", "CREATE INDEX by_tag ON tags (tag);")))
		t.refuses(t.schema(notes), lockstep.ErrDiverged,
			"data.db: at version 0003, but by other migrations: 0002-tags.sql was applied with different contents; 1 later one also differs; to start anyway, allow d1:…")
	})
	t.claim("RefusesAnotherFileWithTheSameNumber", func(t *test) {
		t.migrate(upTo(1, notes) + "-- 0002-colors.sql --\nCREATE TABLE colors (name TEXT);\n")
		t.refuses(t.schema(upTo(2, notes)), lockstep.ErrDiverged,
			"data.db: at version 0002, but by other migrations: 0002-colors.sql was applied, but this program has 0002-tags.sql; to start anyway, allow d1:…\n\tlockstep redo --db data.db")
	})
	t.claim("RefusesHistoryAboveTheVersion", func(t *test) {
		t.migrate(upTo(3, notes))
		t.exec("UPDATE _meta SET version = 2")
		t.refuses(t.schema(upTo(3, notes)), lockstep.ErrDiverged,
			"data.db: at version 0002, but by other migrations: 0003-index-tags.sql was applied, though _meta says 0002; to start anyway, allow d1:…")
	})
}

// refusesSkipped is about a branch that was released with 0003 before another brought 0002.
func refusesSkipped(t *test) {
	without := func(t *test, archive, name string) *lockstep.Schema {
		rest := files(archive)
		delete(rest, name)
		return t.schemaOf(rest)
	}
	late := with(upTo(4, notes), "0002-tags.sql", "CREATE TABLE late (a);")
	late = with(late, "0003-index-tags.sql", "CREATE TABLE tags (note, tag);")
	t.claim("RefusesDatabaseThatSkippedAMigration", func(t *test) {
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), without(t, upTo(3, late), "0002-tags.sql")); err != nil {
			t.Fatal(err)
		}
		const want = "data.db: at version 0003, but by other migrations: 0002-tags.sql was not applied, but 0003-index-tags.sql was; to start anyway, allow d1:…"
		t.refuses(t.schema(upTo(3, late)), lockstep.ErrDiverged, want)
		t.refuses(t.schema(late), lockstep.ErrDiverged, want)
		state, err := lockstep.Inspect(t.Context(), t.open(Settings{}), t.schema(late))
		if err != nil || state.Pending != nil || !errors.Is(state.Refusal, lockstep.ErrDiverged) {
			t.Errorf("got pending %v, %v, %v; want none, and ErrDiverged", state.Pending, state.Refusal, err)
		}
		state, err = lockstep.Inspect(t.Context(), t.open(Settings{}), without(t, late, "0002-tags.sql"))
		if err != nil || !errors.Is(state.Refusal, lockstep.ErrBehind) {
			t.Errorf("without 0002: %v, %v", state.Refusal, err)
		}
	})
	t.claim("AcceptsDatabaseThatAnotherToolMigratedInBetween", func(t *test) {
		t.migrate(upTo(1, late))
		t.exec("CREATE TABLE late (a)", "UPDATE _meta SET version = 2")
		t.migrate(upTo(3, late))
		t.same("history", t.query("SELECT version, checksum IS NULL FROM _lockstep_history"), "1|0\n2|1\n3|0")
		t.atHead(t.schema(upTo(3, late)))
		t.exec("ALTER TABLE notes RENAME TO other", "ALTER TABLE other RENAME TO notes") // look again
		t.migrate(upTo(3, late))
		t.migrate(late)
	})
}

func refusesUnreadable(t *test) {
	t.claim("RefusesCorruptFile", func(t *test) {
		t.migrate(upTo(3, notes))
		b := []byte(t.bytes())
		for i := 100; i < 200; i++ { // the first page, behind the file's header
			b[i] = 0xA5
		}
		t.restore(string(b))
		t.refuses(t.schema(upTo(3, notes)), lockstep.ErrUnreadable,
			t.unnamed("data.db: cannot read the version: database disk image is malformed"))
	})
	t.claim("RefusesFileThatIsNotADatabase", func(t *test) {
		t.restore(strings.Repeat("Dear diary, nothing happened today. ", 100))
		t.refuses(t.schema(upTo(3, notes)), lockstep.ErrUnreadable,
			t.unnamed("data.db: cannot read the version: file is not a database"))
	})
	t.claim("RefusesFileThatCannotBeOpened", func(t *test) {
		if err := os.Mkdir(t.path, 0o777); err != nil {
			t.Fatal(err)
		}
		// Drivers differ in whether they name the path.
		if err := lockstep.Check(t.Context(), t.open(Settings{}), t.schema(notes)); !errors.Is(err, lockstep.ErrUnreadable) {
			t.Errorf("got %v, want ErrUnreadable", err)
		}
	})
	t.claim("APathThatNamesALeaderIsNoServer", func(t *test) {
		t.path = filepath.Join(filepath.Dir(t.path), "leaderboard", "data.db") // in no folder
		err := lockstep.Check(t.Context(), t.open(Settings{}), t.schema(notes), lockstep.WithTimeout(time.Millisecond))
		if !errors.Is(err, lockstep.ErrUnreadable) {
			t.Errorf("got %v, want ErrUnreadable", err)
		}
	})
	for _, c := range []struct {
		name string
		do   []string
		want string
	}{
		{"RefusesTwoVersions", []string{"PRAGMA ignore_check_constraints = ON", "INSERT INTO _meta VALUES (2, 3)"}, "_meta has 2 rows; want 1"},
		{"RefusesNoVersion", []string{"DELETE FROM _meta"}, "_meta has 0 rows; want 1"},
		{"RefusesNegativeVersion", []string{"UPDATE _meta SET version = -1"}, "_meta says version -1; want 0 or more"},
		{"RefusesVersionOfMoreThan32Bits", []string{"UPDATE _meta SET version = 4294967299"}, "_meta says version 4294967299; want at most 2147483647"},
		{"RefusesVersionOf32Bits", []string{"UPDATE _meta SET version = 2147483648"}, "_meta says version 2147483648; want at most 2147483647"},
		{"RefusesTheLargestVersion", []string{"UPDATE _meta SET version = 9223372036854775807"}, "_meta says version 9223372036854775807; want at most 2147483647"},
		{"RefusesHistoryOfMoreThan32Bits", []string{"UPDATE _lockstep_history SET version = 4294967299 WHERE version = 3"},
			"_lockstep_history has a row of version 4294967299; want 1 to 2147483647"},
		{"RefusesHistoryOf32BitsAboveTheVersion", []string{"INSERT INTO _lockstep_history SELECT 2147483648, file, checksum, applied_at, 0, program, digest, fingerprint, cookie FROM _lockstep_history WHERE version = 3"},
			"_lockstep_history has a row of version 2147483648; want 1 to 2147483647"},
		{"RefusesHistoryOfVersionZero", []string{"UPDATE _lockstep_history SET version = 0 WHERE version = 1", "UPDATE _lockstep_history SET digest = NULL"},
			"_lockstep_history has a row of version 0; want 1 to 2147483647"},
		{"RefusesHistoryOfANegativeVersion", []string{"UPDATE _lockstep_history SET version = -4294967293 WHERE version = 3"},
			"_lockstep_history has a row of version -4294967293; want 1 to 2147483647"},
		{"RefusesADurationThatNoClockMeasures", []string{"UPDATE _lockstep_history SET duration_ms = 9223372036854775, digest = NULL WHERE version = 3"},
			"_lockstep_history has a duration of 9223372036854775 ms; want 0 to 9223372036854"},
		{"RefusesANegativeDuration", []string{"UPDATE _lockstep_history SET duration_ms = -1, digest = NULL WHERE version = 3"},
			"_lockstep_history has a duration of -1 ms; want 0 to 9223372036854"},
		{"RefusesVersionThatIsText", []string{"UPDATE _meta SET version = 'three'"}, `_meta says version "three"; want a whole number`},
		{"RefusesVersionThatIsNoInteger", []string{"UPDATE _meta SET version = 2.5"}, `_meta says version 2.5; want a whole number`},
	} {
		t.claim(c.name, func(t *test) {
			t.migrate(upTo(3, notes))
			t.exec(c.do...)
			t.refuses(t.schema(upTo(3, notes)), lockstep.ErrUnreadable, "data.db: cannot read the version: "+c.want)
		})
	}
}

func refusesReadOnly(t *test) {
	t.claim("MigrateRefusesReadOnlyDatabaseThatIsBehind", func(t *test) {
		t.migrate(upTo(2, notes))
		before := t.bytes()
		db := t.pool(Settings{ReadOnly: true, ForeignKeys: true})
		settings := t.settings(db)
		e := t.isRefusal(lockstep.Migrate(t.Context(), db, t.schema(upTo(3, notes))), lockstep.ErrBehind,
			"data.db: at version 0002, this program expects 0003: pending 0003-index-tags.sql: attempt to write a readonly database")
		if e.Version != 2 || e.Expected != 3 || len(e.Pending) != 1 {
			t.Errorf("got versions %v and %v, %d pending; want 0002 and 0003, 1 pending", e.Version, e.Expected, len(e.Pending))
		}
		t.untouched(before)
		t.same("settings", t.settings(db), settings)
	})
	t.claim("MigrateRefusesDatabaseThatItsConnectionMayOnlyQuery", func(t *test) {
		t.migrate(upTo(2, notes))
		db := t.open(Settings{})
		db.SetMaxOpenConns(1)
		t.execOn(db, "PRAGMA query_only = 1")
		t.isRefusal(lockstep.Migrate(t.Context(), db, t.schema(upTo(3, notes)), lockstep.WithBackup(1)), lockstep.ErrBehind,
			"data.db: at version 0002, this program expects 0003: pending 0003-index-tags.sql: attempt to write a readonly database")
	})
	t.claim("AnotherDatabaseThatIsReadOnlyIsTheMigrations", func(t *test) {
		other := t.at(t.path + ".other")
		other.exec("CREATE TABLE t (a)")
		err := lockstep.Migrate(t.Context(), t.open(Settings{}), t.slugsBy(func(ctx context.Context, _ lockstep.Tx) error {
			_, err := other.open(Settings{ReadOnly: true}).ExecContext(ctx, "INSERT INTO t VALUES (1)")
			return err
		}))
		t.says(err, "data.db: 0003-slugs.go: attempt to write a readonly database; rolled back, still at 0000")
		if errors.Is(err, lockstep.ErrBehind) {
			t.Error("got ErrBehind")
		}
	})
	t.claim("ReportsAContextThatHasEnded", func(t *test) {
		t.migrate(upTo(2, notes))
		before := t.bytes()
		db := t.pool(Settings{})
		ctx := endedContext()
		for _, err := range []error{
			lockstep.Migrate(ctx, db, t.schema(notes)),
			lockstep.Check(ctx, db, t.schema(notes)),
		} {
			t.says(err, "context canceled")
		}
		t.untouched(before)
		t.settings(db)
	})
}

package suite

import (
	"os/exec"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// accepts fails the test unless both Check and Migrate accept the file.
func (t *test) accepts(s *lockstep.Schema) {
	t.Helper()
	for _, call := range calls() {
		db := t.open(Settings{})
		if err := call(t.Context(), db, s); err != nil {
			t.Errorf("got error %v", t.text(err))
		}
		db.Close()
	}
}

func acceptsMigrations(t *test) {
	t.claim("AcceptsEarlierContentsThatCount", func(t *test) {
		t.migrate(upTo(2, notes))
		s := t.schema(upTo(2, with(notes, "0001-notes.sql",
			"CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL);\nINSERT INTO notes (title) VALUES ('corrected'), ('second');")))
		t.refuses(s, lockstep.ErrDiverged,
			"data.db: at version 0002, but by other migrations: 0001-notes.sql was applied with different contents; to start anyway, allow d1:…")
		s.Migrations[0].Accepted = []string{t.schema(notes).Migrations[0].Checksum}
		t.accepts(s)
		t.accepts(t.schema(upTo(2, notes))) // the release before still starts
	})
	t.claim("AcceptsRenamedMigration", func(t *test) {
		t.migrate(upTo(2, notes))
		t.accepts(t.schema(strings.ReplaceAll(upTo(2, notes), "0001-notes.sql", "0001-first-notes.sql")))
	})
	t.claim("AcceptsNewFileWithLitestreamsTables", func(t *test) {
		t.exec(litestream...)
		t.migrate(notes)
		t.accepts(t.schema(notes))
	})
	t.claim("AcceptsLitestreamsTablesAtHead", func(t *test) {
		t.migrate(notes)
		t.exec(litestream...)
		t.accepts(t.schema(notes))
	})
	t.claim("AcceptsExtraObjects", func(t *test) {
		t.migrate(notes)
		t.exec("CREATE INDEX notes_by_title ON notes (title)", "CREATE TABLE scratch (n)", "CREATE VIEW titles AS SELECT title FROM notes",
			"CREATE TRIGGER audit AFTER DELETE ON notes BEGIN INSERT INTO scratch VALUES (old.id); END")
		t.accepts(t.schema(notes))
	})
	for _, c := range []struct{ name, statement string }{
		{"AcceptsDatabaseAfterVacuum", "VACUUM"},
		{"AcceptsDatabaseAfterAnalyze", "ANALYZE"},
		{"AcceptsDatabaseAfterReindex", "REINDEX"},
		{"AcceptsDatabaseInWAL", "PRAGMA journal_mode = wal"},
		{"AcceptsAlterThatChangesNothing", "ALTER TABLE notes RENAME COLUMN body TO body"},
	} {
		t.claim(c.name, func(t *test) {
			t.migrate(notes)
			t.exec(c.statement)
			t.accepts(t.schema(notes))
		})
	}
}

func acceptsSchemas(t *test) {
	t.claim("AcceptsDumpAndReload", func(t *test) {
		t.migrate(notes)
		db := t.open(Settings{})
		dump := []string{"PRAGMA foreign_keys = OFF"}
		for _, typ := range []string{"table", "index", "trigger", "view"} {
			dump = append(dump, t.rows(db, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type = '"+typ+"'")...)
			if typ != "table" {
				continue
			}
			for _, table := range t.rows(db, "SELECT name FROM sqlite_master WHERE type = 'table'") {
				columns := strings.Join(t.rows(db, "SELECT 'quote('||name||')' FROM pragma_table_info('"+table+"')"), "||','||")
				dump = append(dump, t.rows(db, "SELECT 'INSERT INTO "+table+" VALUES('||"+columns+"||')' FROM "+table)...)
			}
		}
		db.Close()
		reloaded := newTest(t.T, t.driver)
		reloaded.exec(dump...)
		reloaded.accepts(t.schema(notes))
		reloaded.same("rows", reloaded.query("SELECT * FROM list"), t.query("SELECT * FROM list"))
	})
	t.claim("AcceptsOtherWordsForTheSameSchema", func(t *test) {
		t.migrate(notes)
		words := []string{
			"PRAGMA writable_schema = ON",
			`UPDATE sqlite_master SET sql = 'CREATE  TABLE "notes"(id integer primary key, title text not null check (title <> '';''), "body" TEXT)' WHERE name = 'notes'`,
			`UPDATE sqlite_master SET sql = 'CREATE index tags_by_tag on [tags] ("tag")' WHERE name = 'tags_by_tag'`,
			"PRAGMA writable_schema = OFF",
			"VACUUM",
		}
		t.exec(words...)
		t.accepts(t.schema(notes))
	})
	t.claim("AcceptsTheSchemaThatTheGeneratorWrote", func(t *test) {
		s := t.schema(notes)
		s.SQL, s.Fingerprint = notesSQL, notesFingerprint
		if err := s.Stale(); err != nil {
			t.Fatal(err)
		}
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
			t.Fatal(err)
		}
		t.accepts(s)
		t.exec("VACUUM") // the next start compares again
		t.accepts(s)
	})
	t.claim("AcceptsAlterInsteadOfARebuild", func(t *test) {
		s := t.schema(`
-- 0001-rebuild.sql --
CREATE TABLE a (x INTEGER, old TEXT);
CREATE TABLE a_new (x INTEGER, y TEXT DEFAULT 'none');
DROP TABLE a;
ALTER TABLE a_new RENAME TO a;
`)
		t.migrate(`
-- 0001-rebuild.sql --
CREATE TABLE a (x INTEGER, old TEXT);
ALTER TABLE a DROP COLUMN old;
ALTER TABLE a ADD COLUMN y TEXT DEFAULT 'none';
`)
		t.exec("UPDATE _lockstep_history SET checksum = '" + s.Migrations[0].Checksum + "', digest = NULL, fingerprint = NULL, cookie = NULL")
		t.accepts(s)
	})
}

func takesOver(t *test) {
	t.claim("TakesOverDatabaseOfFastmigrate", func(t *test) {
		t.exec(fastmigrate(2)...)
		t.migrate(notes)
		t.atHead(t.schema(notes))
		t.same("history", t.query("SELECT version, file FROM _lockstep_history"),
			"3|0003-index-tags.sql\n4|0004-rebuild-notes.sql\n5|0005-fill-bodies.sql\n6|0006-list-notes.sql")
		t.same("version", t.query("SELECT id, version FROM _meta"), "1|6")
	})
	t.claim("TakesOverDatabaseOfFastmigrateAtHead", func(t *test) {
		t.exec(fastmigrate(2)...)
		s := t.schema(upTo(2, notes))
		before := t.bytes()
		if err := lockstep.Check(t.Context(), t.open(Settings{}), s); err != nil {
			t.Error(err)
		}
		t.untouched(before)
		t.accepts(s)
		t.same("history", t.query("SELECT version, file, checksum FROM _lockstep_history"), "2|0002-tags.sql|")
		if !t.fast(0, s) {
			t.Error("the next start is not fast")
		}
	})
	t.claim("TakesOverDatabaseOfFastmigrateAtVersionZero", func(t *test) {
		t.exec(fastmigrate(0)...)
		t.migrate(notes)
		t.atHead(t.schema(notes))
	})
	t.claim("RefusesDatabaseOfFastmigrateWithOtherTables", func(t *test) {
		t.exec(append(fastmigrate(2), "DROP TABLE tags")...)
		t.refuses(t.schema(upTo(2, notes)), lockstep.ErrDrift,
			"data.db: at version 0002, but its tables differ: table tags: missing; to start anyway, allow d1:…")
	})
	t.claim("FastmigrateReadsTheVersion", func(t *test) {
		t.migrate(upTo(5, notes))
		t.same("version", t.query("SELECT version FROM _meta WHERE id = 1"), "5")
		t.same("table", t.query("SELECT sql FROM sqlite_master WHERE name = '_meta'"), fastmigrate(0)[0])
		python, err := exec.LookPath("python3")
		if err != nil {
			t.Skip("no python3")
		}
		const program = `import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT version FROM _meta WHERE id = 1").fetchone()[0])`
		out, err := exec.Command(python, "-c", program, t.path).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.same("version", string(out), "5\n")
	})
}

// notesSQL and notesFingerprint are what the generator records of the notes. Its SQLite is
// not the tested driver's.
const (
	notesSQL = `CREATE TABLE "notes" (id INTEGER PRIMARY KEY, title TEXT NOT NULL CHECK (title <> ';'), body TEXT);

CREATE TABLE tags (
	note INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE,
	tag TEXT NOT NULL CHECK (tag <> ''),
	PRIMARY KEY (note, tag)
);
CREATE INDEX tags_by_tag ON tags (tag);
CREATE TRIGGER lower_tags AFTER INSERT ON tags BEGIN
	UPDATE tags SET tag = CASE tag WHEN 'A;' THEN 'a;' ELSE lower(tag) END WHERE note = new.note AND tag = new.tag;
END;

CREATE VIEW list AS SELECT title, count(tag) AS tags FROM notes LEFT JOIN tags ON note = id GROUP BY id;
`
	notesFingerprint = "s1:6aef7d987a5ba0044860c9a2c59ca616"
)

// litestream makes the tables that Litestream adds to a database that it replicates.
var litestream = []string{
	"CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)",
	"CREATE TABLE _litestream_lock (id INTEGER)",
	"INSERT INTO _litestream_seq VALUES (1, 1)",
}

// fastmigrate returns the statements with which Python's fastmigrate makes a database at
// version n of the notes.
func fastmigrate(n int) []string {
	statements := []string{`CREATE TABLE _meta (
                            id INTEGER PRIMARY KEY CHECK (id = 1),
                            version INTEGER NOT NULL DEFAULT 0
                        )`,
		"INSERT INTO _meta (id, version) VALUES (1, 0)"}
	files := files(notes)
	for _, f := range []string{"0001-notes.sql", "0002-tags.sql"}[:n] {
		for _, q := range strings.SplitAfter(files[f], ";\n") {
			if q != "" {
				statements = append(statements, q)
			}
		}
	}
	return append(statements, "UPDATE _meta SET version = "+string('0'+rune(n))+" WHERE id = 1")
}

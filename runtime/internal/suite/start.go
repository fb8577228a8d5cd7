package suite

import (
	"runtime/debug"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

func starts(t *test) {
	t.claim("CreatesNewDatabase", func(t *test) {
		for _, s := range []Settings{{}, {ForeignKeys: true}, {Journal: "wal", BusyTimeout: time.Second, ForeignKeys: true}} {
			t := newTest(t.T, t.driver)
			db := t.pool(s)
			settings := t.settings(db)
			if err := lockstep.Migrate(t.Context(), db, t.schema(notes)); err != nil {
				t.Fatal(err)
			}
			t.same("settings", t.settings(db), settings)
			t.atHead(t.schema(notes))
			t.same("list", t.query("SELECT title, tags FROM list"), "first|2\nsecond|1\nthird|0")
			t.same("bodies", t.query("SELECT body FROM notes"), "about first\nabout second\nabout third")
		}
	})
	t.claim("UpgradesFromEveryVersion", func(t *test) {
		t.migrate(notes)
		want := t.query("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name")
		for n := 1; n <= 5; n++ {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(n, notes))
			t.migrate(notes)
			t.atHead(t.schema(notes))
			t.same("schema", t.query("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name"), want)
			t.same("list", t.query("SELECT title, tags FROM list"), "first|2\nsecond|1\nthird|0")
		}
	})
	t.claim("WorksWithOneConnection", func(t *test) {
		db := t.open(Settings{ForeignKeys: true})
		db.SetMaxOpenConns(1)
		for n := 1; n <= 6; n++ {
			s := t.schema(upTo(n, notes))
			if err := lockstep.Migrate(t.Context(), db, s); err != nil {
				t.Fatal(err)
			}
			if err := lockstep.Check(t.Context(), db, s); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.claim("RecordsWhatItDid", func(t *test) {
		begun := time.Now().UTC().Truncate(time.Second)
		t.migrate(upTo(2, notes))
		s := t.schema(upTo(3, notes))
		t.migrate(upTo(3, notes))
		program := "a test" // what the build of this test says
		if info, ok := debug.ReadBuildInfo(); ok {
			program = info.Main.Path
			if v := info.Main.Version; v != "" && v != "(devel)" {
				program += "@" + v
			}
		}
		var want []string
		for _, m := range s.Migrations {
			want = append(want, m.Version.String()[3:]+"|"+m.File+"|"+m.Checksum+"|"+program)
		}
		t.same("history", t.query("SELECT version, file, checksum, program FROM _lockstep_history"), strings.Join(want, "\n"))
		t.same("seal", t.query("SELECT version, digest, fingerprint FROM _lockstep_history WHERE digest IS NOT NULL OR fingerprint IS NOT NULL OR cookie IS NOT NULL"),
			"3|"+s.Digest+"|"+s.Fingerprint)
		t.same("cookie", t.query("SELECT cookie = schema_version FROM _lockstep_history, pragma_schema_version WHERE version = 3"), "1")
		t.same("version", t.query("SELECT id, version FROM _meta"), "1|3")
		for _, at := range strings.Split(t.query("SELECT applied_at || '' FROM _lockstep_history WHERE duration_ms BETWEEN 0 AND 60000"), "\n") {
			when, err := time.Parse(time.RFC3339, at)
			if err != nil || when.Before(begun) || when.After(time.Now()) || !strings.HasSuffix(at, "Z") {
				t.Errorf("applied at %q, want a time in UTC since %v", at, begun)
			}
		}
	})
}

func runsStatements(t *test) {
	t.claim("RunsATriggerOfSeveralStatementsAsOne", func(t *test) {
		s := t.schema(`
-- 0001-notes.sql --
CREATE TABLE notes (title);
CREATE TRIGGER trim AFTER INSERT ON notes BEGIN UPDATE notes SET title = trim(title); END;
INSERT INTO notes VALUES (' a ');
`)
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
			t.Error(err)
		}
		t.same("notes", t.query("SELECT title FROM notes"), "a")
	})
	t.claim("LineEndsAndByteOrderMarkMakeNoDifference", func(t *test) {
		const lf = "CREATE TABLE poems (\n\tid INTEGER PRIMARY KEY, -- a comment\n\t/* another; one */ text TEXT\n);\n" +
			"INSERT INTO poems (text) VALUES ('one\ntwo;\n-- three''s'), ('tab\there');\n" +
			"CREATE/**/TRIGGER t AFTER DELETE ON poems BEGIN\n\tSELECT CASE WHEN 1 THEN ';' END;\nEND;\n" +
			"CREATE TABLE [a;b] (\"c;--d\" TEXT, `e;f` TEXT);\n" +
			"INSERT INTO poems (text) VALUES ('last')"
		want := ""
		for _, text := range []string{
			lf, lf + " -- and a comment", lf + "; /* open",
			strings.ReplaceAll(lf, "\n", "\r\n"),
			"\uFEFF" + lf,
			"\uFEFF" + strings.ReplaceAll(lf, "\n", "\r\n") + ";\r\n",
		} {
			t := newTest(t.T, t.driver)
			s := t.schemaOf(map[string]string{"0001-poems.sql": text})
			if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
				t.Fatal(err)
			}
			got := t.query("SELECT text FROM poems") + "\n" + t.query("SELECT sql FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'")
			if want == "" {
				want = got
				t.same("rows", t.query("SELECT text FROM poems"), "one\ntwo;\n-- three's\ntab\there\nlast")
				t.same("table", t.query("SELECT sql FROM sqlite_master WHERE name = 'poems'"),
					"CREATE TABLE poems (\n\tid INTEGER PRIMARY KEY, -- a comment\n\t/* another; one */ text TEXT\n)")
			}
			t.same("what arrived", got, want)
		}
	})
	t.claim("RunsALineOfFiveMegabytes", func(t *test) {
		long := strings.Repeat("x;'' ", 1<<20)
		s := t.schemaOf(map[string]string{"0001-long.sql": "CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('" + long + "');"})
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
			t.Fatal(err)
		}
		if got := t.query("SELECT v FROM t"); got != strings.ReplaceAll(long, "''", "'") {
			t.Errorf("got %d bytes, want %d", len(got), len(long)-1<<20)
		}
	})
}

package migratetest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/migratetest"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

const notes = `
-- 0001-notes.sql --
CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, tags TEXT);
-- 0002-tags.sql --
CREATE TABLE tags (note INTEGER NOT NULL REFERENCES notes, tag TEXT NOT NULL);
INSERT INTO tags SELECT id, tags FROM notes WHERE tags <> '';
-- 0003-rebuild-notes.sql --
CREATE TABLE notes_new (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
INSERT INTO notes_new SELECT id, title FROM notes;
DROP TABLE notes;
ALTER TABLE notes_new RENAME TO notes;
-- 0004-smaller.sql --
-- lockstep: no-transaction
VACUUM;
-- 0005-delete-drafts.sql --
DELETE FROM notes WHERE title = 'draft';
DELETE FROM tags WHERE note NOT IN (SELECT id FROM notes);
`

func TestAt(t *testing.T) {
	s := schema(t, notes, gen.Options{})
	t.Run("IsWhatTheRealMigrationsMake", func(t *testing.T) {
		for _, v := range []lockstep.Version{0, 1, 2, 3, 4, 5} {
			db := migratetest.At(t, s, v)
			want := []string{fmt.Sprint(int(v))}
			if got := db.Rows("SELECT version FROM _meta"); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if got := db.Rows("SELECT count(*) FROM _lockstep_history"); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
	t.Run("KeepsTheRowsThatWereInsertedUnderway", func(t *testing.T) {
		db := migratetest.At(t, s, 1).
			Exec("INSERT INTO notes VALUES (?, ?, ?), (8, 'Soup', NULL)", 7, "Bread", "kitchen").
			To(2).
			Exec("INSERT INTO tags VALUES (8, 'quick')").
			To(s.Expected)
		got := db.Rows("SELECT * FROM notes LEFT JOIN tags ON note = id ORDER BY id")
		if want := []string{"7|Bread|7|kitchen", "8|Soup|8|quick"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := lockstep.Check(t.Context(), db.DB, s); err != nil {
			t.Error(err)
		}
	})
	t.Run("PrintsNothingForNull", func(t *testing.T) {
		got := migratetest.At(t, s, 0).Rows("SELECT NULL, 1.5, x'61', 'b' UNION ALL SELECT 1, 2, 3, 4 WHERE ?", true)
		if want := []string{"|1.5|a|b", "1|2|3|4"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("AllowsARowToGoWhenTold", func(t *testing.T) {
		migratetest.At(t, s, 4).Exec("INSERT INTO notes VALUES (1, 'draft')").Loses("NOTES").To(5)
	})
	t.Run("FillsTables", func(t *testing.T) {
		db := migratetest.At(t, s, 2).Fill()
		want := []string{"1|title 2|tags 3", "4|title 5|tags 6", "7|title 8|", "9|title 2|tags 3", "10|TITLE 2|TAGS 3", "11|title 2 |tags 3 ", "12||"}
		if got := db.Rows("SELECT * FROM notes"); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := db.To(5).Rows("SELECT count(*), count(DISTINCT note) FROM tags"); !slices.Equal(got, []string{"12|7"}) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("PassesOverWhatAVirtualTableKeeps", func(t *testing.T) {
		// The index of one row is smaller than that of two.
		s := schema(t, search+"-- 0003-optimize.sql --\nINSERT INTO search (search) VALUES ('optimize');\n", gen.Options{})
		migratetest.At(t, s, 2, migratetest.Open(openSearch)).Exec("INSERT INTO search VALUES ('a')").Exec("INSERT INTO search VALUES ('b')").To(3)
	})
	t.Run("OpensAsTheProgramDoes", func(t *testing.T) {
		s := schema(t, search, gen.Options{})
		db := migratetest.At(t, s, 1, migratetest.Open(openSearch))
		got := db.Exec("INSERT INTO search VALUES ('a b')").To(2).Rows("SELECT text FROM search('b')")
		if want := []string{"a b"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

const slug = `
-- 0001-a.sql --
CREATE TABLE a (x);
-- 0002-slug.sql --
ALTER TABLE a ADD COLUMN slug TEXT NOT NULL;
`

const search = `
-- 0001-search.sql --
CREATE VIRTUAL TABLE search USING fts5 (text);
-- 0002-more.sql --
CREATE TABLE more (x);
`

func openSearch(path string) (*sql.DB, error) {
	return driver.Open("file:"+filepath.ToSlash(path), func(c *sqlite3.Conn) error { return errors.Join(fts5.Register(c), rtree.Register(c)) })
}

func TestRun(t *testing.T) {
	t.Run("PassesWithEveryKindOfMigration", func(t *testing.T) { migratetest.Run(t, schema(t, notes, gen.Options{})) })
	t.Run("PassesWithOneMigration", func(t *testing.T) {
		migratetest.Run(t, schema(t, "-- 0001-a.sql --\nCREATE TABLE a (x);\n", gen.Options{}))
	})
	t.Run("PassesWithGaps", func(t *testing.T) {
		migratetest.Run(t, schema(t, "-- 0002-a.sql --\nCREATE TABLE a (x);\n-- 0007-b.sql --\nCREATE TABLE b (x);\n", gen.Options{Gaps: true}))
	})
	t.Run("PassesWithAWriteAheadLog", func(t *testing.T) {
		migratetest.Run(t, schema(t, "-- 0001-a.sql --\nCREATE TABLE a (x);\n-- 0002-wal.sql --\n-- lockstep: no-transaction\nPRAGMA journal_mode = wal;\n-- 0003-b.sql --\nCREATE TABLE b (x);\n", gen.Options{}))
	})
	t.Run("PassesWithModulesOfTheProgram", func(t *testing.T) {
		migratetest.Run(t, schema(t, search, gen.Options{}), migratetest.Open(openSearch))
	})
	t.Run("PassesWithMigrationsInGo", func(t *testing.T) {
		s := schema(t, "-- 0001-a.sql --\nCREATE TABLE a (x);\n-- 0002-fill.sql --\nINSERT INTO a VALUES (1);\n", gen.Options{})
		text := []byte("package migrations\n")
		fill := lockstep.Go(func(ctx context.Context, tx lockstep.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO a VALUES (1)")
			return err
		})
		s.Migrations[1] = lockstep.Migration{Version: 2, File: "0002-fill.go", Checksum: fill.Checksum(text), Program: fill}
		s.Digest = digest(s.Migrations)
		files := s.Files.(fstest.MapFS)
		delete(files, "0002-fill.sql")
		files["0002-fill.go"] = &fstest.MapFile{Data: text}
		migratetest.Run(t, s)
	})
	t.Run("PassesWhenAnEarlierMigrationFailsOnRows", func(t *testing.T) {
		migratetest.Run(t, schema(t, slug+"-- 0003-b.sql --\nCREATE TABLE b (x);\n", gen.Options{}))
	})
	t.Run("PassesWhenTheNewestFailsOnWhatItAssumes", func(t *testing.T) {
		migratetest.Run(t, schema(t, "-- 0001-a.sql --\nCREATE TABLE a (x);\n-- 0002-b.sql --\nCREATE TABLE b (x);\n-- lockstep: assumes no two have the same x\nCREATE UNIQUE INDEX a_by_x ON a (x);\n", gen.Options{}))
	})
	t.Run("PassesWithMoreMigrationsThanItRunsAtOnce", func(t *testing.T) {
		var b strings.Builder
		for i := range 68 {
			fmt.Fprintf(&b, "-- %04d-t.sql --\nCREATE TABLE t%d (x);\n", i+1, i)
		}
		migratetest.Run(t, schema(t, b.String(), gen.Options{}))
	})
}

// fails are the tests of programs with something wrong, and what they print.
var fails = []struct {
	claim string
	test  func(t *testing.T)
	want  string
}{
	{"ARowIsLost", func(t *testing.T) {
		s := schema(t, notes, gen.Options{})
		migratetest.At(t, s, 4).Exec("INSERT INTO notes VALUES (1, 'a'), (2, 'draft')").To(5)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/ARowIsLost
        x.go: from version 0004 to 0005: table notes: 2 rows before, 1 after; if intended, call Loses("notes") first
`},
	{"LosesIsForOneUpgrade", func(t *testing.T) {
		s := schema(t, notes, gen.Options{})
		migratetest.At(t, s, 2).Exec("INSERT INTO notes VALUES (1, 'draft', '')").Loses("notes").To(3).To(5)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/LosesIsForOneUpgrade
        x.go: from version 0003 to 0005: table notes: 1 rows before, 0 after; if intended, call Loses("notes") first
`},
	{"ATableNamedLikeAShadowTableLosesRows", func(t *testing.T) {
		s := schema(t, "-- 0001-docs.sql --\nCREATE VIRTUAL TABLE docs USING fts5 (body);\nCREATE TABLE docs_owners (owner);\n-- 0002-delete.sql --\nDELETE FROM docs_owners WHERE owner > 1;\n", gen.Options{})
		migratetest.At(t, s, 1, migratetest.Open(openSearch)).Exec("INSERT INTO docs_owners VALUES (1), (2), (3)").To(2)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/ATableNamedLikeAShadowTableLosesRows
        x.go: from version 0001 to 0002: table docs_owners: 3 rows before, 1 after; if intended, call Loses("docs_owners") first
`},
	{"AnRTreeLosesRows", func(t *testing.T) {
		s := schema(t, "-- 0001-places.sql --\nCREATE VIRTUAL TABLE places USING rtree (id, x0, x1);\n-- 0002-delete.sql --\nDELETE FROM places;\n", gen.Options{})
		migratetest.At(t, s, 1, migratetest.Open(openSearch)).Exec("INSERT INTO places VALUES (1, 0, 1)").To(2)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/AnRTreeLosesRows
        x.go: from version 0001 to 0002: table places: 1 rows before, 0 after; if intended, call Loses("places") first
`},
	{"AMigrationDoesNotFitTheRows", func(t *testing.T) {
		s := schema(t, "-- 0001-a.sql --\nCREATE TABLE a (x);\n-- 0002-b.sql --\nCREATE TABLE b (x);\nCREATE UNIQUE INDEX a_by_x ON a (x);\n", gen.Options{})
		migratetest.At(t, s, 1).Exec("INSERT INTO a VALUES (1), (1)").To(2)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/AMigrationDoesNotFitTheRows
        x.go: data.db: 0002-b.sql:2: UNIQUE constraint failed: a.x: rowid 1 and 2; rolled back, still at 0001
`},
	{"ARowLosesItsParent", func(t *testing.T) {
		s := schema(t, "-- 0001-a.sql --\nCREATE TABLE a (id INTEGER PRIMARY KEY);\nCREATE TABLE b (a REFERENCES a);\n-- 0002-delete.sql --\nDELETE FROM a WHERE id > 1;\n", gen.Options{})
		migratetest.At(t, s, 1).Exec("INSERT INTO a VALUES (1), (2)").Exec("INSERT INTO b VALUES (1), (2)").To(2)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/ARowLosesItsParent
        x.go: data.db: the upgrade to 0002 leaves rows without a parent: table b, parent a: rowid 2; rolled back, still at 0001
`},
	{"ARowBreaksACheck", func(t *testing.T) {
		s := schema(t, "-- 0001-a.sql --\nCREATE TABLE a (x CHECK (x > 0));\n-- 0002-ignore.sql --\nPRAGMA ignore_check_constraints = ON;\nUPDATE a SET x = -x;\n", gen.Options{})
		migratetest.At(t, s, 1).Exec("INSERT INTO a VALUES (1)").To(2)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/ARowBreaksACheck
        x.go: data.db: at version 0002: integrity_check: CHECK constraint failed in a
`},
	{"TheNewestMigrationFailsOnRows", func(t *testing.T) { migratetest.Run(t, schema(t, slug, gen.Options{})) }, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/TheNewestMigrationFailsOnRows
        --- FAIL: TestFailing/TheNewestMigrationFailsOnRows/From0001WithRows
            x.go: filled-0001.db: 0002-slug.sql:1: Cannot add a NOT NULL column with default value NULL; rolled back, still at 0001
`},
	{"TheNewestMigrationLosesRows", func(t *testing.T) {
		migratetest.At(t, schema(t, notes, gen.Options{}), 4).Exec("INSERT INTO notes VALUES (1000, 'draft')").Fill().To(5)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/TheNewestMigrationLosesRows
        x.go: from version 0004 to 0005: table notes: 7 rows before, 6 after; if intended, call Loses("notes") first
`},
	{"TheSeedIsWrong", func(t *testing.T) {
		migratetest.At(t, schema(t, notes, gen.Options{}), 2).Exec("INSERT INTO notes (titel) VALUES ('a')")
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/TheSeedIsWrong
        x.go: at version 0002: sqlite3: SQL logic error: table notes has no column named titel: INSERT INTO notes (titel) VALUES ('a')
`},
	{"TheVersionIsNone", func(t *testing.T) { migratetest.At(t, schema(t, notes, gen.Options{}), 6) }, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/TheVersionIsNone
        x.go: no migration 0006; the last is 0005
`},
	{"ThereIsNoWayDown", func(t *testing.T) { migratetest.At(t, schema(t, notes, gen.Options{}), 3).To(2) }, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/ThereIsNoWayDown
        x.go: at version 0003; there is no way down to 0002
`},
	{"TheModuleIsTheProgramsOwn", func(t *testing.T) { migratetest.Run(t, schema(t, search, gen.Options{})) }, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/TheModuleIsTheProgramsOwn
        --- FAIL: TestFailing/TheModuleIsTheProgramsOwn/NewDatabase
            x.go: new.db: 0001-search.sql:1: no such module: fts5; rolled back, still at 0000; SQLite is ` + sqlite.Generator + ` here, ` + sqlite.Generator + ` in the generator
                	if the program adds it to SQLite, have the test do so: migratetest.Open
`},
	{"AnEarlierMigrationWasEdited", func(t *testing.T) {
		s := schema(t, notes, gen.Options{})
		s.Files.(fstest.MapFS)["0002-tags.sql"].Data = []byte("SELECT 1;")
		migratetest.Run(t, s)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/AnEarlierMigrationWasEdited
        --- FAIL: TestFailing/AnEarlierMigrationWasEdited/GeneratedCodeIsCurrent
            x.go: 0002-tags.sql: changed since lockstep_gen.go was generated; generate before building
                	go generate ./...
`},
	{"AMigrationIsNotGenerated", func(t *testing.T) {
		s := schema(t, notes, gen.Options{})
		s.Files.(fstest.MapFS)["0006-more.sql"] = &fstest.MapFile{Data: []byte("SELECT 1;")}
		migratetest.Run(t, s)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/AMigrationIsNotGenerated
        --- FAIL: TestFailing/AMigrationIsNotGenerated/GeneratedCodeIsCurrent
            x.go: 0006-more.sql: embedded, but not in lockstep_gen.go; generate before building
                	go generate ./...
`},
	{"TheSchemaIsNotTheMigrations", func(t *testing.T) {
		s := schema(t, notes, gen.Options{})
		other := schema(t, "-- 0001-notes.sql --\nCREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT);\nCREATE TABLE places (x);\n", gen.Options{})
		s.SQL, s.Fingerprint = other.SQL, other.Fingerprint
		migratetest.Run(t, s)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/TheSchemaIsNotTheMigrations
        --- FAIL: TestFailing/TheSchemaIsNotTheMigrations/NewDatabase
            x.go: new.db: the upgrade to 0005 produced different tables: table notes: column title: want TEXT, found TEXT NOT NULL; table places: missing; rolled back, still at 0004
`},
	{"TheSchemaHasLess", func(t *testing.T) {
		s := schema(t, notes, gen.Options{})
		other := schema(t, "-- 0001-notes.sql --\nCREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL);\n", gen.Options{})
		s.SQL, s.Fingerprint = other.SQL, other.Fingerprint
		migratetest.Run(t, s)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/TheSchemaHasLess
        --- FAIL: TestFailing/TheSchemaHasLess/NewDatabase
            x.go: new.db: at version 0005, but its tables differ: table tags: not expected
`},
	{"AVersionUpgradesToAnotherSchema", func(t *testing.T) {
		// What a migration in Go does can depend on anything.
		s := schema(t, "-- 0001-a.sql --\nCREATE TABLE a (x);\n-- 0002-fill.sql --\nINSERT INTO a VALUES (1);\n-- 0003-b.sql --\nCREATE TABLE b (x);\n", gen.Options{})
		text := []byte("package migrations\n")
		program := lockstep.Go(func(ctx context.Context, tx lockstep.Tx) error {
			table := "b"
			err := tx.QueryRowContext(ctx, "SELECT 'c' FROM sqlite_schema WHERE name = '_meta'").Scan(&table)
			if err == nil || errors.Is(err, sql.ErrNoRows) {
				_, err = tx.ExecContext(ctx, "CREATE TABLE "+table+" (x)")
			}
			return err
		})
		s.Migrations[2] = lockstep.Migration{Version: 3, File: "0003-b.go", Checksum: program.Checksum(text), Program: program}
		s.Digest = digest(s.Migrations)
		files := s.Files.(fstest.MapFS)
		delete(files, "0003-b.sql")
		files["0003-b.go"] = &fstest.MapFile{Data: text}
		migratetest.Run(t, s)
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/AVersionUpgradesToAnotherSchema
        --- FAIL: TestFailing/AVersionUpgradesToAnotherSchema/From0000
            x.go: from-0000.db: the upgrade to 0003 produced different tables: table b: missing; rolled back, still at 0000
        --- FAIL: TestFailing/AVersionUpgradesToAnotherSchema/From0001
            x.go: from-0001.db: the upgrade to 0003 produced different tables: table b: missing; rolled back, still at 0001
        --- FAIL: TestFailing/AVersionUpgradesToAnotherSchema/From0002
            x.go: from-0002.db: the upgrade to 0003 produced different tables: table b: missing; rolled back, still at 0002
`},
	{"TheFileCannotBeOpened", func(t *testing.T) {
		migratetest.Run(t, schema(t, notes, gen.Options{}), migratetest.Open(func(path string) (*sql.DB, error) {
			return driver.Open("file:"+path, func(*sqlite3.Conn) error { return sqlite3.CANTOPEN })
		}))
	}, `
--- FAIL: TestFailing
    --- FAIL: TestFailing/TheFileCannotBeOpened
        --- FAIL: TestFailing/TheFileCannotBeOpened/NewDatabase
            x.go: cannot read the version: unable to open database file
`},
}

// TestFails runs the tests that fail in a process of their own, and reads what they
// print.
func TestFails(t *testing.T) {
	for _, fail := range fails {
		t.Run("When"+fail.claim, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFailing$/^"+fail.claim+"$")
			cmd.Env = append(os.Environ(), failing+"=1")
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("passes:\n%s", out)
			}
			got := string(out)
			for _, r := range []struct{ pattern, text string }{
				{`(?m) \([0-9.]+s\)$`, ""}, {`(?m)^(\s+)\w+\.go:\d+:`, "${1}x.go:"},
			} {
				got = regexp.MustCompile(r.pattern).ReplaceAllString(got, r.text)
			}
			got = strings.TrimSuffix(got, "FAIL\n")
			if want := strings.TrimPrefix(fail.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

const failing = "LOCKSTEP_TEST_FAILING"

func TestFailing(t *testing.T) {
	if os.Getenv(failing) == "" {
		t.Skip("fails on purpose; TestFails runs it")
	}
	for _, fail := range fails {
		t.Run(fail.claim, fail.test)
	}
}

// schema generates what a program expects that has these migrations.
func schema(t *testing.T, archive string, opts gen.Options) *lockstep.Schema {
	t.Helper()
	dir := t.TempDir()
	files := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	result, err := gen.Load(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	s := *result.Schema
	s.Files = files
	return &s
}

// digest returns the digest of migrations.
func digest(migrations []lockstep.Migration) string {
	var d sqltext.Digest
	for _, m := range migrations {
		d.Add(int(m.Version), m.Checksum)
	}
	return d.String()
}

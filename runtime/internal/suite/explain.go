package suite

import (
	"errors"
	"os"
	"strings"
	"testing/fstest"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

const users = `
-- 0001-users.sql --
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT);
CREATE INDEX u_n ON users (name);
CREATE TRIGGER stamp AFTER INSERT ON users BEGIN SELECT 1; END;
CREATE VIEW names AS SELECT name FROM users;
INSERT INTO users (name) VALUES ('Ann'), ('Ann');
`

func namesChanges(t *test) {
	for _, c := range []struct {
		name, migration string
		hand            []string
		want            string
	}{
		{"AnIndexThatIsMissing", "DROP INDEX u_n;", []string{"DROP INDEX u_n"}, "no such index: u_n; … index u_n is missing"},
		{"ATriggerThatIsMissing", "DROP TRIGGER stamp;", []string{"DROP TRIGGER stamp"}, "no such trigger: stamp; … trigger stamp is missing"},
		{"AViewThatIsMissing", "DROP VIEW names;", []string{"DROP VIEW names"}, "no such view: names; … view names is missing"},
		{"ATableThatIsMissing", "SELECT * FROM users;", []string{"DROP TABLE users"}, "no such table: users; … table users is missing; index u_n is missing; trigger stamp is missing"},
		{"AColumnThatIsMissing", "UPDATE users SET email = '';", []string{"ALTER TABLE users DROP COLUMN email"}, "no such column: email; … table users: column email: missing"},
		{"AColumnThatIsRenamed", "UPDATE users SET email = '';", []string{"ALTER TABLE users RENAME COLUMN email TO mail"},
			"no such column: email; … table users: column email: missing; column mail: not expected"},
		{"AColumnThatWasAdded", "ALTER TABLE users ADD COLUMN phone;", []string{"ALTER TABLE users ADD COLUMN phone TEXT"}, "duplicate column name: phone; … table users: column phone: not expected"},
		{"ATableThatWasAdded", "CREATE TABLE tags (tag);", []string{"CREATE TABLE Tags (tag)", "CREATE TABLE other (n)"}, "table tags already exists; … table Tags was added"},
		{"AnIndexThatWasAdded", "CREATE INDEX by_email ON users (email);", []string{"CREATE INDEX by_email ON users (name)"}, "index by_email already exists; … index by_email was added"},
		{"AViewThatWasAdded", "ALTER TABLE users DROP COLUMN email;", []string{"CREATE VIEW emails AS SELECT email FROM users"},
			"error in view emails after drop column: no such column: email; … view emails was added"},
		{"ATriggerThatWasAdded", "DELETE FROM users;", []string{"CREATE TRIGGER keep BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'keep them'); END"}, "keep them; … trigger keep was added"},
		{"AUniqueIndexThatWasAdded", "UPDATE users SET email = 'x';", []string{"CREATE UNIQUE INDEX by_email ON users (email)"}, "UNIQUE constraint failed: users.email; … index by_email was added"},
		{"AnIndexThatIsDifferent", "UPDATE users SET name = NULL;", []string{"DROP INDEX u_n", "CREATE INDEX u_n ON users (email)"},
			"NOT NULL constraint failed: users.name; … index u_n: want ON users (name), found ON users (email)"},
	} {
		t.claim("Names"+c.name, func(t *test) {
			for kind, opts := range map[string][]lockstep.Option{"": nil, "-- lockstep: no-transaction\n": nil, "\n": {lockstep.WithPerMigration()}} {
				t := newTest(t.T, t.driver)
				t.migrate(users)
				s := t.broken(users, kind+c.migration)
				t.exec(c.hand...)
				before := t.state()
				err := lockstep.Migrate(t.Context(), t.open(Settings{ForeignKeys: true}), s, opts...)
				line, state := "1", "; rolled back, still at 0001"
				if kind != "" {
					line = "2"
				}
				if strings.HasPrefix(kind, "--") {
					state = "; still at 0001"
				}
				want := strings.Replace(c.want, "; …", state+"; tables were changed since 0001:", 1)
				t.says(err, "data.db: 0002-next.sql:"+line+": "+want)
				t.same("state", t.state(), before)
			}
		})
	}
}

func namesNoChanges(t *test) {
	const unique = "CREATE UNIQUE INDEX one ON users (name);"
	const failed = "UNIQUE constraint failed: users.name: rowid 1 and 2; rolled back, still at 0001"
	for _, c := range []struct {
		name string
		hand []string
	}{
		{"IfThereAreNone", nil},
		{"OfWording", []string{"DROP INDEX u_n", "create index U_N on [users] (NAME) -- by hand", "VACUUM"}},
		{"ThatHaveNothingToDoWithIt", append([]string{"CREATE TABLE other (n)", "CREATE INDEX by_email ON users (email)"}, litestream...)},
	} {
		t.claim("NamesNoChanges"+c.name, func(t *test) {
			t.migrate(users)
			t.exec(c.hand...)
			t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), t.broken(users, unique)), "data.db: 0002-next.sql:1: "+failed)
		})
	}
	t.claim("NamesWhatTheMigrationAssumes", func(t *test) {
		t.migrate(users)
		s := t.broken(users, "UPDATE users SET email = NULL; -- lockstep: assumes nothing\n-- lockstep: assumes no two users share a name\n"+unique+"\nSELECT 1; -- lockstep: assumes nothing")
		t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s),
			"data.db: 0002-next.sql:3: UNIQUE constraint failed: users.name: rowid 1 and 2, though the migration assumes no two users share a name; rolled back, still at 0001")
	})
	t.claim("NamesNoChangesOfTheMigrationItself", func(t *test) {
		t.migrate(users)
		s := t.broken(users, "-- lockstep: no-transaction\nDROP INDEX IF EXISTS u_n;\nUPDATE users SET name = NULL;")
		for _, want := range []string{"2", "2"} {
			t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s), "data.db: 0002-next.sql:3: NOT NULL constraint failed: users.name; still at 0001, but line "+want+" took effect")
		}
	})
	t.claim("NamesNoChangesAfterOtherMigrations", func(t *test) {
		t.migrate(strings.Replace(users, "email TEXT", "mail TEXT", 1))
		s := t.broken(users, unique)
		db := t.open(Settings{})
		e := (*lockstep.Error)(nil)
		if !errors.As(lockstep.Check(t.Context(), db, s), &e) {
			t.Fatal("no refusal")
		}
		t.says(lockstep.Migrate(t.Context(), db, s, lockstep.WithAllowed(e.Digest)), "data.db: 0002-next.sql:1: "+failed)
	})
}

func namesProvenChanges(t *test) {
	t.claim("NamesChangesWithoutRunningOtherStatementsAgain", func(t *test) {
		copied := t.path + ".copy"
		archive := strings.Replace(users, "\nCREATE", "\n-- lockstep: no-transaction\nVACUUM INTO '"+copied+"';\nCREATE", 1)
		s := t.schema(archive)
		remove := func() {
			if err := os.Remove(copied); err != nil {
				t.Fatal(err)
			}
		}
		remove()
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
			t.Fatal(err)
		}
		remove()
		t.exec("DROP INDEX u_n")
		s = t.broken(archive, "DROP INDEX u_n;")
		remove()
		t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s), "data.db: 0002-next.sql:1: no such index: u_n; rolled back, still at 0001; tables were changed since 0001: index u_n is missing")
		if _, err := os.Stat(copied); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("made a file: %v", err)
		}
	})
	t.claim("NamesChangesAfterAProgramIfTheFingerprintTells", func(t *test) {
		for _, c := range []struct{ program, reason string }{
			{"SELECT 1", "; tables were changed since 0002: index u_n is missing"},
			{"CREATE TABLE more (n)", ""}, // is not replayed
		} {
			t := newTest(t.T, t.driver)
			programs := map[lockstep.Version]goFunc{2: executes(c.program)}
			archive := users + "-- 0002-program.go --\n" + c.program + ";\n"
			if err := lockstep.Migrate(t.Context(), t.open(Settings{}), t.goSchema(archive, programs)); err != nil {
				t.Fatal(err)
			}
			t.exec("DROP INDEX u_n")
			s := t.goSchema(archive+"-- 0003-next.sql --\nSELECT 1;\n", programs)
			setSQL(s, 2, "DROP INDEX u_n;")
			t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s), "data.db: 0003-next.sql:1: no such index: u_n; rolled back, still at 0002"+c.reason)
		}
	})
}

func namesVersions(t *test) {
	const same = "; SQLite is " + sqlite.Generator + " here, " + sqlite.Generator + " in the generator"
	for _, c := range []struct{ name, migration, want string }{
		{"AFunction", "UPDATE users SET name = slug(name);", "no such function: slug"},
		{"AnArgument", "SELECT lower(name, 1) FROM users;", "wrong number of arguments to function lower()"},
		{"AModule", "CREATE VIRTUAL TABLE v USING vectors(x);", "no such module: vectors"},
		{"ACollation", "CREATE TABLE t (a TEXT COLLATE klingon);", "no such collation sequence: klingon"},
		{"ATableFunction", "SELECT value FROM generate_numbers(1, 3);", "no such table: generate_numbers"},
		{"ATableOption", "CREATE TABLE t (a TEXT) STRICTER;", "unknown table option: STRICTER"},
		{"AKeyword", "DELETE FROM users RETURN id;", `near "RETURN": syntax error`},
		{"AToken", "SELECT 1 ->> 2 !> 3;", `unrecognized token: "!"`},
		{"WhatAViewUsesThatIsRead", "CREATE VIEW v AS SELECT slug(name) FROM users;\nSELECT * FROM v;", "no such function: slug"},
	} {
		t.claim("NamesVersionsIfSQLiteLacks"+c.name, func(t *test) {
			t.migrate(users)
			line := "1"
			if strings.Contains(c.migration, "\n") {
				line = "2"
			}
			t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), t.broken(users, c.migration)), "data.db: 0002-next.sql:"+line+": "+c.want+"; rolled back, still at 0001"+same)
		})
	}
	t.claim("NamesVersionsIfAProgramLacksAFunction", func(t *test) {
		t.migrate(users)
		s := t.goSchema(users+"-- 0002-program.go --\nSELECT 1;\n", map[lockstep.Version]goFunc{2: executes("SELECT slug(name) FROM users")})
		t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s), "data.db: 0002-program.go: SELECT slug(name) FROM users: no such function: slug; rolled back, still at 0001"+same)
	})
	for _, c := range []struct{ name, version, migration, want string }{
		{"NamesVersionsThatDifferIfAStatementCannotRun", "3.31.1", "SELECT json('{a: 1,,}');", "malformed JSON; rolled back, still at 0001; SQLite is 3.31.1 here, " + sqlite.Generator + " in the generator"},
		{"NamesVersionsThatDifferIfRowsDoNotFit", "3.31.1", "UPDATE users SET name = strftime('%!');", "NOT NULL constraint failed: users.name; rolled back, still at 0001; SQLite is 3.31.1 here, " + sqlite.Generator + " in the generator"},
		{"NamesNoVersionsThatAreTheSame", "", "SELECT json('{a: 1,,}');", "malformed JSON; rolled back, still at 0001"},
	} {
		t.claim(c.name, func(t *test) {
			t.migrate(users)
			db, tr := t.trace(Settings{})
			tr.version = c.version
			t.says(lockstep.Migrate(t.Context(), db, t.broken(users, c.migration)), "data.db: 0002-next.sql:1: "+c.want)
		})
	}
}

func triesWhatIsMade(t *test) {
	const lacks = "no such function: slug; rolled back, still at 0001; SQLite is " + sqlite.Generator + " here, " + sqlite.Generator + " in the generator"
	for _, c := range []struct{ name, migration, want string }{
		{"AView", "CREATE VIEW\n\tslugs AS SELECT slug(name) FROM users;", "1: view slugs: " + lacks},
		{"AViewThatWasThere", "DROP VIEW names;\nCREATE VIEW names AS SELECT slug(name) FROM users;", "2: view names: " + lacks},
		{"AViewOfATableFunction", "CREATE VIEW v AS SELECT value FROM slugs(1);", "1: view v: " + strings.Replace(lacks, "function: slug", "table: main.slugs", 1)},
		{"ATriggerOfInserts", "CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET name = slug(name); END;", "1: INSERT on users: " + lacks},
		{"ATriggerOfUpdates", "CREATE TRIGGER t AFTER UPDATE OF name ON users BEGIN SELECT slug(new.name); END;", "1: UPDATE on users: " + lacks},
		{"ATriggerOfDeletes", "CREATE TRIGGER t AFTER DELETE ON users WHEN slug(old.name) BEGIN SELECT 1; END;", "1: DELETE on users: " + lacks},
		{"ATriggerOfAView", "CREATE TRIGGER t INSTEAD OF UPDATE ON names BEGIN SELECT slug(new.name); END;", "1: UPDATE on names: " + lacks},
		{"ADefault", "CREATE TABLE t (a DEFAULT (slug('a')));\nALTER TABLE t RENAME TO t2;", "2: INSERT on t2: " + strings.Replace(lacks, "no such function: slug", "unknown function: slug()", 1)},
	} {
		t.claim("FailsIfSQLiteLacksWhatIsUsedBy"+c.name, func(t *test) {
			for _, opts := range [][]lockstep.Option{nil, {lockstep.WithPerMigration()}} {
				t := newTest(t.T, t.driver)
				t.migrate(users)
				s := t.broken(users, c.migration)
				t.fails(s, "data.db: 0002-next.sql:"+c.want, opts...)
			}
		})
	}
	t.claim("WhatSomebodyElseHasBrokenIsNoObstacle", func(t *test) {
		t.migrate(users)
		t.exec("CREATE TRIGGER broken AFTER UPDATE ON users BEGIN INSERT INTO log SELECT slug(new.name); END", "CREATE VIEW stray AS SELECT slug(a) FROM nowhere")
		t.migrate(users + "-- 0002-trigger.sql --\nCREATE TRIGGER t AFTER UPDATE ON users BEGIN SELECT 1; END;\n")
	})
}

// broken returns the schema of a program with another migration, which need not succeed.
func (t *test) broken(archive, migration string) *lockstep.Schema {
	t.Helper()
	s := t.schema(archive + "-- 0002-next.sql --\nSELECT 1;\n")
	setSQL(s, 1, migration)
	return s
}

// setSQL changes the text of a migration.
func setSQL(s *lockstep.Schema, i int, text string) {
	m := &s.Migrations[i]
	m.Checksum = sqltext.Parse(text).Checksum()
	s.Files.(fstest.MapFS)[m.File] = &fstest.MapFile{Data: []byte(text)}
	s.Digest = fixture.Digest(s.Migrations)
}

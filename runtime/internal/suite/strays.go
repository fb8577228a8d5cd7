package suite

import (
	"bytes"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// wares are a table that later migrations rebuild or drop.
const wares = "-- 0001-wares.sql --\nCREATE TABLE wares (id INTEGER PRIMARY KEY, name TEXT, n INTEGER);\nCREATE TABLE other (extra TEXT);\nINSERT INTO wares VALUES (1, 'tea', 1), (2, 'jam', 2), (3, 'rye', 3);\n"

// rebuildWares copies the columns that the migrations know.
const rebuildWares = "CREATE TABLE wares_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, n INTEGER);\nINSERT INTO wares_new SELECT id, name, n FROM wares;\nDROP TABLE wares;\nALTER TABLE wares_new RENAME TO wares;\n"

// Statements of an operator.
var (
	addExtra  = []string{"ALTER TABLE wares ADD COLUMN extra TEXT", "UPDATE wares SET extra = 'mine' WHERE id < 3"}
	addTmp    = []string{"CREATE TABLE tmp (a)", "INSERT INTO tmp VALUES (1)"}
	addDouble = append([]string{"ALTER TABLE other ADD COLUMN more", "INSERT INTO other (more) VALUES (7)"}, addExtra...)
)

// retyped gives a column of wares another type, and values that fit.
func retyped(typ, values string) []string {
	return []string{"CREATE TABLE w (id INTEGER PRIMARY KEY, name TEXT, n " + typ + ")", "INSERT INTO w VALUES " + values, "DROP TABLE wares", "ALTER TABLE w RENAME TO wares"}
}

func refusesToLose(t *test) {
	const extra = "table wares: column extra, with values in 2 rows"
	for _, c := range []struct {
		name, next string
		made       []string
		want       string // the migration, and what it loses
	}{
		{"AColumnOfARebuiltTable", "-- 0002-rebuild.sql --\n" + rebuildWares, addExtra, "0002-rebuild.sql|" + extra},
		{"AColumnOfATableThatIsRenamedBefore", "-- 0002-rename.sql --\nALTER TABLE Wares RENAME TO goods;\n-- 0003-drop.sql --\nDROP TABLE goods;\n", addExtra, "0003-drop.sql|" + extra},
		{"AColumnOfATableThatIsRenamedAway", "-- 0002-rebuild.sql --\nALTER TABLE wares RENAME TO old;\nCREATE TABLE wares (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO wares SELECT id, name FROM old;\nDROP TABLE old;\n", addExtra, "0002-rebuild.sql|" + extra},
		{"AColumnOfADroppedTable", "-- 0002-drop.sql --\nDROP TABLE IF EXISTS main.\"Wares\";\n", addExtra, "0002-drop.sql|" + extra},
		{"AColumnThatTheMigrationMakesToo", "-- 0002-rebuild.sql --\n" + strings.NewReplacer("n INTEGER)", "n INTEGER, extra TEXT DEFAULT NULL)", "wares_new SELECT", "wares_new (id, name, n) SELECT").Replace(rebuildWares), addExtra, "0002-rebuild.sql|" + extra},
		{"ColumnsOfTwoTables", "-- 0002-rebuild.sql --\nDROP TABLE other;\n" + rebuildWares, addDouble, "0002-rebuild.sql|" + extra + "; table other: column more, with values in 1 row"},
		{"AColumnWithAnOddName", "-- 0002-rebuild.sql --\n" + rebuildWares, []string{`ALTER TABLE wares ADD COLUMN "a""; b"`, `UPDATE wares SET "a""; b" = 1`}, `0002-rebuild.sql|table wares: column a"; b, with values in 3 rows`},
		{"ATable", "-- 0002-tmp.sql --\nDROP TABLE IF EXISTS tmp;\nCREATE TABLE tmp (a);\nINSERT INTO tmp SELECT id FROM wares;\n", addTmp, "0002-tmp.sql|table tmp, with values in 1 row"},
		{"WhatAProgramLoses", "-- 0002-program.go --\n" + rebuildWares, addExtra, "0002-program.go|" + extra},
		{"ATableThatAProgramDrops", "-- 0002-program.go --\nDROP TABLE IF EXISTS tmp;\n", addTmp, "0002-program.go|table tmp, with values in 1 row"},
		{"ZerosThatMakeATextNoNumber", "-- 0002-rebuild.sql --\n" + rebuildWares, retyped("TEXT", "(1, 'a', '007'), (2, 'b', '7')"), "0002-rebuild.sql|table wares: column n, with values in 1 row"},
		{"TheLastZeroOfANumber", "-- 0002-rebuild.sql --\n" + rebuildWares, retyped("TEXT", "(1, 'a', '1.10')"), "0002-rebuild.sql|table wares: column n, with values in 1 row"},
		{"Fractions", "-- 0002-rebuild.sql --\n" + strings.Replace(rebuildWares, "name, n", "name, CAST(n AS INTEGER)", 1), retyped("REAL", "(1, 'a', 1.5), (2, 'b', 2.5), (3, 'c', 3.0)"), "0002-rebuild.sql|table wares: column n, with values in 2 rows"},
		{"Words", "-- 0002-rebuild.sql --\n" + strings.Replace(rebuildWares, "name, n", "name, n + 0", 1), retyped("ANY", "(1, 'a', 'many'), (2, 'b', 2)"), "0002-rebuild.sql|table wares: column n, with values in 1 row"},
	} {
		t.claim("RefusesToLose"+c.name, func(t *test) {
			t.migrate(wares)
			t.exec(c.made...)
			file, what, _ := strings.Cut(c.want, "|")
			archive := wares + c.next
			s := t.schema(strings.Replace(archive, ".go --", ".sql --", 1))
			if _, program, ok := strings.Cut(archive, "-- 0002-program.go --\n"); ok {
				s = t.goSchema(archive, map[lockstep.Version]goFunc{2: executes(program)})
			}
			t.mayLose(s, "data.db: "+file+" loses what no migration made: "+what+"; rolled back, still at 0001")
		})
	}
	for _, c := range []struct {
		name, next, want string
		sql              []string
		opts             []lockstep.Option
	}{
		{"WithoutAFingerprint", "-- 0002-rebuild.sql --\n" + rebuildWares, "0002-rebuild.sql|0001", []string{"UPDATE _lockstep_history SET fingerprint = NULL"}, nil},
		{"ThatAnotherToolMade", "-- 0002-rebuild.sql --\n" + rebuildWares, "0002-rebuild.sql|0001", []string{"DROP TABLE _lockstep_history"}, nil},
		{"AfterAnotherTransaction", "-- 0002-more.sql --\nCREATE TABLE more (n);\n-- 0003-rebuild.sql --\n" + rebuildWares, "0003-rebuild.sql|0002", nil, []lockstep.Option{lockstep.WithPerMigration()}},
		{"WithoutATransaction", "-- 0002-more.sql --\nCREATE TABLE more (n);\n-- 0003-rebuild.sql --\n-- lockstep: no-transaction\n" + rebuildWares, "0003-rebuild.sql|0002", nil, nil},
	} {
		t.claim("RefusesToLoseAColumn"+c.name, func(t *test) {
			t.migrate(wares)
			t.exec(append(c.sql, addExtra...)...)
			s := t.schema(wares + c.next)
			file, at, _ := strings.Cut(c.want, "|")
			want := "data.db: " + file + " loses what no migration made: " + extra + "; rolled back, still at " + at
			if at != "0001" { // which is committed first
				t.isRefusal(lockstep.Migrate(t.Context(), t.open(Settings{}), s, c.opts...), lockstep.ErrDrift, want+"; to start anyway, allow d1:…")
			}
			t.mayLose(s, want, c.opts...)
		})
	}
	t.claim("RefusesToLoseAColumnOfAnEnrolledDatabase", func(t *test) {
		t.migrate(wares)
		t.exec("DROP TABLE _meta", "DROP TABLE _lockstep_history")
		if err := lockstep.Enroll(t.Context(), t.open(Settings{}), t.schema(wares)); err != nil {
			t.Fatal(err)
		}
		t.exec(addExtra...)
		t.mayLose(t.schema(wares+"-- 0002-rebuild.sql --\n"+rebuildWares), "data.db: 0002-rebuild.sql loses what no migration made: "+extra+"; rolled back, still at 0001")
	})
	t.claim("RefusesToLoseAColumnThatNoProgramNames", func(t *test) {
		// What programs have made is not known, but they would have named it.
		archive := wares + "-- 0002-program.go --\nALTER TABLE wares ADD COLUMN made;\n"
		programs := map[lockstep.Version]goFunc{2: executes("ALTER TABLE wares ADD COLUMN made")}
		s := t.goSchema(archive, programs)
		setText(s, 1, "package migrations // wares, made")
		if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s); err != nil {
			t.Fatal(err)
		}
		t.exec("ALTER TABLE wares ADD COLUMN mine", "UPDATE wares SET mine = 1, made = 2")
		s = t.goSchema(archive+"-- 0003-rebuild.sql --\n"+rebuildWares, programs)
		setText(s, 1, "package migrations // wares, made")
		t.mayLose(s, "data.db: 0003-rebuild.sql loses what no migration made: table wares: column mine, with values in 3 rows; rolled back, still at 0002")
	})
}

// mayLose fails the test unless an upgrade of the file is refused with this text, and takes
// place if that is allowed.
func (t *test) mayLose(s *lockstep.Schema, want string, opts ...lockstep.Option) {
	t.Helper()
	before := t.state()
	err := lockstep.Migrate(t.Context(), t.open(Settings{}), s, opts...)
	e := t.isRefusal(err, lockstep.ErrDrift, want+"; to start anyway, allow d1:…")
	t.same("state", t.state(), before)
	var b bytes.Buffer
	if err := lockstep.Migrate(t.Context(), t.open(Settings{}), s, append(opts, lockstep.WithAllowed(e.Digest), t.logger(&b))...); err != nil {
		t.Fatalf("allowed: %v", err)
	}
	if n := strings.Count(b.String(), "refusal allowed"); n != 1 {
		t.Errorf("logged %d times what was allowed", n)
	}
	t.atHead(s)
}

func losesNothing(t *test) {
	for _, c := range []struct {
		name, next string
		made       []string
	}{
		{"AnIndexIsNoObstacle", rebuildWares, []string{"CREATE INDEX by_name ON wares (name)"}},
		{"AColumnWithoutValuesIsNoObstacle", rebuildWares, addExtra[:1]},
		{"ATableWithoutRowsIsNoObstacle", "DROP TABLE IF EXISTS tmp;\n", addTmp[:1]},
		{"AnotherTableIsNoObstacle", rebuildWares, addTmp},
		{"AColumnWhoseRowsAreDeletedIsNoObstacle", "CREATE TABLE kept AS SELECT * FROM wares WHERE id = 1;\nDROP TABLE wares;\nALTER TABLE kept RENAME TO wares;\n", addExtra},
		{"LitestreamIsNoObstacle", "DROP TABLE IF EXISTS _litestream_seq;\n", litestream},
		{"AnotherTypeIsNoObstacle", rebuildWares, retyped("TEXT", "(1, 'a', '7'), (2, 'b', NULL)")},
		{"AnotherTypeWhoseValuesAreCopiedIsNoObstacle", rebuildWares, retyped("ANY", "(1, 'a', 'many'), (2, 'b', 0.5)")},
		{"AColumnOfAnotherTypeThatIsDroppedIsNoObstacle", strings.NewReplacer(", n INTEGER", "", "name, n FROM", "name FROM").Replace(rebuildWares), retyped("TEXT", "(1, 'a', '007')")},
		{"AnUpdateIsNoObstacle", rebuildWares + "UPDATE wares SET name = 'x', n = 0;\n", []string{"CREATE INDEX by_name ON wares (name)"}},
	} {
		t.claim(c.name, func(t *test) {
			t.migrate(wares)
			t.exec(c.made...)
			s := t.schema(wares + "-- 0002-next.sql --\n" + strings.ReplaceAll(c.next, "name TEXT NOT NULL", "name TEXT"))
			err := lockstep.Migrate(t.Context(), t.open(Settings{}), s)
			if c.name == "AColumnWhoseRowsAreDeletedIsNoObstacle" { // it is there, as the last check says
				t.says(err, "data.db: the upgrade to 0002 produced different tables: table wares: column extra: not expected; rolled back, still at 0001; to start anyway, allow d1:…")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

package suite

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// What an operator makes of goods, and a migration takes away.
const (
	goods   = "-- 0001-goods.sql --\nCREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT);\nCREATE INDEX own ON goods (id, name);\nCREATE VIEW names AS SELECT name FROM goods;\n"
	index   = "CREATE INDEX by_name ON goods (name)"
	trigger = "CREATE TRIGGER watch AFTER UPDATE ON goods BEGIN SELECT 1; END"
	instead = "CREATE TRIGGER rename INSTEAD OF UPDATE ON names BEGIN SELECT 1; END"
	rebuild = "CREATE TABLE goods_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\nINSERT INTO goods_new SELECT * FROM goods;\nDROP TABLE goods;\nALTER TABLE goods_new RENAME TO goods;\n"
)

// lost is a line of the log.
func lost(file, kind, name, sql string) string {
	return fmt.Sprintf("level=WARN msg=\"object that no migration made was dropped\" database=data.db type=%s name=%s file=%s sql=%q\n", kind, name, file, sql)
}

func namesTheLost(t *test) {
	for _, c := range []struct {
		name, archive string
		made          []string
		want          string
	}{
		{"AnIndexOfARebuiltTable", "-- 0002-rebuild.sql --\nDROP VIEW names;\n" + rebuild, []string{index}, lost("0002-rebuild.sql", "index", "by_name", index)},
		{"ATriggerOfARebuiltTable", "-- 0002-rebuild.sql --\nDROP VIEW names;\n" + rebuild, []string{trigger}, lost("0002-rebuild.sql", "trigger", "watch", trigger)},
		{"AnInsteadOfTriggerOfAView", "-- 0002-names.sql --\nDROP VIEW names;\nCREATE VIEW names AS SELECT name, id FROM goods;\n", []string{instead}, lost("0002-names.sql", "trigger", "rename", instead)},
		{"AnIndexOfADroppedTable", "-- 0002-drop.sql --\nDROP VIEW names;\nDROP TABLE goods;\n", []string{index}, lost("0002-drop.sql", "index", "by_name", index)},
		{"AnIndexOfATableThatIsRenamedBefore", "-- 0002-rename.sql --\nALTER TABLE goods RENAME TO wares;\nDROP VIEW names;\nDROP TABLE wares;\n",
			[]string{index}, lost("0002-rename.sql", "index", "by_name", index)},
		{"EachInItsMigration", "-- 0002-rebuild.sql --\nDROP VIEW names;\n" + rebuild + "-- 0003-more.sql --\nCREATE TABLE more (n);\n-- 0004-empty.sql --\nDROP TABLE more;\n",
			[]string{index, trigger}, lost("0002-rebuild.sql", "index", "by_name", index) + lost("0002-rebuild.sql", "trigger", "watch", trigger)},
		{"AllOfAMigrationWithoutATransaction", "-- 0002-rebuild.sql --\n-- lockstep: no-transaction\nDROP VIEW IF EXISTS names;\n" + rebuild, []string{index}, lost("0002-rebuild.sql", "index", "by_name", index)},
		{"WhatAProgramDrops", "-- 0002-program.go --\nDROP VIEW names;\n" + rebuild, []string{index, "CREATE VIEW ids AS SELECT 1 AS id"},
			lost("0002-program.go", "index", "by_name", index) + lost("0002-program.go", "view", "ids", "CREATE VIEW ids AS SELECT 1 AS id")},
		{"NothingThatMigrationsMadeThemselves", "-- 0002-own.sql --\nCREATE TABLE old (n);\nCREATE INDEX old_n ON old (n);\n-- 0003-rebuild.sql --\nDROP VIEW names;\nDROP TABLE old;\n" + rebuild, nil, ""},
		{"NothingThatAMigrationDropsByName", "-- 0002-drop.sql --\nDROP INDEX IF EXISTS By_Name;\n", []string{index}, ""},
		{"NothingThatIsStillThere", "-- 0002-drop.sql --\nDROP INDEX own;\n", []string{index, trigger}, ""},
		{"NothingOfATableThatIsOnlyRenamed", "-- 0002-rename.sql --\nALTER TABLE goods RENAME TO wares;\n", []string{index, trigger}, ""},
	} {
		t.claim("Logs"+c.name, func(t *test) {
			archive := goods + c.archive
			for _, opts := range [][]lockstep.Option{nil, {lockstep.WithPerMigration()}} {
				t := newTest(t.T, t.driver)
				t.migrate(goods)
				t.exec(c.made...)
				s := t.schema(strings.ReplaceAll(archive, ".go --", ".sql --"))
				if strings.Contains(archive, ".go --") {
					statements := strings.SplitN(archive, "0002-program.go --\n", 2)[1]
					s = t.goSchema(archive, map[lockstep.Version]goFunc{2: executes(statements + "DROP VIEW IF EXISTS ids")})
				}
				var b bytes.Buffer
				db := t.open(Settings{})
				if err := lockstep.Migrate(t.Context(), db, s, append(opts, t.logger(&b))...); err != nil {
					t.Fatal(err)
				}
				var got strings.Builder
				for line := range strings.Lines(b.String()) {
					if strings.HasPrefix(line, "level=WARN") {
						got.WriteString(line)
					}
				}
				t.same("log", got.String(), c.want)
			}
		})
	}
}

func namesTheLostOnce(t *test) {
	t.claim("LogsNothingLostThatWasRolledBack", func(t *test) {
		t.migrate(goods)
		t.exec(index, "INSERT INTO goods VALUES (1, NULL)")
		var b bytes.Buffer
		s := t.schema(goods + "-- 0002-rebuild.sql --\nDROP VIEW names;\nCREATE TABLE kept AS SELECT * FROM goods;\nDROP TABLE goods;\n-- 0003-fails.sql --\nCREATE TABLE strict (name NOT NULL);\nINSERT INTO strict SELECT name FROM kept;\n")
		t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s, t.logger(&b)), "data.db: 0003-fails.sql:2: NOT NULL constraint failed: strict.name: rowid 1 of kept as the upgrade left it; rolled back, still at 0001")
		t.same("log", b.String(), "")
	})
	t.claim("LogsWhatAMigrationWithoutATransactionDropsBeforeItFails", func(t *test) {
		t.migrate(goods)
		t.exec(index, trigger, "INSERT INTO goods VALUES (1, NULL)")
		var b bytes.Buffer
		s := t.schema(goods + "-- 0002-rebuild.sql --\n-- lockstep: no-transaction\nDROP VIEW IF EXISTS names;\nCREATE TABLE kept AS SELECT * FROM goods;\nDROP TABLE goods;\nCREATE TABLE strict (name NOT NULL);\nINSERT INTO strict SELECT name FROM kept;\n")
		t.says(lockstep.Migrate(t.Context(), t.open(Settings{}), s, t.logger(&b)), "data.db: 0002-rebuild.sql:6: NOT NULL constraint failed: strict.name: rowid 1 of kept; still at 0001, but lines 2, 3, 4, 5 took effect")
		t.same("log", b.String(), lost("0002-rebuild.sql", "index", "by_name", index)+lost("0002-rebuild.sql", "trigger", "watch", trigger))
	})
}

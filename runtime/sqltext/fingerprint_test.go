package sqltext

import (
	"slices"
	"strings"
	"testing"
)

var definitions = []string{
	`CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL DEFAULT 'x  y' COLLATE NOCASE CHECK (title <> ''), "order" INT DEFAULT Draft UNIQUE REFERENCES notes ON DELETE CASCADE) STRICT`,
	"CREATE INDEX by_title ON notes (title, id)",
	"CREATE VIEW recent AS SELECT id FROM notes",
	"CREATE TRIGGER touch AFTER UPDATE ON notes BEGIN SELECT 1; END",
	"CREATE VIRTUAL TABLE search USING fts5(title, Body, tokenize = 'porter ascii')",
}

func TestFingerprint(t *testing.T) {
	const want = "s1:0f21504692562945467a95f8d097931d"
	if got := Fingerprint(defined(t)); got != want {
		t.Errorf("fingerprints never change: got %s, want %s", got, want)
	}
	table, index, view, trigger, virtual := definitions[0], definitions[1], definitions[2], definitions[3], definitions[4]
	objects := func(replace ...string) []Object { return defined(t, replace...) }
	for _, c := range []struct {
		name, instead, of string
		same              bool
	}{
		{"QuotesOfNamesDoNotCount", "CREATE TABLE \"notes\" ([id] INTEGER PRIMARY KEY AUTOINCREMENT, `title` TEXT NOT NULL DEFAULT 'x  y' COLLATE NOCASE CHECK (\"title\" <> ''), [order] INT DEFAULT Draft UNIQUE REFERENCES \"notes\" ON DELETE CASCADE) STRICT", table, true},
		{"CaseOfNamesAndKeywordsDoesNotCount", `create table NOTES (ID integer primary key autoincrement, TITLE text not null default 'x  y' collate nocase check (TITLE <> ''), "ORDER" int default Draft unique references NOTES on delete cascade) strict`, table, true},
		{"BlanksAndCommentsDoNotCount", "CREATE\tVIEW recent -- the newest\nAS SELECT\n\tid /* all */ FROM notes ", view, true},
		{"BlanksBetweenArgumentsOfModulesDoNotCount", "CREATE VIRTUAL TABLE search USING FTS5 ( title,Body , tokenize='porter ascii' )", virtual, true},
		{"CaseOfArgumentsOfModulesCounts", "CREATE VIRTUAL TABLE search USING fts5(title, body, tokenize = 'porter ascii')", virtual, false},
		{"QuotesOfArgumentsOfModulesCount", `CREATE VIRTUAL TABLE search USING fts5("title", Body, tokenize = 'porter ascii')`, virtual, false},
		{"CommentsInArgumentsOfModulesCount", "CREATE VIRTUAL TABLE search USING fts5(title, Body /* x */, tokenize = 'porter ascii')", virtual, false},
		{"CaseOfDefaultsCounts", `CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL DEFAULT 'x  y' COLLATE NOCASE CHECK (title <> ''), "order" INT DEFAULT draft UNIQUE REFERENCES notes ON DELETE CASCADE) STRICT`, table, false},
		{"StringsCountToTheByte", `CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL DEFAULT 'x y' COLLATE NOCASE CHECK (title <> ''), "order" INT DEFAULT Draft UNIQUE REFERENCES notes ON DELETE CASCADE) STRICT`, table, false},
		{"LostObjectCounts", "", index, false},
		{"OrderOfIndexColumnsCounts", "CREATE INDEX by_title ON notes (id, title)", index, false},
		{"NameCounts", "CREATE INDEX by_id ON notes (title, id)", index, false},
		{"TimeOfTriggerCounts", "CREATE TRIGGER touch BEFORE UPDATE ON notes BEGIN SELECT 1; END", trigger, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Fingerprint(objects(c.of, c.instead)); (got == want) != c.same {
				t.Errorf("got %s for %s\nand  %s for %s", got, c.instead, want, c.of)
			}
		})
	}
	t.Run("OrderOfObjectsDoesNotCount", func(t *testing.T) {
		reversed := objects()
		slices.Reverse(reversed)
		if got := Fingerprint(reversed); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("WhatIsNotTheMigrationsDoesNotCount", func(t *testing.T) {
		more := append(objects(),
			Object{"table", "sqlite_sequence", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)"},
			Object{"table", "_meta", "_meta", "CREATE TABLE _meta(id, version)"})
		if got := Fingerprint(more); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("EachLostClauseCounts", func(t *testing.T) {
		seen := map[string]string{want: table}
		for _, clause := range []string{" AUTOINCREMENT", " NOT NULL", " DEFAULT 'x  y'", " COLLATE NOCASE", " CHECK (title <> '')", " UNIQUE", " REFERENCES notes ON DELETE CASCADE", " ON DELETE CASCADE", " STRICT"} {
			lost := strings.Replace(table, clause, "", 1)
			got := Fingerprint(objects(table, lost))
			if seen[got] != "" {
				t.Errorf("got %s for both %s\nand %s", got, lost, seen[got])
			}
			seen[got] = lost
		}
	})
	t.Run("QuotedKeywordIsNotTheKeyword", func(t *testing.T) {
		a := Fingerprint([]Object{{"table", "t", "t", "CREATE TABLE t(a unique)"}})
		b := Fingerprint([]Object{{"table", "t", "t", `CREATE TABLE t(a "unique")`}})
		if a == b {
			t.Errorf("got %s twice", a)
		}
	})
}

// defined returns the objects of the definitions, of which some are replaced: every
// other string replaces the one before it.
func defined(t *testing.T, replace ...string) []Object {
	t.Helper()
	var schema string
	for _, d := range definitions {
		for i := 0; i < len(replace); i += 2 {
			if d == replace[i] {
				d = replace[i+1]
			}
		}
		if d != "" {
			schema += d + ";\n"
		}
	}
	parsed, err := ParseSchema(schema)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

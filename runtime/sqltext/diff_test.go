package sqltext

import (
	"fmt"
	"strings"
	"testing"
)

// TestDiff compares what SQLite has after the statements of want with what it has
// after those of found.
func TestDiff(t *testing.T) {
	for _, c := range diffCases() {
		t.Run(c.name, func(t *testing.T) {
			wanted, found := openFile(t), openFile(t)
			execute(t, wanted, c.want...)
			execute(t, found, c.found...)
			wantedObjects := schemaOf(t, wanted)
			if c.name != "ComparesLockstepsTablesIfAsked" {
				wantedObjects = userSchema(t, wanted)
			}
			changed, extra := Diff(wantedObjects, schemaOf(t, found))
			var details, names []string
			for _, d := range changed {
				details = append(details, d.Detail)
			}
			for _, o := range extra {
				names = append(names, o.Type+" "+o.Name)
			}
			if got := strings.Join(details, "\n"); got != c.changed {
				t.Errorf("got changed\n%s\nwant\n%s", got, c.changed)
			}
			if got := strings.Join(names, ", "); got != c.extra {
				t.Errorf("got extra %s\nwant %s", got, c.extra)
			}
		})
	}
}

type diffCase struct {
	name        string
	want, found []string
	changed     string
	extra       string
}

func diffCases() []diffCase {
	const (
		notes = `CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL CHECK (length(title) > 0), body TEXT NOT NULL)`
		tags  = `CREATE TABLE tags (note INTEGER REFERENCES notes ON DELETE CASCADE, tag TEXT COLLATE NOCASE, PRIMARY KEY (note, tag))`
		index = `CREATE INDEX notes_by_title ON notes(title)`
		view  = `CREATE VIEW titles AS SELECT title FROM notes`
		touch = `CREATE TRIGGER touch AFTER UPDATE ON notes BEGIN DELETE FROM tags WHERE note = new.id; END`
		fts   = `CREATE VIRTUAL TABLE search USING fts5(title)`
	)
	long := func(limit string) string {
		return `CREATE VIEW long AS SELECT id, title, body, tag FROM notes JOIN tags ON tags.note = notes.id WHERE length(title) > ` + limit + ` AND tag NOT IN ('draft', 'private', 'deleted') ORDER BY title, tag`
	}
	list := func(s ...string) []string { return s }
	return []diffCase{
		{"NamesMissingObjects", list(notes, index, view), nil, "table notes: missing\nindex notes_by_title: missing\nview titles: missing", ""},
		{"NamesChangedColumn", list(notes), list(strings.Replace(notes, "body TEXT NOT NULL", "body TEXT", 1)),
			"table notes: column body: want TEXT NOT NULL, found TEXT", ""},
		{"NamesColumnWithoutType", list(notes), list(strings.Replace(notes, "body TEXT NOT NULL", "body", 1)),
			"table notes: column body: want TEXT NOT NULL, found no type", ""},
		{"ShowsColumnsInOneWording", list("CREATE TABLE a(b text default (1+1) collate nocase not null, c int generated always as (b+1) stored)"), list("CREATE TABLE a(b, c)"),
			"table a: column b: want text NOT NULL DEFAULT (1+1) COLLATE nocase, found no type; column c: want int AS (b+1) STORED, found no type", ""},
		{"NamesMissingAndUnexpectedColumns", list(notes), list(strings.Replace(notes, "body TEXT NOT NULL", "text TEXT NOT NULL", 1)),
			"table notes: column body: missing; column text: not expected", ""},
		{"NamesOrderOfColumns", list("CREATE TABLE a(b, c, d)"), list("CREATE TABLE a(b, d, e, c)"),
			"table a: column e: not expected; columns: want b, c, d, found b, d, c", ""},
		{"NamesLostConstraints", list(notes, tags), list("CREATE TABLE notes (id INTEGER, title TEXT NOT NULL, body TEXT NOT NULL)", "CREATE TABLE tags(note INTEGER, tag TEXT COLLATE NOCASE)"),
			"table notes: want PRIMARY KEY (id), found none; want CHECK (length(title) > 0), found none\n" +
				"table tags: want PRIMARY KEY (note, tag), found none; want FOREIGN KEY (note) REFERENCES notes ON DELETE CASCADE, found none", ""},
		{"PutsFoundConstraintBesideTheWanted", list(notes, tags), list(strings.Replace(notes, "> 0", "> 1", 1), strings.Replace(tags, "CASCADE", "SET NULL", 1)),
			"table notes: want CHECK (length(title) > 0), found CHECK (length(title) > 1)\n" +
				"table tags: want FOREIGN KEY (note) REFERENCES notes ON DELETE CASCADE, found FOREIGN KEY (note) REFERENCES notes ON DELETE SET NULL", ""},
		{"NamesUnexpectedKeysAndOptions", list("CREATE TABLE a(b TEXT PRIMARY KEY, c TEXT)"), list("CREATE TABLE a(b TEXT PRIMARY KEY, c TEXT, UNIQUE (c COLLATE rtrim, b DESC) ON CONFLICT IGNORE) WITHOUT ROWID"),
			"table a: column b: want TEXT, found TEXT NOT NULL; UNIQUE (c COLLATE rtrim, b DESC) ON CONFLICT IGNORE: not expected; WITHOUT ROWID: not expected", ""},
		{"NamesLostAutoincrement", list("CREATE TABLE a(b INTEGER PRIMARY KEY AUTOINCREMENT) STRICT"), list("CREATE TABLE a(b INTEGER PRIMARY KEY)"),
			"table a: want PRIMARY KEY (b AUTOINCREMENT), found PRIMARY KEY (b); want STRICT, found none", ""},
		{"ShowsIndexes", list(notes, "CREATE UNIQUE INDEX i ON notes(title, id DESC)"), list(notes, "CREATE INDEX i ON notes(title) WHERE  id>1"),
			"index i: want UNIQUE ON notes(title, id DESC), found ON notes(title) WHERE id>1", ""},
		{"ShowsViews", list(notes, view), list(notes, "CREATE VIEW titles AS\n\tSELECT title, id -- too\n\tFROM notes"),
			"view titles: want SELECT title FROM notes, found SELECT title, id FROM notes", ""},
		{"ShowsColumnsOfViews", list(notes, view), list(notes, "CREATE VIEW titles(t) AS SELECT title FROM notes"),
			"view titles: want SELECT title FROM notes, found (t) AS SELECT title FROM notes", ""},
		{"ShowsTriggers", list(notes, tags, touch), list(notes, tags, strings.Replace(touch, "AFTER UPDATE", "AFTER DELETE", 1)),
			"trigger touch: want AFTER UPDATE ON notes BEGIN DELETE FROM tags WHERE note = new.id; END, found AFTER DELETE ON notes BEGIN DELETE FROM tags WHERE note = new.id; END", ""},
		{"NarrowsLongTexts", list(notes, tags, long("10")), list(notes, tags, long("100")),
			"view long: want … WHERE length(title) > 10 AND tag NOT IN ('draft', …, found … WHERE length(title) > 100 AND tag NOT IN ('draft', …", ""},
		{"NarrowsLongTextsThatGoOn", list(notes, tags, long("10")), list(notes, tags, long("10")+" LIMIT 5"),
			"view long: want … 'deleted') ORDER BY title, tag, found … 'deleted') ORDER BY title, tag LIMIT 5", ""},
		{"SaysWhatAnObjectIs", list("CREATE VIEW a AS SELECT 1"), list("CREATE TABLE a(b)"),
			"view a: want a view, found a table", ""},
		{"SaysThatATableIsVirtual", list(fts), list("CREATE TABLE search(title)"),
			"table search: want USING fts5(title), found (title)", ""},
		{"IgnoresCaseOfNames", list(notes, index), list(strings.ToLower(notes), strings.ToUpper(index)), "", ""},
		{"TellsTriggersFromTables", list("CREATE TABLE a(b)", "CREATE TRIGGER a DELETE ON a BEGIN SELECT 1; END"), list("CREATE TABLE a(b)"), "trigger a: missing", ""},
		{"ListsExtraObjects", list(notes), list(notes, "CREATE TABLE _litestream_seq(id)", index, view), "", "table _litestream_seq, index notes_by_title, view titles"},
		{"DoesNotListWhatIsNotTheUsers", list("CREATE TABLE a(b)"), list("CREATE TABLE a(b)", "CREATE TABLE c(d INTEGER PRIMARY KEY AUTOINCREMENT)", "CREATE TABLE _Meta(id)", "CREATE TABLE _lockstep_history(id)"), "", "table c"},
		{"ListsTablesNamedLikeShadowTables", list(fts), list(fts, "CREATE TABLE search_owners(a)"), "", "table search_owners"},
		{"ComparesLockstepsTablesIfAsked", list("CREATE TABLE _meta(id)"), list("CREATE TABLE _meta(version)"), "table _meta: column id: missing; column version: not expected", ""},
	}
}

func TestDifferenceHoldsBothTexts(t *testing.T) {
	want := []Object{{"table", "a", "a", "CREATE TABLE a(b)"}, {"table", "c", "c", "CREATE TABLE c(d)"}}
	changed, _ := Diff(want, []Object{{"table", "A", "A", "CREATE TABLE A(x)"}})
	got := fmt.Sprintf("%q", changed)
	if want := `[{"table" "a" "CREATE TABLE a(b)" "CREATE TABLE A(x)" "table a: column b: missing; column x: not expected"} {"table" "c" "CREATE TABLE c(d)" "" "table c: missing"}]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestAlterTable compares what ALTER TABLE leaves with a table that was so from the
// beginning, and with one that was rebuilt.
func TestAlterTable(t *testing.T) {
	const parent = "CREATE TABLE p(x PRIMARY KEY)"
	for _, c := range []struct {
		name                 string
		altered, fromScratch []string
	}{
		{"AddedColumn",
			[]string{"CREATE TABLE a(b INTEGER PRIMARY KEY, CHECK (b > 0))", "ALTER TABLE a ADD COLUMN c TEXT NOT NULL DEFAULT ''"},
			[]string{"CREATE TABLE a (\n\tb INTEGER PRIMARY KEY,\n\tc TEXT NOT NULL DEFAULT '',\n\tCHECK (b > 0)\n)"}},
		{"AddedColumnWithConstraints",
			[]string{parent, "CREATE TABLE a(b)", "ALTER TABLE a ADD c REFERENCES p ON DELETE CASCADE CHECK (c <> b)"},
			[]string{parent, "CREATE TABLE a(b, c, CHECK (c<>b), FOREIGN KEY (c) REFERENCES p ON DELETE CASCADE)"}},
		{"AddedGeneratedColumn",
			[]string{"CREATE TABLE a(b)", "ALTER TABLE a ADD COLUMN c INT GENERATED ALWAYS AS (b + 1) VIRTUAL"},
			[]string{"CREATE TABLE a(b, c INT AS (b+1))"}},
		{"AddedColumnBehindComment",
			[]string{"CREATE TABLE a(b -- last\n)", "ALTER TABLE a ADD COLUMN c TEXT"},
			[]string{"CREATE TABLE a(b, c TEXT)"}},
		{"RenamedColumn",
			[]string{"CREATE TABLE a(b INT CHECK (b > 0), UNIQUE (b))", "CREATE INDEX i ON a(b) WHERE b > 1", "CREATE VIEW v AS SELECT b FROM a", "ALTER TABLE a RENAME COLUMN b TO \"c\""},
			[]string{"CREATE TABLE a(c INT CHECK (c > 0) UNIQUE)", "CREATE INDEX i ON a(c) WHERE c > 1", "CREATE VIEW v AS SELECT c FROM a"}},
		{"RenamedColumnWithCapital",
			[]string{"CREATE TABLE a(b INT CHECK (b > 0))", "CREATE INDEX i ON a(b) WHERE b > 1", "ALTER TABLE a RENAME COLUMN b TO \"Cc\""},
			[]string{"CREATE TABLE a(Cc INT CHECK (Cc > 0))", "CREATE INDEX i ON a(Cc) WHERE Cc > 1"}},
		{"RenamedTable",
			[]string{"CREATE TABLE a(b PRIMARY KEY)", "CREATE TABLE child(a REFERENCES a(b))", "CREATE INDEX i ON a(b)", "CREATE TRIGGER r AFTER DELETE ON a BEGIN DELETE FROM a; END", "CREATE VIEW v AS SELECT b FROM a", "ALTER TABLE a RENAME TO Notes"},
			[]string{"CREATE TABLE Notes(b PRIMARY KEY)", "CREATE TABLE child(a REFERENCES Notes(b))", "CREATE INDEX i ON Notes(b)", "CREATE TRIGGER r AFTER DELETE ON Notes BEGIN DELETE FROM Notes; END", "CREATE VIEW v AS SELECT b FROM Notes"}},
		{"DroppedColumn",
			[]string{"CREATE TABLE a(b, c, d, CHECK (b > 0))", "ALTER TABLE a DROP COLUMN d", "ALTER TABLE a DROP COLUMN c"},
			[]string{"CREATE TABLE a(b CHECK (b > 0))"}},
		{"Rebuilt",
			[]string{"CREATE TABLE a(b)", "CREATE TABLE new_a(b TEXT UNIQUE, c)", "DROP TABLE a", "ALTER TABLE new_a RENAME TO a"},
			[]string{"CREATE TABLE a(b TEXT, c, UNIQUE (b))"}},
		{"MadeFromSelect",
			[]string{"CREATE TABLE p(x INT, y TEXT)", "CREATE TABLE a AS SELECT * FROM p"},
			[]string{"CREATE TABLE p(x INT, y TEXT)", "CREATE TABLE a(x INT, y TEXT)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			altered, fromScratch := openFile(t), openFile(t)
			execute(t, altered, c.altered...)
			execute(t, fromScratch, c.fromScratch...)
			changed, extra := Diff(schemaOf(t, altered), schemaOf(t, fromScratch))
			if len(changed)+len(extra) > 0 {
				t.Errorf("got changed %v, extra %v", changed, extra)
			}
		})
	}
}

func TestWantFound(t *testing.T) {
	long := strings.Repeat("word ", 40)
	for _, c := range []struct{ name, want, found string }{
		{"Shorter", long, long + "more"},
		{"Longer", long + "more", long},
		{"NothingInCommon", long, strings.Repeat("other ", 40)},
		{"OneWord", strings.Repeat("x", 200), strings.Repeat("x", 201)},
		{"Empty", "", long},
		{"RepeatedBeforeAndAfter", long + long, long},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := wantFound(c.want, c.found)
			if want, found, ok := strings.Cut(strings.TrimPrefix(got, "want "), ", found "); !ok || want == found {
				t.Errorf("got %q", got)
			}
		})
	}
}

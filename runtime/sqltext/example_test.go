package sqltext_test

import (
	"fmt"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

func ExampleScript_Checksum() {
	a := sqltext.Parse("CREATE TABLE notes(title TEXT DEFAULT '');\n")
	b := sqltext.Parse("-- What people write down.\nCREATE TABLE notes (\n\ttitle TEXT DEFAULT ''\n);\n")
	fmt.Println(a.Checksum())
	fmt.Println(b.Checksum() == a.Checksum())
	// Output:
	// t1:dcb0ccb163ddc8169710e4e396bb8933
	// true
}

func ExampleScript_Cut() {
	script := sqltext.Parse(`
-- Rows without a title are of no use.
DELETE FROM notes
	WHERE title = '';
CREATE TRIGGER touch AFTER UPDATE ON notes BEGIN
	UPDATE notes SET changed = datetime('now') WHERE id = new.id;
END;
`)
	for _, s := range script.Cut() {
		fmt.Printf("line %d: %s, %d bytes\n", s.Line, s.Keyword(), len(s.SQL))
	}
	// Output:
	// line 3: delete, 36 bytes
	// line 5: create, 116 bytes
}

func ExampleDiff() {
	want, err := sqltext.ParseSchema(`
CREATE TABLE notes (
	id INTEGER PRIMARY KEY,
	title TEXT NOT NULL CHECK (length(title) > 0),
	body TEXT NOT NULL
);
CREATE INDEX notes_by_title ON notes (title);
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	found := []sqltext.Object{
		{Type: "table", Name: "notes", Table: "notes", SQL: `CREATE TABLE "notes"(id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT)`},
		{Type: "table", Name: "scratch", Table: "scratch", SQL: "CREATE TABLE scratch(x)"},
	}
	changed, extra := sqltext.Diff(want, found)
	for _, d := range changed {
		fmt.Println(d.Detail)
	}
	for _, o := range extra {
		fmt.Println("extra:", o.Type, o.Name)
	}
	// Output:
	// table notes: column body: want TEXT NOT NULL, found TEXT; want CHECK (length(title) > 0), found none
	// index notes_by_title: missing
	// extra: table scratch
}

func ExampleFormatSchema() {
	fmt.Print(sqltext.FormatSchema([]sqltext.Object{
		{Type: "view", Name: "titles", Table: "titles", SQL: "CREATE VIEW titles AS SELECT title FROM notes"},
		{Type: "index", Name: "tags_by_tag", Table: "tags", SQL: "CREATE INDEX tags_by_tag ON tags(tag)"},
		{Type: "table", Name: "tags", Table: "tags", SQL: "CREATE TABLE tags(note INTEGER, tag TEXT)"},
		{Type: "table", Name: "notes", Table: "notes", SQL: "CREATE TABLE notes(title TEXT)"},
	}))
	// Output:
	// CREATE TABLE notes(title TEXT);
	//
	// CREATE TABLE tags(note INTEGER, tag TEXT);
	// CREATE INDEX tags_by_tag ON tags(tag);
	//
	// CREATE VIEW titles AS SELECT title FROM notes;
}

func ExampleFill() {
	fmt.Println(sqltext.Fill(`SELECT '$1', $2 FROM main."$1" WHERE $2 > $3`, `it's "$2"`, "c.price", "5"))
	// Output: SELECT 'it''s "$2"', c.price FROM main."it's ""$2""" WHERE c.price > 5
}

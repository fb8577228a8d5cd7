package sqltext

import "testing"

func TestDefinition(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want Definition
	}{
		{"CREATE TABLE notes(id)", Definition{Kind: "table", Name: "notes", Table: "notes"}},
		{"create temp table if not exists main.Notes as select 1", Definition{Kind: "table", Name: "Notes", Table: "Notes"}},
		{`CREATE TEMPORARY TABLE "a ""b""" (x)`, Definition{Kind: "table", Name: `a "b"`, Table: `a "b"`}},
		{"CREATE VIRTUAL TABLE IF NOT EXISTS [s] USING fts5(x)", Definition{Kind: "table", Name: "s", Table: "s"}},
		{"CREATE VIEW 'v' AS SELECT 1", Definition{Kind: "view", Name: "v", Table: "v"}},
		{"CREATE VIEW v(a) AS SELECT 1", Definition{Kind: "view", Name: "v", Table: "v"}},
		{"CREATE UNIQUE INDEX main.i ON notes(id)", Definition{Kind: "index", Name: "i", Table: "notes"}},
		{`CREATE TRIGGER r AFTER UPDATE OF a, "on" ON main."notes" BEGIN SELECT 1; END`, Definition{Kind: "trigger", Name: "r", Table: "notes"}},
		{"CREATE TRIGGER end BEFORE DELETE ON begin WHEN old.a BEGIN SELECT 1; END", Definition{Kind: "trigger", Name: "end", Table: "begin"}},
		{"CREATE -- lockstep: x\nTABLE t(a)", Definition{Kind: "table", Name: "t", Table: "t"}},
		{"ALTER TABLE main.notes RENAME TO [old notes]", Definition{Kind: "table", Name: "notes", Table: "notes", Action: "rename", NewName: "old notes"}},
		{"ALTER TABLE notes RENAME COLUMN a TO b", Definition{Kind: "table", Name: "notes", Table: "notes", Action: "rename"}},
		{"ALTER TABLE notes RENAME a TO b", Definition{Kind: "table", Name: "notes", Table: "notes", Action: "rename"}},
		{"ALTER TABLE notes ADD COLUMN a CHECK (a > 0)", Definition{Kind: "table", Name: "notes", Table: "notes", Action: "add"}},
		{"DROP TABLE IF EXISTS notes", Definition{Kind: "table", Name: "notes", Table: "notes"}},
		{"DROP INDEX i;", Definition{Kind: "index", Name: "i", Table: "i"}},
		{"DROP TRIGGER main.r", Definition{Kind: "trigger", Name: "r", Table: "r"}},
	} {
		t.Run(c.sql, func(t *testing.T) {
			stmt := Parse(c.sql).Cut()[0]
			if got, ok := stmt.Definition(); !ok || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, ok, c.want)
			}
		})
	}
	for _, sql := range []string{"SELECT 1", "CREATE TABLE", "CREATE TABLE %s", "CREATE INDEX i", "CREATE what you like", "DROP TABLE (a)", "INSERT INTO table(a)"} {
		t.Run("IsNone/"+sql, func(t *testing.T) {
			stmt := Parse(sql).Cut()[0]
			if got, ok := stmt.Definition(); ok {
				t.Errorf("got %+v", got)
			}
		})
	}
}

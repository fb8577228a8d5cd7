package sqltext

import "testing"

func TestDefinition(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want Definition
	}{
		{"CREATE TABLE notes(id)", Definition{"table", "notes", "notes", ""}},
		{"create temp table if not exists main.Notes as select 1", Definition{"table", "Notes", "Notes", ""}},
		{`CREATE TEMPORARY TABLE "a ""b""" (x)`, Definition{"table", `a "b"`, `a "b"`, ""}},
		{"CREATE VIRTUAL TABLE IF NOT EXISTS [s] USING fts5(x)", Definition{"table", "s", "s", ""}},
		{"CREATE VIEW 'v' AS SELECT 1", Definition{"view", "v", "v", ""}},
		{"CREATE VIEW v(a) AS SELECT 1", Definition{"view", "v", "v", ""}},
		{"CREATE UNIQUE INDEX main.i ON notes(id)", Definition{"index", "i", "notes", ""}},
		{`CREATE TRIGGER r AFTER UPDATE OF a, "on" ON main."notes" BEGIN SELECT 1; END`, Definition{"trigger", "r", "notes", ""}},
		{"CREATE TRIGGER end BEFORE DELETE ON begin WHEN old.a BEGIN SELECT 1; END", Definition{"trigger", "end", "begin", ""}},
		{"CREATE -- lockstep: x\nTABLE t(a)", Definition{"table", "t", "t", ""}},
		{"ALTER TABLE main.notes RENAME TO [old notes]", Definition{"table", "notes", "notes", "old notes"}},
		{"ALTER TABLE notes RENAME COLUMN a TO b", Definition{"table", "notes", "notes", ""}},
		{"ALTER TABLE notes RENAME a TO b", Definition{"table", "notes", "notes", ""}},
		{"ALTER TABLE notes ADD COLUMN a CHECK (a > 0)", Definition{"table", "notes", "notes", ""}},
		{"DROP TABLE IF EXISTS notes", Definition{"table", "notes", "notes", ""}},
		{"DROP INDEX i;", Definition{"index", "i", "i", ""}},
		{"DROP TRIGGER main.r", Definition{"trigger", "r", "r", ""}},
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

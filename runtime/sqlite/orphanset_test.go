package sqlite

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
)

// What has no parent is decided by SQLite's foreign_key_check: the rows that are read one by
// one are the same.
func TestOrphansOneByOne(t *testing.T) {
	for _, c := range []struct {
		claim, schema string
		want          []string
	}{
		{"ATextThatLooksLikeANumber", "CREATE TABLE p (id TEXT PRIMARY KEY); CREATE TABLE c (p REFERENCES p); INSERT INTO p VALUES ('01'); INSERT INTO c VALUES (1), ('01')", []string{"rowid 1"}},
		{"ANumberAsText", "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p TEXT REFERENCES p); INSERT INTO p VALUES (1); INSERT INTO c VALUES ('1'), ('01'), ('x')", []string{"rowid 3"}},
		{"ACollation", "CREATE TABLE p (id TEXT COLLATE NOCASE PRIMARY KEY); CREATE TABLE c (p TEXT REFERENCES p); INSERT INTO p VALUES ('a'); INSERT INTO c VALUES ('A'), ('b')", []string{"rowid 2"}},
		{"ABlob", "CREATE TABLE p (id BLOB PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p); INSERT INTO p VALUES ('1'); INSERT INTO c VALUES (1)", []string{"rowid 1"}},
		{"AKeyOfTwoColumns", "CREATE TABLE p (a, b, UNIQUE (a, b)); CREATE TABLE c (x, y, FOREIGN KEY (y, x) REFERENCES p (b, a)); INSERT INTO p VALUES (1, 2); INSERT INTO c VALUES (1, 2), (2, 1), (NULL, 7)", []string{"rowid 2"}},
		{"AParentThatDoesNotExist", "CREATE TABLE c (p REFERENCES gone (id), q REFERENCES lost); INSERT INTO c VALUES (1, NULL), (NULL, 2)", []string{"rowid 2", "rowid 1"}},
		{"AColumnNamedRowid", "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (rowid, p REFERENCES p); INSERT INTO c VALUES (70, 1)", []string{"rowid 1"}},
		{"NoNameForARowid", "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (rowid, oid, _rowid_, p REFERENCES p, PRIMARY KEY (oid)); INSERT INTO c VALUES (1, 2, 3, 4)", []string{"key (2)"}},
		{"AKeyWithoutRowid", "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (k PRIMARY KEY, p REFERENCES p) WITHOUT ROWID; INSERT INTO c VALUES ('it''s', 4)", []string{"key ('it''s')"}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "data.db")+"?_pragma=foreign_keys(0)")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(c.schema); err != nil {
				t.Fatal(err)
			}
			objects, err := Objects(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			found, err := FindOrphans(t.Context(), db, objects, nil)
			if err != nil {
				t.Fatal(err)
			}
			none, err := NewOrphanSet(t.Context(), db, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			fresh, err := none.New(t.Context(), db, found)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			checked, counted := 0, 0
			for _, o := range found {
				checked += o.Count
			}
			for _, o := range fresh {
				counted += o.Count
				got = append(got, o.Rows...)
			}
			if !slices.Equal(got, c.want) || counted != checked {
				t.Errorf("got %q, %d of %d; want %q", got, counted, checked, c.want)
			}
			all, err := NewOrphanSet(t.Context(), db, objects, nil)
			if err != nil {
				t.Fatal(err)
			}
			again, err := all.New(t.Context(), db, found)
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range again {
				if o.Count > 0 || o.Before == 0 && fresh[i].Count > 0 {
					t.Errorf("they are new once more: %+v", o)
				}
			}
		})
	}
}

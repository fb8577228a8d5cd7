//go:build cgo

package drivertest

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// TestSQLite reads the same from a live database with each driver.
func TestSQLite(t *testing.T) {
	for _, name := range []string{"sqlite3", "sqlite"} {
		t.Run(name, func(t *testing.T) {
			db, err := sql.Open(name, "file:"+filepath.Join(t.TempDir(), "data.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, statement := range []string{
				"CREATE VIRTUAL TABLE places USING rtree(id, x0, x1)", "CREATE TABLE places_owners (place REFERENCES gone)", "INSERT INTO places_owners VALUES (1), (2)",
			} {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			objects, err := sqlite.Objects(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			if len(objects) != 2 || objects[0].Name != "places" || objects[1].Name != "places_owners" {
				t.Errorf("got %v, want places and places_owners", objects)
			}
			counts, err := sqlite.Rows(t.Context(), db, objects, 0)
			if err != nil || len(counts) != 2 || counts[0].Rows != 0 || counts[1].Rows != 2 {
				t.Errorf("got %v, %v", counts, err)
			}
			orphans, err := sqlite.FindOrphans(t.Context(), db, objects, nil)
			if err != nil || len(orphans) != 1 || strings.Join(orphans[0].Rows, ", ") != "rowid 1, rowid 2" {
				t.Errorf("got %v, %v", orphans, err)
			}
			_, err = db.ExecContext(t.Context(), "SELECT tag FROM places_owners")
			if err == nil {
				t.Fatal("selects a column that does not exist")
			}
			if got, want := sqlite.Sentence(err), "no such column: tag"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

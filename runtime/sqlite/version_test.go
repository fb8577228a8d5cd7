package sqlite

import (
	"database/sql"
	"testing"
)

// TestGenerator fails when go.mod requires another release of the generator's driver.
func TestGenerator(t *testing.T) {
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var version string
	if err := db.QueryRow("SELECT sqlite_version()").Scan(&version); err != nil || version != Generator {
		t.Errorf("got version %s, %v; want %s", version, err, Generator)
	}
}

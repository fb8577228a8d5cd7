//go:build cgo

package drivertest

import (
	"database/sql"
	"slices"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/internal/example/migrations"
	"github.com/lockstep-db/lockstep/runtime/migratetest"
)

// TestMigratetest runs what users test their migrations with. Here are two drivers, so
// that each has to be named.
func TestMigratetest(t *testing.T) {
	for _, name := range []string{"sqlite3", "sqlite"} {
		t.Run(name, func(t *testing.T) {
			open := migratetest.Open(func(path string) (*sql.DB, error) {
				// As it does by itself where there is one driver.
				return sql.Open(name, "file:"+path+"?_pragma=synchronous(0)&_sync=0")
			})
			migratetest.Run(t, migrations.Schema, open)
			got := migratetest.At(t, migrations.Schema, 1, open).
				Exec("INSERT INTO notes VALUES (?, ?)", 1, "a").
				To(2).
				Rows("SELECT notes.*, synchronous FROM notes, pragma_synchronous")
			if want := []string{"1|a|0"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

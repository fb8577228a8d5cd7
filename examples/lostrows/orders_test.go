//go:build lostrows

package lostrows

import (
	"slices"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/examples/lostrows/migrations"
	"github.com/lockstep-db/lockstep/runtime/migratetest"
)

// TestMigrations passes: every version upgrades to the right schema.
func TestMigrations(t *testing.T) { migratetest.Run(t, migrations.Schema) }

// TestOrdersSurvive upgrades a database that has one row of each kind that users have.
func TestOrdersSurvive(t *testing.T) {
	db := migratetest.At(t, migrations.Schema, 2)
	db.Exec(`INSERT INTO customers (id, name) VALUES (1, 'Ada'), (2, 'Grace')`)
	db.Exec(`INSERT INTO orders (id, customer, total) VALUES
		(10, 1, '12.50'),
		(11, NULL, '3.00'), -- a guest
		(12, 2, '0.07')`)

	db.To(3) // fails: a table has fewer rows than before

	got := db.Rows(`SELECT id, name, cents FROM orders ORDER BY id`)
	want := []string{"10|Ada|1250", "11||300", "12|Grace|7"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

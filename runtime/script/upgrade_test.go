package script_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

func TestUpgrade(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		for _, version := range []int{0, 2, 4} {
			if version == 4 && journal == "wal" && !*long {
				continue
			}
			t.Run(fmt.Sprintf("GivesTheSameFrom%d/%s", version, journal), func(t *testing.T) {
				t.Parallel()
				path := shopAt(t, version, journal)
				db := connect(t, path, "_pragma=journal_mode("+journal+")")
				if err := db.Ping(); err != nil {
					t.Fatal(err)
				}
				names := beside(t, path)
				s := schema(t, shop, 6)
				tellsOld := startOld(t, path, version)
				if err := lockstep.Migrate(t.Context(), db, s); err != nil {
					t.Fatal(err)
				}
				tellsOld()
				if got := glance(t, db); got != newShop {
					t.Errorf("got %s, want %s", got, newShop)
				}
				if got := one(t, db, "PRAGMA journal_mode"); got != journal {
					t.Errorf("got journal mode %s", got)
				}
				// The next start reads one row: what it compares has been noted.
				if got := one(t, db, "SELECT cookie = (SELECT * FROM pragma_schema_version) FROM _lockstep_history ORDER BY version DESC"); got != "1" {
					t.Errorf("the schema was not noted as right")
				}
				if err := lockstep.Check(t.Context(), db, s); err != nil {
					t.Error(err)
				}
				db.Close()
				if got := beside(t, path); got != names && got != "data.db" {
					t.Errorf("beside the database is %s, want %s", got, names)
				}
				if got := look(t, path); got != newShop {
					t.Errorf("got %s, want %s", got, newShop)
				}
			})
		}
	}
}

// startOld starts a program of an earlier version on a file. The function that it returns
// fails the test unless that learns of an upgrade, and is kept out.
func startOld(t *testing.T, path string, version int) (tells func()) {
	if version == 0 {
		return func() {}
	}
	s, db := schema(t, shop, version), connect(t, path)
	said := make(chan error, 1)
	go func() { said <- lockstep.Watch(t.Context(), db, s, lockstep.WithInterval(time.Millisecond)) }()
	return func() {
		t.Helper()
		if err := <-said; !errors.Is(err, lockstep.ErrAhead) {
			t.Errorf("Watch: got %v, want ErrAhead", err)
		}
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := lockstep.CheckTx(t.Context(), tx, s); !errors.Is(err, lockstep.ErrAhead) {
			t.Errorf("CheckTx: got %v, want ErrAhead", err)
		}
		tx.Rollback()
		db.Close()
	}
}

func TestPath(t *testing.T) {
	t.Run("MayHaveBlanksAndSigns", func(t *testing.T) {
		path := filepath.Join(filepath.Dir(shopAt(t, 2, "wal")), "A b#c?d%41 é'&a=b+c", "my data.db")
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(filepath.Dir(filepath.Dir(path)), "data.db"), path); err != nil {
			t.Fatal(err)
		}
		db := connect(t, path)
		if err := lockstep.Migrate(t.Context(), db, schema(t, shop, 6)); err != nil {
			t.Fatal(err)
		}
		if got := glance(t, db); got != newShop {
			t.Errorf("got %s, want %s", got, newShop)
		}
		db.Close()
		if got := beside(t, path); got != "my data.db" {
			t.Errorf("beside the database is %s", got)
		}
	})
}

package script_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
)

// TestBackup upgrades with scripts after a backup: both want the database to
// themselves.
func TestBackup(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run("IsWhatScriptsBeginWith/"+journal, func(t *testing.T) {
			path := shopAt(t, 2, journal)
			db := connect(t, path, "_pragma=journal_mode("+journal+")")
			db.SetMaxOpenConns(1)
			broken := schema(t, with(shop, "0005-totals.sh", "echo no >&2; exit 3\n"), 6)
			err := lockstep.Migrate(t.Context(), db, broken, lockstep.WithBackup(1))
			backups, _ := lockstep.Backups(path)
			if len(backups) != 1 || look(t, backups[0].Path) != oldShop {
				t.Fatalf("after %v got backups %v", err, backups)
			}
			var failed *lockstep.MigrationError
			if !errors.As(err, &failed) || failed.File != "0005-totals.sh" || failed.Backup != backups[0].Path {
				t.Errorf("got %+v", err)
			}

			if err := lockstep.Migrate(t.Context(), db, schema(t, shop, 6), lockstep.WithBackup(1)); err != nil {
				t.Fatal(err)
			}
			db.Close()
			if got := look(t, path); got != newShop {
				t.Errorf("got %s, want %s", got, newShop)
			}
			again, err := lockstep.Backups(path)
			if err != nil || len(again) != 1 || again[0] != backups[0] {
				t.Errorf("got backups %v, %v; want %v: nothing had changed", again, err, backups)
			}
			if got := strings.Fields(beside(t, path)); len(got) != 2 {
				t.Errorf("got files %v", got)
			}
		})
	}
}

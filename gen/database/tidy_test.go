package database_test

import (
	"os"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/gen/samedir"
)

func TestMain(m *testing.M) { samedir.Main(m) }

// TestTidy has a killed program leave a copy that scripts ran on, and takes the room that a
// backup needs.
func TestTidy(t *testing.T) {
	for command, run := range map[string]func(path, backup string) error{
		"ABackup": func(path, _ string) error {
			db, err := database.Open(path)
			if err != nil {
				return err
			}
			defer db.Close()
			_, err = db.Backup(t.Context(), "", false, time.Second)
			return err
		},
		"ARestoration": func(path, backup string) error {
			_, err := database.Restore(t.Context(), database.Restoration{DB: path, Backup: backup, Timeout: time.Second})
			return err
		},
	} {
		for _, journal := range []string{"delete", "wal"} {
			lay := func(t *testing.T) (path, backup, copied string) {
				path, backup = account(t, journal), account(t, journal)
				copied = path + ".lockstep/123/copy/data.db"
				if err := os.MkdirAll(path+".lockstep/123/copy", 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(copied, []byte("half a copy"), 0o600); err != nil {
					t.Fatal(err)
				}
				return path, backup, copied
			}
			t.Run(command+"RemovesWhatAKilledProgramLeft/"+journal, func(t *testing.T) {
				path, backup, _ := lay(t)
				if err := run(path, backup); err != nil {
					t.Error(err)
				}
				if _, err := os.Lstat(path + ".lockstep"); err == nil {
					t.Error("the copy is still there")
				}
			})
			t.Run(command+"LeavesWhatALivingProgramUses/"+journal, func(t *testing.T) {
				path, backup, copied := lay(t)
				if _, err := openOther(t, path).Begin(); err != nil { // with the lock
					t.Fatal(err)
				}
				run(path, backup)
				if _, err := os.Lstat(copied); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

package backupfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/backupfile"
)

// database returns the path of a file that stands for a database, alone in a folder.
func database(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.db")
	if err := os.WriteFile(path, []byte("database"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// write returns a function that fills a backup with a text.
func write(text string) func(string) (backupfile.Name, error) {
	return func(path string) (backupfile.Name, error) {
		return backupfile.Name{Version: 1}, os.WriteFile(path, []byte(text), 0)
	}
}

// alone fails the test unless a file is the only one in its folder.
func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("got files %v, %v", entries, err)
	}
}

func TestMakeOverwritesNothing(t *testing.T) {
	for _, claim := range []string{"ThatWasThereBefore", "ThatCameMeanwhile"} {
		t.Run(claim, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "taken")
			take := func() { os.WriteFile(to, []byte("mine"), 0o600) }
			if claim == "ThatWasThereBefore" {
				take()
			}
			_, err := backupfile.Make(database(t), to, func(path string) (backupfile.Name, error) {
				take()
				return write("other")(path)
			})
			if !errors.Is(err, fs.ErrExist) {
				t.Errorf("got %v, want ErrExist", err)
			}
			if text, _ := os.ReadFile(to); string(text) != "mine" {
				t.Errorf("%s was overwritten", to)
			}
			alone(t, to)
		})
	}
}

func TestMakeLeavesNothing(t *testing.T) {
	db := database(t)
	t.Run("AfterAnError", func(t *testing.T) {
		stop := errors.New("stop")
		_, err := backupfile.Make(db, "", func(path string) (backupfile.Name, error) {
			os.WriteFile(path, []byte("half"), 0)
			return backupfile.Name{}, stop
		})
		if err != stop {
			t.Errorf("got %v", err)
		}
		alone(t, db)
	})
	t.Run("ThatIsEmpty", func(t *testing.T) {
		if _, err := backupfile.Make(db, "", write("")); err == nil {
			t.Error("got no error")
		}
		alone(t, db)
	})
	t.Run("AfterAPanic", func(t *testing.T) {
		func() {
			defer func() { recover() }()
			backupfile.Make(db, "", func(string) (backupfile.Name, error) { panic("stop") })
		}()
		alone(t, db)
	})
}

func TestMake(t *testing.T) {
	t.Run("LetsNobodyElseReadWhatIsNotComplete", func(t *testing.T) {
		path, err := backupfile.Make(database(t), "", func(path string) (backupfile.Name, error) {
			info, err := os.Stat(path)
			if err == nil && os.PathSeparator == '/' && info.Mode() != 0o600 {
				t.Errorf("got mode %v", info.Mode())
			}
			return write("text")(path)
		})
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || os.PathSeparator == '/' && info.Mode() != 0o644 {
			t.Errorf("got mode %v, %v", info.Mode(), err)
		}
	})
	t.Run("FindsAnotherNameWithinTheSameSecond", func(t *testing.T) {
		db := database(t)
		for i := range 5 {
			if _, err := backupfile.Make(db, "", write(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		backups, err := lockstep.Backups(db)
		if err != nil || len(backups) != 5 {
			t.Fatalf("got %v, %v", backups, err)
		}
		texts := ""
		for _, b := range backups {
			text, err := os.ReadFile(b.Path)
			if err != nil || b.Version != 1 || b.Unmanaged || b.Auto {
				t.Errorf("got %+v, %v", b, err)
			}
			texts += string(text)
		}
		if texts != "01234" {
			t.Errorf("in order of time they are %s", texts)
		}
	})
}

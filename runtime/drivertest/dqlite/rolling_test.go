package dqlite

import (
	"testing"
	"testing/fstest"

	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

// TestRollingUpgrade replaces three nodes one by one, each of which is a process with a program
// of the old release that writes.
func TestRollingUpgrade(t *testing.T) {
	t.Run("NoStatementOfTheOldReleaseTakesEffectAfterTheUpgrade", func(t *testing.T) {
		old, seen, late, half := rollingUpgrade(t, "write")
		if old < 30 || old != seen || late > 0 || half > 0 {
			t.Errorf("%d notes of the old release, of which the upgrade saw %d; %d met the new version, %d are half done", old, seen, late, half)
		}
		t.Logf("%d notes", old)
	})
	t.Run("WithoutCheckTxSomeDo", func(t *testing.T) { // so the above tests something
		old, seen, late, _ := rollingUpgrade(t, "write, careless")
		if late == 0 || old == seen {
			t.Errorf("%d notes of the old release, of which the upgrade saw %d; %d met the new version", old, seen, late)
		}
	})
}

// rollingUpgrade returns how many notes programs of the old release have written, how many of
// them the upgrade saw, how many met the version of the new release, and how many are half done.
func rollingUpgrade(t *testing.T, does string) (old, seen, late, half int) {
	files := fstest.MapFS{"0001-notes.sql": {Data: []byte("CREATE TABLE notes (release INTEGER, met INTEGER, whole INTEGER);\n")}}
	was := fixture.Store(t, fixture.Schema(t, "sqlite3", files))
	files["0002-count.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE seen (n INTEGER);\nINSERT INTO seen SELECT count(*) FROM notes;\n")}
	c := newCluster(t, process{Does: does, Name: "notes.db", Schema: was})
	for i := range c.nodes {
		c.says(i, "writing")
	}
	c.program = process{Does: "write", Name: "notes.db", Schema: fixture.Store(t, fixture.Schema(t, "sqlite3", files))}
	for i := range c.nodes {
		if i > 0 {
			c.says(i, "ended")
		}
		c.kill(i)
		c.run(i)
		c.says(i, "ready")
	}
	for i := range c.nodes {
		c.says(i, "writing")
	}
	db, err := open("notes.db", c.addresses[:])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM notes WHERE release = 1), (SELECT n FROM seen),
		(SELECT count(*) FROM notes WHERE met > release), (SELECT count(*) FROM notes WHERE whole IS NULL)`).Scan(&old, &seen, &late, &half)
	if err != nil {
		t.Fatal(err)
	}
	return old, seen, late, half
}

package lockstep_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

func TestProofBackupByProcesses(t *testing.T) {
	s := schema(t, shop, 5)
	old := contents(t, fileAt(t, shop, 2))
	t.Run("IsMadeOnceThoughSixteenStartAtOnce", func(t *testing.T) {
		path := fileAt(t, shop, 2)
		p := newProgram(t, s, dsn(path, "_pragma=busy_timeout(0)"))
		p.Keep = 20
		started, release := p.start(t, 16)
		release()
		for i, p := range started {
			if err := p.Wait(); err != nil {
				t.Errorf("program %d: %v: %s", i, err, &p.Stderr)
			}
		}
		backups, err := lockstep.Backups(path)
		if err != nil || len(backups) != 1 {
			t.Fatalf("got %v, %v; want one backup", backups, err)
		}
		if contents(t, backups[0].Path) != old {
			t.Error("the backup is not the old database")
		}
	})
	t.Run("IsWholeThoughProgramsAreKilled", func(t *testing.T) {
		rounds := 6
		if *long {
			rounds = 100
		}
		path := fileAt(t, shop, 2)
		p := newProgram(t, s, dsn(path))
		p.Keep = 100
		for range rounds {
			started, release := p.start(t, 1)
			release()
			time.Sleep(rand.N(40 * time.Millisecond))
			started[0].Process.Kill()
			started[0].Wait()
		}
		started, release := p.start(t, 1)
		release()
		if err := started[0].Wait(); err != nil {
			t.Fatalf("%v: %s", err, &started[0].Stderr)
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		backups, _ := lockstep.Backups(path)
		if len(entries) != 1+len(backups) || len(backups) == 0 {
			t.Errorf("got files %v", entries)
		}
		for _, b := range backups {
			if contents(t, b.Path) != old {
				t.Errorf("%s is not the old database", b.Path)
			}
		}
	})
}

//go:build unix

package script_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

// TestProofProcesses has sixteen programs start at once on one file.
func TestProofProcesses(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run("RunTheScriptOnce/"+journal, func(t *testing.T) {
			path := shopAt(t, 2, journal)
			ran := filepath.Join(t.TempDir(), "ran")
			text := whole + "open('" + ran + "', 'a').write('once\\n')\n"
			started, release := newProgram(t, withScript(schema(t, shop, 6), text), path).start(t, 16)
			release()
			for i, p := range started {
				if err := p.Wait(); err != nil {
					t.Errorf("program %d: %v: %s", i, err, &p.Stderr)
				}
			}
			if got, err := os.ReadFile(ran); string(got) != "once\n" {
				t.Errorf("the script ran so often: %q, %v", got, err)
			}
			if got := look(t, path); got != newShop {
				t.Errorf("got %s, want %s", got, newShop)
			}
			if got := beside(t, path); got != "data.db" {
				t.Errorf("beside the database is %s", got)
			}
		})
	}
}

// TestProofKill kills programs as they upgrade, while another one reads.
func TestProofKill(t *testing.T) {
	rounds := 1
	if *long {
		rounds = 50 // in each journal mode
	}
	s := schema(t, shop, 6)
	for _, journal := range []string{"delete", "wal"} {
		t.Run("ShowsOldOrNewAndLeavesNothing/"+journal, func(t *testing.T) {
			t.Parallel()
			original := shopAt(t, 2, journal)
			took := runToEnd(t, newProgram(t, s, copyOf(t, original)))
			killed := 0
			for round := 0; round < rounds || killed == 0 && round < 10*rounds; round++ {
				path := copyOf(t, original)
				p := newProgram(t, s, path)
				reader := connect(t, path)
				stop := fixture.Watch(func() string { return glance(t, reader) })
				started, release := p.start(t, 1)
				release()
				time.Sleep(rand.N(took))
				started[0].Process.Kill()
				if started[0].Wait() != nil {
					killed++
				} else { // the machine has become faster
					took = max(took*3/4, time.Millisecond)
				}
				runToEnd(t, p)
				seen := stop()
				reader.Close()
				if !slices.Equal(seen, []string{oldShop, newShop}) && !slices.Equal(seen, []string{newShop}) {
					t.Errorf("a reader saw\n%s\nwant\n%s\n%s", strings.Join(seen, "\n"), oldShop, newShop)
				}
				if got := look(t, path); got != newShop {
					t.Errorf("got %s, want %s", got, newShop)
				}
				if got := beside(t, path); got != "data.db" {
					t.Errorf("beside the database is %s", got)
				}
			}
			fmt.Printf("proof: %d programs that were killed at a random moment\n", killed)
			if killed == 0 {
				t.Error("no program was killed")
			}
		})
	}
}

package proof_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk/systemcalls"
)

// fates are what becomes of a call, and of those after it.
var fates = []struct {
	name    string
	fate    systemcalls.Fate
	lasting bool
	every   int // so many calls, even in a long run
}{
	{"fails", systemcalls.Fate{Error: syscall.EIO}, false, 1},
	{"fails, though it was done", systemcalls.Fate{Error: syscall.EIO, Late: true}, false, 3},
	{"finds no room", systemcalls.Fate{Error: syscall.ENOSPC}, false, 3},
	{"fails, and so do all later ones", systemcalls.Fate{Error: syscall.EIO}, true, 1},
	{"is forbidden, and so are all later ones", systemcalls.Fate{Error: syscall.EACCES}, true, 3},
	{"kills the program", systemcalls.Fate{Kill: true}, false, 1},
}

// TestProofFailingCalls has each system call fail that changes a file or a folder, or
// synchronizes it, and has the program killed at each.
func TestProofFailingCalls(t *testing.T) {
	needsTracing(t)
	for _, w := range works() {
		if !*long && (w.journal == "wal" || w.name == "Upgrade") {
			continue
		}
		t.Run(w.name+"/"+w.journal, func(t *testing.T) {
			w.begin(t)
			calls := w.calls(t)
			for i, f := range fates {
				every := f.every
				if !*long {
					every = len(calls)
				}
				for at := i * every / len(fates); at < len(calls); at += every {
					fate := func(c *systemcalls.Call) systemcalls.Fate {
						if c.N == at+1 || c.N > at && f.lasting {
							return f.fate
						}
						return systemcalls.Fate{}
					}
					what := fmt.Sprintf("call %d of %d %s (%s)", at+1, len(calls), f.name, calls[at])
					if err := w.try(t, fate); err != nil {
						t.Errorf("%s: %v", what, err)
					}
					tried.add("system calls that failed, or at which the program was killed", 1)
				}
			}
		})
	}
}

// calls returns the calls of the program.
func (w *work) calls(t testing.TB) (calls []string) {
	t.Helper()
	path := copied(t, w.folder)
	trace := &systemcalls.Tracer{Root: filepath.Dir(path), Fate: func(c *systemcalls.Call) systemcalls.Fate {
		calls = append(calls, c.Name+" "+strings.TrimPrefix(c.Path, filepath.Dir(path)+"/"))
		return systemcalls.Fate{}
	}}
	if stderr, err := w.trace(t, path, trace); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	return calls
}

// try does the work while some calls fail, and returns what is wrong afterwards.
func (w *work) try(t testing.TB, fate func(*systemcalls.Call) systemcalls.Fate) error {
	t.Helper()
	path := copied(t, w.folder)
	defer os.RemoveAll(filepath.Dir(path))
	trace := &systemcalls.Tracer{Root: filepath.Dir(path), Fate: fate}
	stderr, failed := w.trace(t, path, trace)
	l := &lossOfPower{allowed: w.allowed, damaged: w.damaged, inspect: w.inspect, restart: w.restart}
	got, _ := holds(path)
	old, newest := w.allowed[0], w.allowed[len(w.allowed)-1]
	switch {
	case strings.Contains(stderr, "panic:"):
		return errors.New(stderr)
	case failed == nil && got != newest:
		return errors.New("the program succeeded, and the database is not new")
	case failed != nil && old != newest && got == newest && strings.Contains(stderr, "rolled back"):
		return fmt.Errorf("the database is new after %s", stderr)
	}
	if err := l.check(filepath.Dir(path), trace.Said); err != nil {
		return fmt.Errorf("%w; the program said: %s", err, stderr)
	}
	return nil
}

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
	every   int  // so many calls, even in a long run
	reads   bool // it is that of calls that only read
}{
	{"fails", systemcalls.Fate{Error: syscall.EIO}, false, 1, false},
	{"fails, though it was done", systemcalls.Fate{Error: syscall.EIO, Late: true}, false, 3, false},
	{"finds no room", systemcalls.Fate{Error: syscall.ENOSPC}, false, 3, false},
	{"fails, and so do all later ones", systemcalls.Fate{Error: syscall.EIO}, true, 1, false},
	{"is forbidden, and so are all later ones", systemcalls.Fate{Error: syscall.EACCES}, true, 3, false},
	{"kills the program", systemcalls.Fate{Kill: true}, false, 1, false},
	{"fails", systemcalls.Fate{Error: syscall.EIO}, false, 3, true},
	{"fails, and so do all later ones", systemcalls.Fate{Error: syscall.EIO}, true, 9, true},
}

// TestProofFailingCalls has each system call fail that changes a file or a folder, or
// synchronizes it, and has the program killed at each.
func TestProofFailingCalls(t *testing.T) {
	needsTracing(t)
	for n, w := range works() {
		if !*long && (w.journal == "wal" || w.name == "Upgrade") {
			continue
		}
		t.Run(w.name+"/"+w.journal, func(t *testing.T) {
			w.begin(t)
			changes, reads := w.calls(t, false), w.calls(t, true)
			for i, f := range fates {
				if !*long && (i+n)%2 == 0 { // works take turns
					continue
				}
				calls := changes
				if f.reads {
					calls = reads
				}
				every := f.every
				if !*long {
					every = len(calls)
				}
				for at := i * every / len(fates); at < len(calls); at += every {
					if calls[at].Reads != f.reads {
						continue
					}
					fate := func(c *systemcalls.Call) systemcalls.Fate {
						if c.Reads == f.reads && (c.N == at+1 || c.N > at && f.lasting) {
							return f.fate
						}
						return systemcalls.Fate{}
					}
					what := fmt.Sprintf("call %d of %d %s (%s %s)", at+1, len(calls), f.name, calls[at].Name, calls[at].Path)
					if err := w.try(t, f.reads, fate); err != nil {
						t.Errorf("%s: %v", what, err)
					}
					tried.add("system calls that failed, or at which the program was killed", 1)
				}
			}
		})
	}
}

// calls returns the calls of the program.
func (w *work) calls(t testing.TB, reads bool) (calls []*systemcalls.Call) {
	t.Helper()
	path := copied(t, w.folder)
	trace := &systemcalls.Tracer{Root: filepath.Dir(path), Reads: reads, Fate: func(c *systemcalls.Call) systemcalls.Fate {
		c.Path = strings.TrimPrefix(c.Path, filepath.Dir(path)+"/")
		calls = append(calls, c)
		return systemcalls.Fate{}
	}}
	if stderr, err := w.trace(t, path, trace); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	return calls
}

// try does the work while some calls fail, and returns what is wrong afterwards.
func (w *work) try(t testing.TB, reads bool, fate func(*systemcalls.Call) systemcalls.Fate) error {
	t.Helper()
	path := copied(t, w.folder)
	defer os.RemoveAll(filepath.Dir(path))
	trace := &systemcalls.Tracer{Root: filepath.Dir(path), Reads: reads, Fate: fate}
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

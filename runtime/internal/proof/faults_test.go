package proof_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk/systemcalls"
)

// A fate is what becomes of a call, and of those after it.
type fate struct {
	name    string
	of      systemcalls.Kind
	fate    systemcalls.Fate
	lasting bool
	every   int // so many calls, even in a long run
}

var fates = []fate{
	{"fails", systemcalls.Changes, systemcalls.Fate{Error: syscall.EIO}, false, 1},
	{"fails, though it was done", systemcalls.Changes, systemcalls.Fate{Error: syscall.EIO, Late: true}, false, 3},
	{"finds no room", systemcalls.Changes, systemcalls.Fate{Error: syscall.ENOSPC}, false, 3},
	{"fails, and so do all later ones", systemcalls.Changes, systemcalls.Fate{Error: syscall.EIO}, true, 1},
	{"is forbidden, and so are all later ones", systemcalls.Changes, systemcalls.Fate{Error: syscall.EACCES}, true, 3},
	{"kills the program", systemcalls.Changes, systemcalls.Fate{Kill: true}, false, 1},
	{"fails", systemcalls.Reads, systemcalls.Fate{Error: syscall.EIO}, false, 3},
	{"fails, and so do all later ones", systemcalls.Reads, systemcalls.Fate{Error: syscall.EIO}, true, 9},
	{"fails", systemcalls.Locks, systemcalls.Fate{Error: syscall.EIO}, false, 4},
	{"fails, and so do all later ones", systemcalls.Locks, systemcalls.Fate{Error: syscall.EIO}, true, 24},
	{"finds no lock", systemcalls.Locks, systemcalls.Fate{Error: syscall.ENOLCK}, false, 4},
	{"finds no lock, and so do all later ones", systemcalls.Locks, systemcalls.Fate{Error: syscall.ENOLCK}, true, 24},
	{"kills the program", systemcalls.Locks, systemcalls.Fate{Kill: true}, false, 8},
}

// TestProofFailingCalls has each system call fail that changes a file or a folder, or
// synchronizes it, or reads or locks it, and has the program killed at each.
func TestProofFailingCalls(t *testing.T) {
	needsTracing(t)
	for n, w := range works() {
		t.Run(w.name+"/"+w.journal, func(t *testing.T) {
			if *long && strings.HasPrefix(w.name, "Upgrade") { // others change the umask or a variable of this process
				t.Parallel() // SQLite waits for seconds where a lock of the WAL cannot be had
			}
			w.begin(t)
			for i := range fates {
				if !*long && (i+n)%len(fates)%4 != 0 { // works take turns
					continue
				}
				every := fates[i].every
				if !*long {
					every = 0
				}
				for fault := range w.suffers(t, i, every) {
					t.Error(fault)
				}
			}
		})
	}
}

// suffers does the work again and again, with a fate for one call after the other, each of so
// many, and yields what is wrong afterwards. Of 0, it is one.
func (w *work) suffers(t testing.TB, i, every int) iter.Seq[string] {
	f := fates[i]
	calls, from := w.calls(t, f.of), 0
	if every == 0 {
		every = len(calls)
		from = i * every / len(fates)
	}
	return func(yield func(string) bool) {
		for at := from; at < len(calls); at += every {
			err := w.try(t, f.of, func(c *systemcalls.Call) systemcalls.Fate {
				if c.N == at+1 || c.N > at && f.lasting {
					return f.fate
				}
				return systemcalls.Fate{}
			})
			tried.add("system calls that failed, or at which the program was killed", 1)
			if err != nil && !yield(fmt.Sprintf("call %d of %d %s (%s %s): %v", at+1, len(calls), f.name, calls[at].Name, calls[at].Path, err)) {
				return
			}
		}
	}
}

// calls returns the calls of the program.
func (w *work) calls(t testing.TB, kinds systemcalls.Kind) (calls []*systemcalls.Call) {
	t.Helper()
	path := copied(t, w.folder)
	trace := &systemcalls.Tracer{Root: filepath.Dir(path), Kinds: kinds, Fate: func(c *systemcalls.Call) systemcalls.Fate {
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
func (w *work) try(t testing.TB, kinds systemcalls.Kind, fate func(*systemcalls.Call) systemcalls.Fate) error {
	t.Helper()
	path := copied(t, w.folder)
	defer os.RemoveAll(filepath.Dir(path))
	trace := &systemcalls.Tracer{Root: filepath.Dir(path), Kinds: kinds, Fate: fate}
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

// TestProofNoticesFailingCalls has a program suffer that is broken.
func TestProofNoticesFailingCalls(t *testing.T) {
	needsTracing(t)
	for broken, name := range map[string]string{
		"does not notice that a COMMIT fails":           "fails, and so do all later ones",
		"writes the version outside of the transaction": "kills the program",
	} {
		t.Run(strings.ReplaceAll(broken, " ", "_"), func(t *testing.T) {
			w := works()[0]
			w.begin(t)
			w.kept, w.run.Keep, w.run.Broken, w.run.Within = false, 0, broken, time.Second
			i := slices.IndexFunc(fates, func(f fate) bool { return f.name == name })
			for fault := range w.suffers(t, i, 4) {
				t.Logf("%.200s", fault)
				return
			}
			t.Error("noticed nothing")
		})
	}
}

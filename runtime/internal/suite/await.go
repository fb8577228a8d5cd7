package suite

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// waitsForOthers has programs wait that cannot upgrade.
func waitsForOthers(t *test) {
	readOnly := Settings{ReadOnly: true}
	for i, name := range []string{"Check", "Migrate"} {
		call := calls()[i]
		t.claim(name+"WaitsUntilAnotherProcessHasUpgraded", func(t *test) {
			t.migrate(upTo(1, notes))
			db, tr := t.trace(readOnly)
			answer := make(chan error)
			s := t.schema(notes)
			go func() { answer <- call(t.Context(), db, s, lockstep.WithWait()) }()
			t.executed(tr, "SELECT type, name")
			if out, err := t.upgrader(notes).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			if err := <-answer; err != nil {
				t.Error(err)
			}
		})
		t.claim(name+"WaitsForAsLongAsTheTimeout", func(t *test) {
			t.migrate(upTo(1, notes))
			before, begun := t.bytes(), time.Now()
			err := call(t.Context(), t.open(readOnly), t.schema(upTo(2, notes)), lockstep.WithWait(), lockstep.WithTimeout(t.wait()))
			want := "data.db: at version 0001, this program expects 0002: pending 0002-tags.sql; nobody else upgraded it for …"
			if name == "Check" {
				want += "\n\tlockstep migrate --db data.db"
			} else {
				want += ": attempt to write a readonly database"
			}
			t.isRefusal(err, lockstep.ErrBehind, want)
			t.waited(begun)
			t.untouched(before)
		})
		t.claim(name+"WaitsUntilTheContextEnds", func(t *test) {
			t.migrate(upTo(1, notes))
			db, tr := t.trace(readOnly)
			ctx, cancel := context.WithCancel(t.Context())
			answer := make(chan error)
			s := t.schema(upTo(2, notes))
			go func() { answer <- call(ctx, db, s, lockstep.WithWait()) }()
			t.executed(tr, "SELECT type, name")
			cancel()
			if err := <-answer; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		t.claim(name+"DoesNotWaitForWhatWillNotCome", func(t *test) {
			t.migrate(upTo(3, notes))
			err := call(t.Context(), t.open(readOnly), t.schema(upTo(2, notes)), lockstep.WithWait())
			t.isRefusal(err, lockstep.ErrAhead, "data.db: at version 0003, this program expects 0002: written by a newer program, not opened")
		})
	}
	t.claim("MigrateThatCanWriteDoesNotWait", func(t *test) {
		t.migrate(upTo(2, notes), lockstep.WithWait())
		t.atHead(t.schema(upTo(2, notes)))
	})
}

// waitsForFiles has programs wait for a file that somebody else puts there.
func waitsForFiles(t *test) {
	readOnly := Settings{ReadOnly: true}
	for i, name := range []string{"Check", "Migrate"} {
		call := calls()[i]
		t.claim(name+"WaitsForAFileThatIsNotThereYet", func(t *test) {
			answer := make(chan error)
			db, s := t.open(readOnly), t.schema(upTo(2, notes))
			go func() { answer <- call(t.Context(), db, s, lockstep.WithWait()) }()
			t.migrate(upTo(2, notes))
			if err := <-answer; err != nil {
				t.Error(err)
			}
		})
		t.claim(name+"WaitsForAFileThatTakesThePlaceOfAnother", func(t *test) {
			t.migrate(upTo(1, notes))
			db, tr := t.trace(readOnly)
			answer := make(chan error)
			s := t.schema(upTo(2, notes))
			go func() { answer <- call(t.Context(), db, s, lockstep.WithWait(), lockstep.WithTimeout(10*time.Second)) }()
			t.executed(tr, "SELECT type, name")
			upgraded := newTest(t.T, t.driver)
			upgraded.migrate(upTo(2, notes))
			if err := os.Rename(upgraded.path, t.path); err != nil {
				t.Skip(err) // Windows does not do that
			}
			if err := <-answer; err != nil {
				t.Error(err)
			}
		})
	}
}

// executed waits for a statement that begins so.
func (t *test) executed(tr *tracer, begin string) {
	t.Helper()
	t.until(tr, func(statements string) bool { return strings.Contains("\n"+statements, "\n"+begin) })
}

// until waits for what a pool executes.
func (t *test) until(tr *tracer, done func(statements string) bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		tr.mu.Lock()
		now := strings.Join(tr.statements, "\n")
		tr.mu.Unlock()
		if done(now) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("only this was executed:\n%s", now)
		}
	}
}

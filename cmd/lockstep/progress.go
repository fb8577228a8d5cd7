package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// progress shows on a terminal how far an upgrade is, on one line that it erases in the
// end. It shows nothing during the first second, or if standard error is no terminal.
type progress struct {
	done  chan struct{} // nil if nothing is shown
	shown sync.WaitGroup
	last  atomic.Pointer[lockstep.Progress]
}

func startProgress(stderr io.Writer) *progress {
	f, _ := stderr.(*os.File)
	if _, ok := terminalWidth(f); !ok {
		return &progress{}
	}
	width := func() int {
		n, _ := terminalWidth(f) // the window may be resized
		return n
	}
	return newProgress(f, width, time.Now(), time.NewTicker(200*time.Millisecond).C)
}

// newProgress shows progress at each tick that is a second or more after begun. A width
// of 0 is unknown.
func newProgress(w io.Writer, width func() int, begun time.Time, ticks <-chan time.Time) *progress {
	p := &progress{done: make(chan struct{})}
	p.shown.Go(func() {
		// Blanks erase a line on every kind of terminal. A line wider than the terminal
		// would wrap, and its first part would stay.
		line := ""
		show := func(next string) {
			if n := width(); n > 0 && len(next) >= n {
				next = next[:n-1]
			}
			if next != line {
				fmt.Fprint(w, "\r"+next+strings.Repeat(" ", max(0, len(line)-len(next))))
				line = next
			}
		}
		for {
			select {
			case now := <-ticks:
				// A statement can take minutes without a report.
				if elapsed := now.Sub(begun); elapsed >= time.Second {
					show(p.line(elapsed))
				}
			case <-p.done:
				if line != "" {
					show("")
					fmt.Fprint(w, "\r")
				}
				return
			}
		}
	})
	return p
}

// report is called by the runtime.
func (p *progress) report(last lockstep.Progress) { p.last.Store(&last) }

func (p *progress) line(elapsed time.Duration) string {
	last := cmp.Or(p.last.Load(), &lockstep.Progress{})
	took := elapsed.Round(time.Second).String()
	switch {
	case last.Backup != "" && !last.Done:
		return last.Doing + " backup: " + last.Backup + ", " + took
	case last.File == "" && last.Doing != "waiting" && last.Doing != "":
		return last.Doing + " the database, " + took
	case last.File == "":
		return "waiting for the database, " + took
	}
	line := fmt.Sprintf("migration %d of %d: %s", last.Migration, last.Migrations, last.File)
	if last.Statement > 0 {
		line += fmt.Sprintf(", statement %d of %d", last.Statement, last.Statements)
	}
	line += ", " + took
	if last.Rows > 0 {
		line += ", " + wording.Count(int(last.Rows), "row") + " written"
	}
	return line
}

// stop erases the line.
func (p *progress) stop() {
	if p.done != nil {
		close(p.done)
		p.shown.Wait()
	}
}

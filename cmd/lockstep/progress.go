package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// progress shows on a terminal how far an upgrade is, on one line that it erases in the
// end. It shows nothing during the first second, or if standard error is no terminal.
type progress struct {
	done  chan struct{} // nil if nothing is shown
	shown sync.WaitGroup

	mu   sync.Mutex
	last lockstep.Progress
}

func startProgress(stderr io.Writer) *progress {
	f, ok := stderr.(*os.File)
	if !ok {
		return &progress{}
	}
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
func (p *progress) report(last lockstep.Progress) {
	p.mu.Lock()
	p.last = last
	p.mu.Unlock()
}

func (p *progress) line(elapsed time.Duration) string {
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	switch {
	case last.Backup != "" && !last.Done:
		return fmt.Sprintf("backup: %s, %v", last.Backup, elapsed.Round(time.Second))
	case last.File == "":
		return fmt.Sprintf("waiting for the database, %v", elapsed.Round(time.Second))
	}
	line := fmt.Sprintf("migration %d of %d: %s", last.Migration, last.Migrations, last.File)
	if last.Statement > 0 {
		line += fmt.Sprintf(", statement %d of %d", last.Statement, last.Statements)
	}
	line += fmt.Sprintf(", %v", elapsed.Round(time.Second))
	switch last.Rows {
	case 0:
		return line
	case 1:
		return line + ", 1 row written"
	}
	return line + fmt.Sprintf(", %d rows written", last.Rows)
}

// stop erases the line.
func (p *progress) stop() {
	if p.done != nil {
		close(p.done)
		p.shown.Wait()
	}
}

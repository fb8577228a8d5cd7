package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// progress shows how far long work is, on one line of a terminal that it erases in the end.
type progress struct {
	done  chan struct{} // nil unless something is shown
	shown sync.WaitGroup
	doing atomic.Pointer[string]
}

// start shows progress from now on, until stop. It shows nothing during the first second, or
// if stderr is no terminal.
func (p *progress) start(stderr io.Writer) {
	f, _ := stderr.(*os.File)
	if !isTerminal(f) {
		return
	}
	width := func() int {
		n, _, _ := term.GetSize(int(f.Fd())) // the window may be resized
		return n
	}
	p.showOn(f, width, time.Now(), time.NewTicker(200*time.Millisecond).C)
}

// isTerminal reports whether f is a terminal: /dev/null, for instance, is a device, too.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// showOn shows progress at each tick that is a second or more after begun. A width of 0 is
// unknown.
func (p *progress) showOn(w io.Writer, width func() int, begun time.Time, ticks <-chan time.Time) {
	p.done = make(chan struct{})
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
}

// show shows from now on that this is done.
func (p *progress) show(doing string) { p.doing.Store(&doing) }

// report is called by the runtime.
func (p *progress) report(now lockstep.Progress) { p.show(stage(now)) }

func stage(p lockstep.Progress) string {
	switch {
	case p.Backup != "" && !p.Done:
		return p.Doing + " backup: " + p.Backup
	case p.File == "" && p.Doing != "waiting":
		return p.Doing + " the database"
	case p.File == "":
		return waiting
	}
	s := fmt.Sprintf("migration %d of %d: %s", p.Migration, p.Migrations, p.File)
	if p.Statement > 0 {
		s += fmt.Sprintf(", statement %d of %d", p.Statement, p.Statements)
	}
	if p.Rows > 0 {
		s += ", " + wording.Count(int(p.Rows), "row") + " written"
	}
	return s
}

const waiting = "waiting for the database"

func (p *progress) line(elapsed time.Duration) string {
	doing := waiting
	if now := p.doing.Load(); now != nil {
		doing = wording.Printable(*now)
	}
	return doing + ", " + elapsed.Round(time.Second).String()
}

// stop erases the line.
func (p *progress) stop() {
	if p.done != nil {
		close(p.done)
		p.shown.Wait()
		p.done = nil
	}
}

package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	lockstep "github.com/lockstep-db/lockstep/runtime"
)

// progress shows on a terminal, on one line that it takes away again, how far an
// upgrade has come. Work that is done within a second shows nothing, and so does
// all work where standard error is not a terminal.
type progress struct {
	done  chan struct{} // nil if nothing is shown
	shown sync.WaitGroup

	mu   sync.Mutex
	last lockstep.Progress
}

func startProgress(stderr io.Writer) *progress {
	if !isTerminal(stderr) {
		return &progress{}
	}
	return newProgress(stderr, time.Now(), time.NewTicker(200*time.Millisecond).C)
}

// newProgress shows progress at each tick that is a second or more after begun.
func newProgress(w io.Writer, begun time.Time, ticks <-chan time.Time) *progress {
	p := &progress{done: make(chan struct{})}
	p.shown.Go(func() {
		const erase = "\r\x1b[K"
		line := ""
		for {
			select {
			case now := <-ticks:
				// A statement can take minutes in which nothing is reported, so the
				// line is written by the clock.
				if elapsed := now.Sub(begun); elapsed >= time.Second {
					if next := p.line(elapsed); next != line {
						line = next
						fmt.Fprint(w, erase+line)
					}
				}
			case <-p.done:
				if line != "" {
					fmt.Fprint(w, erase)
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
	if last.Backup != "" && !last.Done {
		return fmt.Sprintf("backup: %s, %v", last.Backup, elapsed.Round(time.Second))
	}
	if last.File == "" {
		return fmt.Sprintf("waiting for the database, %v", elapsed.Round(time.Second))
	}
	line := fmt.Sprintf("migration %d of %d: %s", last.Migration, last.Migrations, last.File)
	if last.Statement > 0 {
		line += fmt.Sprintf(", statement %d of %d", last.Statement, last.Statements)
	}
	return line + fmt.Sprintf(", %v", elapsed.Round(time.Second))
}

// stop takes the line away.
func (p *progress) stop() {
	if p.done != nil {
		close(p.done)
		p.shown.Wait()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

package gohost

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// Serve runs the Go migrations of the schema for the parent process, as it asks for
// them, and does not return before the parent is gone. It is all that the main of
// the program does that a [Process] starts.
func Serve(schema *lockstep.Schema) {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "this program is run by lockstep, to replay migrations")
		os.Exit(2)
	}
	// From here on the standard streams are pipes to the parent. A migration that
	// prints, also by a logger that was made before, prints to standard error, and one
	// that reads finds nothing.
	in, out := new(os.File), new(os.File)
	*in, *out = *os.Stdin, *os.Stdout
	*os.Stdout = *os.Stderr
	if null, err := os.Open(os.DevNull); err == nil {
		*os.Stdin = *null
	}
	if err := os.Chdir(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	lead()
	buffered := bufio.NewWriter(out)
	c := &child{
		out:     buffered,
		encoder: gob.NewEncoder(buffered),
		schema:  schema,
		waiting: map[int]chan *message{},
		running: map[int]context.CancelFunc{},
	}
	if _, err := fmt.Fprintf(buffered, "\n%s\n", os.Args[1]); err != nil {
		end(false)
	}
	ready := &message{Kind: hello, Protocol: protocol, PID: os.Getpid()}
	for _, m := range schema.Migrations {
		if _, ok := m.Program.(program); ok {
			ready.Versions = append(ready.Versions, int(m.Version))
		}
	}
	c.send(ready)
	c.receive(gob.NewDecoder(in))
	// The parent has closed the pipe, or is dead. Whatever a migration is doing
	// ends with the process, and so do the processes that it has started.
	c.mu.Lock()
	end(len(c.running) > 0)
}

// A program is what [lockstep.Go] returns.
type program interface {
	Run(ctx context.Context, tx lockstep.Tx) error
}

// child is the side of the connection that has the migrations.
type child struct {
	mu      sync.Mutex // guards all below
	out     *bufio.Writer
	encoder *gob.Encoder
	last    int                        // request
	waiting map[int]chan *message      // for answers, by request
	running map[int]context.CancelFunc // by call

	schema *lockstep.Schema
}

// send writes a message. When the parent does not read any more, there is nobody to
// tell: receive notices that, too.
func (c *child) send(m *message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.encoder.Encode(m) == nil {
		_ = c.out.Flush()
	}
}

// receive handles what the parent sends, until it sends no more.
func (c *child) receive(from *gob.Decoder) {
	for {
		m := new(message)
		if err := from.Decode(m); err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, err)
			}
			return
		}
		c.mu.Lock()
		switch m.Kind {
		case run:
			ctx, stop := context.WithCancel(context.Background())
			if !m.Deadline.IsZero() {
				ctx, stop = context.WithDeadline(context.Background(), m.Deadline)
			}
			c.running[m.Call] = stop
			go c.run(ctx, m)
		case cancel:
			if stop := c.running[m.Call]; stop != nil {
				stop()
			}
		case answer:
			if to := c.waiting[m.ID]; to != nil {
				delete(c.waiting, m.ID)
				to <- m
			}
		}
		c.mu.Unlock()
	}
}

// run runs a migration and reports how it went.
func (c *child) run(ctx context.Context, m *message) {
	reply := &message{Kind: done, Call: m.Call}
	err := fmt.Errorf("the program has no Go migration %v", lockstep.Version(m.Version))
	for _, migration := range c.schema.Migrations {
		if p, ok := migration.Program.(program); ok && int(migration.Version) == m.Version {
			err = c.migrate(ctx, m.Call, migration.File, p)
		}
	}
	if err != nil {
		reply.Err = errorOf(err)
	}
	c.mu.Lock()
	c.running[m.Call]()
	delete(c.running, m.Call)
	c.mu.Unlock()
	c.send(reply)
}

// migrate calls the migration's function.
func (c *child) migrate(ctx context.Context, call int, file string, p program) (err error) {
	db := open(c, call, file)
	// Not the connection, which would wait for rows that the migration has left open.
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	returned := false
	ended := make(chan struct{})
	go func() { // which runtime.Goexit ends
		defer close(ended)
		defer func() {
			if returned {
				return
			}
			if e := recover(); e != nil {
				err = panicked(e, file)
			} else {
				err = errors.New("runtime.Goexit was called")
			}
		}()
		err = p.Run(ctx, tx{conn})
		returned = true
	}()
	<-ended
	return err
}

// A panicError is a panic of a migration.
type panicError struct {
	text string
	line int
}

func (e *panicError) Error() string { return e.text }

// panicked returns the panic as an error that says where it was. It is called by
// the deferred function.
func panicked(e any, file string) error {
	p := &panicError{text: fmt.Sprintf("panic: %v", e)}
	var places []string
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	for more := true; more && len(places) < 5; {
		var f runtime.Frame
		f, more = frames.Next()
		base := filepath.Base(filepath.FromSlash(f.File))
		if strings.HasPrefix(f.Function, "runtime.") || f.File == "" {
			continue
		}
		places = append(places, fmt.Sprintf("%s:%d", base, f.Line))
		if base == file {
			p.line = f.Line
			break
		}
	}
	if len(places) > 1 || p.line == 0 && len(places) > 0 {
		p.text += ", at " + strings.Join(places, ", called at ")
	}
	return p
}

// errorOf returns a migration's error as the parent is told of it.
func errorOf(err error) *wireError {
	w := &wireError{Text: err.Error()}
	var (
		s *sqlError
		p *panicError
	)
	switch {
	case errors.As(err, &s):
		w.Code, w.Ref, w.Line = s.wire.Code, s.wire.Ref, s.line
	case errors.As(err, &p):
		w.Line = p.line
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		w.Context = 2
	case errors.Is(err, context.Canceled):
		w.Context = 1
	}
	return w
}

// request sends a request and waits for its answer. When the context ends, it says
// so, and the parent answers.
func (c *child) request(ctx context.Context, m *message) (*message, error) {
	answered := make(chan *message, 1)
	c.mu.Lock()
	c.last++
	m.ID = c.last
	c.waiting[m.ID] = answered
	c.mu.Unlock()
	c.send(m)
	select {
	case a := <-answered:
		return a, nil
	case <-ctx.Done():
	}
	c.send(&message{Kind: cancel, Call: m.Call, ID: m.ID})
	select {
	case a := <-answered:
		return a, nil
	case <-time.After(time.Minute): // the parent is not as it should be
		return nil, ctx.Err()
	}
}

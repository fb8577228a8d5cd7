// Package gohost runs the Go migrations of a package in a process of their own, for
// the replay of migrations by package gen and for the command lockstep migrate.
//
// The generator is not the program that the migrations are part of, so it has the
// go command build one that is: a main that calls
//
//	gohost.Serve(migrations.Schema)
//
// The child has no database. What a migration asks of its [lockstep.Tx] goes to the
// parent, which runs it on its own and sends back what came of it: one transaction
// and the functions, collations and modules of one connection, as in an upgrade by a
// program. So nothing but this package, the runtime and the standard library is
// added to what the migrations import, and no driver: one that they import registers
// its name alone.
//
// What can be different from a run in the program: values of a type that only one
// driver knows cannot be handed over, and an error is of no driver's type.
// errors.Is(err, sqlite3.CONSTRAINT) works with the constants of ncruces/go-sqlite3
// and mattn/go-sqlite3 nevertheless, and the method Code returns SQLite's extended
// result code.
//
// The package is not for programs. It is public because the child is compiled as a
// part of the user's module.
package gohost

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

const (
	grace  = 2 * time.Second  // for a migration to return when its context has ended
	ending = 10 * time.Second // for the go command to clean up behind itself
	kept   = 16 << 10         // bytes of what the child writes to standard error
)

// A Process is a child process that runs Go migrations. It is to be closed.
type Process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *os.File
	said *tail
	code func(error) int

	mu      sync.Mutex // guards encoder
	encoder *gob.Encoder

	ready    chan struct{} // closed when the child is, or never will be
	received chan *message // what it sends; closed when it is gone
	exited   chan struct{} // closed when the command is, with how in waited
	waited   error
	pid      int   // of the child itself, not of the go command
	unready  error // why it never was

	closed  chan struct{} // when Close is called
	running sync.Mutex    // held by the one migration that runs
	call    int
	broken  error // why nothing runs any more
	close   func()
}

// Start starts the command, such as "go run ./x", with two more arguments. It does
// not wait until there is anything to run: that is for what [Process.Func] returns.
//
// What the migrations print goes to stderr, too, unless that is nil. code returns
// SQLite's extended result code of an error, or 0.
func Start(cmd *exec.Cmd, stderr io.Writer, code func(error) int) (*Process, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	// Before main, anything may write to standard output: the conversation begins
	// behind a word that nobody knows.
	word := rand.Text()
	cmd.Args = append(cmd.Args, word, dir)
	apart(cmd)
	p := &Process{
		cmd:      cmd,
		said:     &tail{to: stderr},
		code:     code,
		ready:    make(chan struct{}),
		received: make(chan *message),
		exited:   make(chan struct{}),
		closed:   make(chan struct{}),
	}
	cmd.Stderr = p.said
	cmd.WaitDelay = grace // for the pipes, which somebody may have inherited
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// Not StdoutPipe, which Wait closes under the reader.
	var w *os.File
	if p.out, w, err = os.Pipe(); err != nil {
		return nil, err
	}
	cmd.Stdout = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		p.out.Close()
		return nil, err
	}
	p.encoder = gob.NewEncoder(p.in)
	p.close = sync.OnceFunc(p.end)
	go func() {
		p.waited = cmd.Wait()
		close(p.exited)
	}()
	go p.receive(word)
	return p, nil
}

// Close ends the child, whatever it is doing, and waits for it.
func (p *Process) Close() { p.close() }

func (p *Process) end() {
	close(p.closed)
	// A child that sees the end of its input ends, and the go command behind it,
	// which then removes its files. One that is building would not notice.
	p.in.Close()
	select {
	case <-p.ready:
	default:
		interrupt(p.cmd)
	}
	timer := time.NewTimer(ending)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		if p.pid > 0 {
			endGroup(p.pid)
		}
		endGroup(p.cmd.Process.Pid)
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	p.out.Close()
	for range p.received { // until the receiver has gone, too
	}
}

// A StartError is the error of a child that never was ready to run migrations: it
// could not be built, as a rule.
type StartError struct {
	Output string // what was written to standard error
	Err    error  // how the command ended, or nil
}

func (e *StartError) Error() string {
	if e.Output != "" {
		return e.Output
	}
	return fmt.Sprint(e.Err)
}

func (e *StartError) Unwrap() error { return e.Err }

// An Error is that of a migration.
type Error struct {
	Text string // as the migration has it
	Line int    // of the migration's file at which it asked for what failed, or 0
	Err  error  // of the database, or of the context, if that is the cause
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Err }

// Wait waits until the child is ready to run migrations. The error is a
// [StartError], or that of the context.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.ready:
		return p.unready
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Func returns the function of the migration to version v, for [lockstep.Go]. It
// runs in the child and works on the database of the tx that it is given here. Its
// errors are those of [Process.Wait], or an [Error].
//
// When the context ends, so does that of the migration; if the migration does not
// return, the child is ended, and runs nothing any more.
func (p *Process) Func(v lockstep.Version) func(context.Context, lockstep.Tx) error {
	return func(ctx context.Context, tx lockstep.Tx) error {
		if err := p.Wait(ctx); err != nil {
			return err
		}
		p.running.Lock()
		defer p.running.Unlock()
		if p.isClosed() {
			return errClosed
		}
		if p.broken != nil {
			return p.broken
		}
		p.call++
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		r := &session{Process: p, ctx: ctx, tx: tx, call: p.call, said: p.said.length()}
		return r.run(v)
	}
}

var errClosed = errors.New("the process that runs the Go migrations is closed")

func (p *Process) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// send writes a message to the child. An error shows when there is no answer.
func (p *Process) send(m *message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.encoder.Encode(m)
}

// receive passes on what the child sends, until it is gone.
func (p *Process) receive(word string) {
	defer close(p.received)
	buffered := bufio.NewReader(p.out)
	m := new(message)
	err := skip(buffered, word, p.said)
	decoder := gob.NewDecoder(buffered)
	if err == nil {
		err = decoder.Decode(m)
	}
	if err == nil && (m.Kind != hello || m.Protocol != protocol) {
		err = fmt.Errorf("the module has another release of lockstep than the generator: protocol %d, not %d", m.Protocol, protocol)
	}
	if err != nil {
		p.in.Close()
		<-p.exited
		p.unready = &StartError{Output: p.said.String(), Err: p.waited}
		if p.waited == nil || m.Kind == hello { // it ended because it was told to
			p.unready = &StartError{Err: err}
		}
		close(p.ready)
		return
	}
	p.pid = m.PID
	p.said.pass()
	close(p.ready)
	for {
		m := new(message)
		if err := decoder.Decode(m); err != nil {
			break
		}
		p.received <- m
	}
	endOrphans(p.pid)
	<-p.exited
}

// skip reads up to and with the line that is word, and writes what comes before it
// to rest.
func skip(from *bufio.Reader, word string, rest io.Writer) error {
	for {
		line, err := from.ReadSlice('\n')
		if err == nil && string(line) == word+"\n" {
			return nil
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			_, _ = rest.Write(line)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu      sync.Mutex
	to      io.Writer // gets it, too, from pass on
	passing bool
	text    []byte
	dropped int // bytes in front of text
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if n := len(t.text) - kept; n > 0 {
		t.text = append(t.text[:0], t.text[n:]...)
		t.dropped += n
	}
	if t.passing && t.to != nil {
		_, _ = t.to.Write(b)
	}
	return len(b), nil
}

func (t *tail) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passing = true
}

func (t *tail) String() string { return t.since(0) }

// length returns how much has been written.
func (t *tail) length() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped + len(t.text)
}

// since returns what has been written behind the first n bytes, as far as it is kept.
func (t *tail) since(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text[max(0, n-t.dropped):]))
}

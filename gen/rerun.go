package gen

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/interpreter"
)

// Go migrations run in a program that they are linked into. Unless that is this one, the go
// command builds it. Generate needs a program that replays the migrations and reports the
// outcome: one that calls Serve or, if Options.Conn is set, this program, which then runs as
// far as its call of Generate. Only the caller of Load knows what to do with the migrations,
// so for Load the whole program runs again.

// An Exit is the error of [Load] if the directory has Go migrations that are not linked
// into the program. By then the go command has built the program with them, and it has run
// with the same arguments and standard files. Exit with this code, which was its own.
type Exit int

func (e Exit) Error() string {
	return fmt.Sprintf("the program ran again, with the Go migrations: exit status %d", int(e))
}

// orderVar is the environment variable that gives a program that is built its order, as JSON.
const orderVar = "LOCKSTEP_ORDER"

// An order is what the process that waits for a program wants of it.
type order struct {
	Process int    // that waits
	Folder  string // for the files: see [redirect] and [directory.report]
	Replay  bool   // only to replay these migrations and report the outcome
	Dir     string
	Options Options
	Weights weights
}

const (
	recordFile  = "record"
	outcomeFile = "outcome"
)

// An outcome is what a replay finds out.
type outcome struct {
	findings
	Error string
}

// replayGo replays migrations of which some are in Go.
func (d *directory) replayGo(ctx context.Context, weights weights, forLoad bool) error {
	l, err := newLinker(d.dir, d.all)
	if err == nil {
		defer func() { os.RemoveAll(l.temp) }()
		switch {
		case l.path == linked.path && linked.Replay:
			d.report(d.replay(ctx, linked.Weights))
			os.Exit(0) // nobody wants to know more of this program
		case l.path == linked.path:
			return d.replay(ctx, weights)
		case !forLoad:
			err = l.replay(ctx, d, weights)
		case linked.path == "":
			err = l.rerun(ctx)
		default:
			err = fmt.Errorf("this program is linked with the Go migrations of %s; want one directory with Go migrations in a program", linked.path)
		}
	}
	problems, exit := (Problems)(nil), Exit(0)
	if err == nil || ctx.Err() != nil || errors.As(err, &problems) || errors.As(err, &exit) {
		return err
	}
	return fmt.Errorf("%s: cannot be run: %w", l.first, err)
}

// report writes the outcome of the replay to its file. Without the file, the program that
// waits has what is printed.
func (d *directory) report(err error) {
	o := outcome{findings: d.findings}
	if err != nil {
		o.Error = err.Error()
	}
	text, err := json.Marshal(o)
	if err == nil {
		err = os.WriteFile(filepath.Join(linked.Folder, outcomeFile), text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// rerun runs this program again.
func (l *linker) rerun(ctx context.Context) error {
	program, err := l.build(ctx, true)
	if err != nil {
		return err
	}
	cmd := again(program)
	if interpreter.IsPrivate(ctx) {
		if cmd.Env, err = interpreter.Environment(l.temp); err != nil {
			return err
		}
	}
	if err := l.run(ctx, cmd, order{}, os.Interrupt); err != nil {
		return err
	}
	return Exit(cmd.ProcessState.ExitCode())
}

// again returns the command that runs this program again.
func again(program string) *exec.Cmd {
	cmd := exec.Command(program)
	cmd.Args = os.Args
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// replay has a program replay the migrations of d.
func (l *linker) replay(ctx context.Context, d *directory, weights weights) error {
	opts := d.opts
	program, err := l.build(ctx, opts.Conn != nil)
	if err != nil {
		return err
	}
	cmd := again(program)
	var said bytes.Buffer
	if opts.Conn == nil {
		cmd = exec.Command(program)
		cmd.Stdout, cmd.Stderr = &said, &said
		if opts.Output != nil {
			cmd.Stderr = io.MultiWriter(&said, opts.Output)
		}
	}
	if cmd.Env, err = interpreter.Environment(l.temp); err != nil {
		return err
	}
	if err := l.run(ctx, cmd, order{Replay: true, Dir: l.dir, Options: opts, Weights: weights}, os.Kill); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(l.temp, outcomeFile))
	if err != nil {
		return fmt.Errorf("the replay has no outcome: %v%s", cmd.ProcessState, lastWords(said.String()))
	}
	var o outcome
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	if d.findings = o.findings; o.Error != "" {
		return errors.New(o.Error)
	}
	return nil
}

// run runs a program. When the context ends, the program gets the signal, and then the time
// that it takes to end: an upgrade can have much to roll back. It returns nil if the
// program has come to its own end.
func (l *linker) run(ctx context.Context, cmd *exec.Cmd, what order, signal os.Signal) error {
	record := filepath.Join(l.temp, recordFile)
	what.Process, what.Folder = os.Getpid(), l.temp
	text, err := json.Marshal(what)
	if err == nil {
		err = os.WriteFile(record, nil, 0o600)
	}
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Environ(), orderVar+"="+string(text))
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(signal) })
	err = cmd.Wait()
	stop()
	text, readErr := os.ReadFile(record)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil
	}
	if err := cmp.Or(err, readErr); err != nil {
		return err
	}
	file, said, begun := strings.Cut(string(text), "\n")
	switch {
	case signal == os.Kill && ctx.Err() != nil:
		return ctx.Err()
	case file != "":
		return Problems{ended(file, said, cmd.ProcessState)}
	case !begun:
		if b, ok := cmd.Stdout.(*bytes.Buffer); ok { // or else it has been seen
			said = b.String()
		}
		return fmt.Errorf("the initialization of its package ended the program: %v%s", cmd.ProcessState, lastWords(said))
	case !cmd.ProcessState.Exited():
		return errors.New(cmd.ProcessState.String())
	}
	return nil
}

// ended returns the problem of a migration that ended the program in which it ran.
func ended(file, said string, state *os.ProcessState) Problem {
	p := Problem{File: file}
	words := strings.TrimPrefix(lastWords(said), ": ")
	switch panicked, ok := strings.CutPrefix(words, "panic: "); {
	case ok:
		p.Fact = "panic in another goroutine: " + panicked
	case isCrash(words):
		p.Fact = words
	case state.Exited():
		p.Fact = fmt.Sprintf("called os.Exit: %v%s", state, lastWords(said))
		return p
	default:
		p.Fact = fmt.Sprintf("its process ended: %v%s", state, lastWords(said))
		return p
	}
	_, at, _ := strings.Cut(said, "/"+file+":")
	p.Line, _ = strconv.Atoi(at[:max(0, strings.IndexAny(at, " \n"))])
	return p
}

// lastWords returns a colon and the last words of a program that has ended: the first line
// of what Go's runtime says about a panic, or else the last line, as log.Fatal prints it.
func lastWords(said string) (words string) {
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); line != "" {
			words = ": " + line
		}
		if isCrash(line) {
			break
		}
	}
	return words
}

func isCrash(line string) bool {
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}

package gen

import (
	"bytes"
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

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Go migrations run in a program that they are linked into. Where that is not this one,
// another is built. What Generate wants to know it is told by a program that replays the
// migrations and does nothing else: it calls Serve or, where this program has a hook, it
// is this program, as far as its call of Generate. Who has called Load will do with the
// migrations what only he knows, so the whole program runs once more.

// An Exit is the error of Load for a directory with migrations in Go that are not linked
// into the program. The go command has built the program again, with them; that has run,
// with the same arguments and files, and ended with this code. Nothing is left to do but
// to end with it, too.
type Exit int

func (e Exit) Error() string {
	return fmt.Sprintf("the program with the Go migrations has ended: exit status %d", int(e))
}

// Variables of the environment of programs that are built.
const (
	recordVar  = "LOCKSTEP_RECORD"  // the number of the process that waits, a colon, and the record
	outcomeVar = "LOCKSTEP_OUTCOME" // where what the replay came to is to be written; the program then ends
)

// An outcome is what a replay comes to.
type outcome struct {
	Ends               [][]int
	Objects            []sqltext.Object
	Problems, Warnings Problems
	Error              string
}

// A question is what a program that calls [Serve] is asked.
type question struct {
	Dir       string
	Gaps, DQS bool
	To        lockstep.Version
}

// replayGo replays migrations of which some are in Go. all are those that there are.
// Unless they are linked into this program, Load makes it run again.
func (d *directory) replayGo(ctx context.Context, dir string, all []*migration, opts Options, load bool) error {
	l, err := newLinker(dir, all)
	if err == nil {
		defer l.close()
		switch {
		case l.path == linked.path && linked.outcome != "":
			err := d.replay(ctx, opts)
			d.report(err)
			os.Exit(0) // there is nobody to return to
		case l.path == linked.path:
			return d.replay(ctx, opts)
		case !load:
			err = l.replay(ctx, d, opts)
		case linked.path == "":
			err = l.rerun(ctx)
		default:
			err = fmt.Errorf("the program is linked with the Go migrations of %s; want one directory with some", linked.path)
		}
	}
	problems, exit := (Problems)(nil), Exit(0)
	if err == nil || ctx.Err() != nil || errors.As(err, &problems) || errors.As(err, &exit) {
		return err
	}
	return fmt.Errorf("%s: cannot be run: %w", l.first, err)
}

// report writes down what the replay came to.
func (d *directory) report(err error) {
	o := outcome{Objects: d.objects, Problems: d.problems, Warnings: d.warnings}
	for _, m := range d.migrations {
		o.Ends = append(o.Ends, m.ends)
	}
	if err != nil {
		o.Error = err.Error()
	}
	text, err := json.Marshal(o)
	if err == nil {
		err = os.WriteFile(linked.outcome, text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// rerun runs the whole program again and returns how it ended: as an Exit, unless a
// migration ended it.
func (l *linker) rerun(ctx context.Context) error {
	program, err := l.build(ctx, true)
	if err != nil {
		return err
	}
	cmd := exec.Command(program)
	cmd.Args = os.Args
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := l.run(ctx, cmd, os.Interrupt); err != nil {
		return err
	}
	return Exit(cmd.ProcessState.ExitCode())
}

// replay has another program replay the migrations of d.
func (l *linker) replay(ctx context.Context, d *directory, opts Options) error {
	program, err := l.build(ctx, opts.Conn != nil)
	if err != nil {
		return err
	}
	cmd := exec.Command(program)
	cmd.Args = os.Args
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var said bytes.Buffer
	if opts.Conn == nil {
		asked, err := json.Marshal(question{l.dir, opts.Gaps, opts.DQS, opts.To})
		if err != nil {
			return err
		}
		cmd.Args = []string{program, string(asked)}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, &said, &said
		if opts.Output != nil {
			cmd.Stderr = io.MultiWriter(&said, opts.Output)
		}
	}
	name := filepath.Join(l.temp, "outcome")
	cmd.Env = append(cmd.Environ(), outcomeVar+"="+name)
	if err := l.run(ctx, cmd, os.Kill); err != nil {
		return err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("its replay did not end: %v%s", cmd.ProcessState, lastWords(said.String()))
	}
	var o outcome
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	if o.Error != "" {
		return errors.New(o.Error)
	}
	for i, ends := range o.Ends {
		d.migrations[i].ends = ends
	}
	d.objects, d.problems, d.warnings = o.Objects, o.Problems, o.Warnings
	return nil
}

// run runs a program. When the context ends, it gets the signal, and is waited for.
func (l *linker) run(ctx context.Context, cmd *exec.Cmd, signal os.Signal) error {
	record := filepath.Join(l.temp, "record")
	if err := os.WriteFile(record, nil, 0o600); err != nil {
		return err
	}
	cmd.Env = append(cmd.Environ(), fmt.Sprintf("%s=%d:%s", recordVar, os.Getpid(), record))
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(signal) })
	err := cmd.Wait()
	stop()
	text, readErr := os.ReadFile(record)
	if exit := (*exec.ExitError)(nil); readErr != nil || err != nil && !errors.As(err, &exit) {
		return errors.Join(err, readErr)
	}
	file, said, began := strings.Cut(string(text), "\n")
	switch {
	case signal == os.Kill && ctx.Err() != nil:
		return ctx.Err()
	case file != "":
		return Problems{ended(file, said, cmd.ProcessState)}
	case !began:
		fact := "the initialization of its package ended the program: " + cmd.ProcessState.String()
		if b, ok := cmd.Stdout.(*bytes.Buffer); ok {
			fact += lastWords(b.String())
		}
		return errors.New(fact)
	case !cmd.ProcessState.Exited():
		return errors.New(cmd.ProcessState.String())
	}
	return nil
}

// ended returns the problem of a migration that has ended the program in which it ran.
func ended(file, said string, state *os.ProcessState) Problem {
	p := Problem{File: file}
	words := strings.TrimPrefix(lastWords(said), ": ")
	switch text, panicked := strings.CutPrefix(words, "panic: "); {
	case panicked:
		p.Fact = "panic in another goroutine: " + text
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

// lastWords returns a colon and what a program that has ended said last. What Go's runtime
// says about a panic begins with what it is about; what a program says before it ends is
// its last line, as by log.Fatal.
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

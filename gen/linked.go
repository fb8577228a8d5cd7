package gen

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
)

// grace is how long a function may take to return after its context has ended.
const grace = 2 * time.Second

// linked is what [Link] was called with: a function cannot be looked up by its name, so
// the package that has it says that it is there, before main begins.
var linked struct {
	path      string // of the package
	functions map[lockstep.Version]func(context.Context, lockstep.Tx) error
	outcome   string      // file for what the replay comes to, or ""
	record    *os.File    // for the program that waits for this one; nil if there is none
	streams   [2]*os.File // standard output and error, as other packages may have noted them
}

// Link is called by the package of migrations at path, in a program that Generate or Load
// has built; see [Exit]. It is for nobody else.
func Link(path string, functions map[lockstep.Version]func(context.Context, lockstep.Tx) error) {
	linked.path, linked.functions = path, functions
	linked.outcome = os.Getenv(outcomeVar)
	os.Unsetenv(outcomeVar)
	parent, name, _ := strings.Cut(os.Getenv(recordVar), ":")
	os.Unsetenv(recordVar)
	record, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return // started by hand
	}
	fmt.Fprintln(record)
	linked.record = record
	// The generator's driver has left its name to that of the migrations, if they have one.
	if name := "sqlite3"; !slices.Contains(sql.Drivers(), name) {
		sql.Register(name, &driver.SQLite{})
	}
	// A logger that was made by now is the migrations'. What main prints is not.
	linked.streams = [2]*os.File{os.Stdout, os.Stderr}
	stdout, stderr := *os.Stdout, *os.Stderr
	os.Stdout, os.Stderr = &stdout, &stderr
	go func() {
		for parent == strconv.Itoa(os.Getppid()) {
			time.Sleep(100 * time.Millisecond)
		}
		os.RemoveAll(filepath.Dir(name))
		os.Exit(1)
	}()
}

// Serve is all that a program does that Generate has built. It is for nobody else.
func Serve() {
	var q question
	err := json.Unmarshal([]byte(os.Args[len(os.Args)-1]), &q)
	if err == nil {
		_, err = load(context.Background(), q.Dir, Options{Gaps: q.Gaps, DQS: q.DQS, To: q.To, Output: os.Stderr}, false)
	}
	fmt.Fprintln(os.Stderr, "this program is run by lockstep, to replay migrations;", err)
	os.Exit(2)
}

// program returns a Go migration that is linked into this program. What it prints goes to
// output, unless that is nil. around is called for each statement; see [lockstep.Watched].
func (m *migration) program(output io.Writer, around func(query string, run func() error) error) lockstep.Program {
	f := linked.functions[m.Version]
	return lockstep.Watched(func(ctx context.Context, tx lockstep.Tx) error {
		flush := func() {}
		if linked.record != nil {
			var restore func()
			flush, restore = redirect(m.name, output)
			defer restore()
		}
		returned := make(chan error, 1)
		go func() {
			err := errors.New("called runtime.Goexit")
			defer func() {
				if e := recover(); e != nil {
					err = panicked(e, m.name)
				}
				returned <- err
			}()
			err = f(ctx, oneByOne{tx})
		}()
		ticks := time.NewTicker(100 * time.Millisecond)
		defer ticks.Stop()
		ended, late := ctx.Done(), (<-chan time.Time)(nil)
		for {
			select {
			case err := <-returned:
				flush()
				return err
			case <-ticks.C:
				flush()
			case <-ended:
				ended, late = nil, time.After(grace)
			case <-late:
				return fmt.Errorf("%w; the function did not return within %v", ctx.Err(), grace)
			}
		}
	}, around)
}

// redirect has what a migration prints written to the record. flush copies that to
// output. If the migration ends the process, the record tells what it said, and what
// Go's runtime said, to the program that waits.
func redirect(file string, output io.Writer) (flush, restore func()) {
	r := linked.record
	note := func(text string) int64 {
		r.Truncate(0)
		n, _ := r.WriteString(text)
		return int64(n)
	}
	read := note(file + "\n")
	flush = func() {
		text, _ := io.ReadAll(io.NewSectionReader(r, read, math.MaxInt64-read))
		read += int64(len(text))
		if output != nil {
			output.Write(text)
		}
	}
	stdin, stdout, stderr := os.Stdin, os.Stdout, os.Stderr
	if null, err := os.Open(os.DevNull); err == nil {
		os.Stdin = null
	}
	os.Stdout, os.Stderr = r, r
	*linked.streams[0], *linked.streams[1] = *r, *r
	debug.SetCrashOutput(r, debug.CrashOptions{})
	return flush, func() {
		debug.SetCrashOutput(nil, debug.CrashOptions{})
		if os.Stdin != stdin {
			os.Stdin.Close()
		}
		os.Stdin, os.Stdout, os.Stderr = stdin, stdout, stderr
		*linked.streams[0], *linked.streams[1] = *stderr, *stderr
		note("\n")
	}
}

// A panicError is a panic of a migration.
type panicError struct {
	text string
	line int // of the migration's file, or 0
}

func (e *panicError) Error() string { return e.text }

// panicked returns the panic as an error that says where it was. The deferred function
// calls it.
func panicked(e any, file string) error {
	p := &panicError{text: fmt.Sprintf("panic: %v", e)}
	var places []string
	for f := range frames() {
		base := filepath.Base(filepath.FromSlash(f.File))
		if strings.HasPrefix(f.Function, "runtime.") || f.File == "" {
			continue
		}
		if places = append(places, fmt.Sprintf("%s:%d", base, f.Line)); base == file {
			p.line = f.Line
		}
		if p.line > 0 || len(places) == 5 {
			break
		}
	}
	if len(places) > 1 || p.line == 0 && len(places) > 0 {
		p.text += ", at " + strings.Join(places, ", called at ")
	}
	return p
}

// lineIn returns the line of the file that is running, or 0 if another goroutine runs it.
func lineIn(file string) int {
	for f := range frames() {
		if filepath.Base(filepath.FromSlash(f.File)) == file {
			return f.Line
		}
	}
	return 0
}

// frames yields the calls of this goroutine, the innermost first, without those of the
// function that asks and of its caller.
func frames() func(yield func(runtime.Frame) bool) {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(4, pc)])
	return func(yield func(runtime.Frame) bool) {
		for more := true; more; {
			var f runtime.Frame
			if f, more = frames.Next(); !yield(f) {
				return
			}
		}
	}
}

// A driverError tells SQLite's result code also to code that is written for
// github.com/mattn/go-sqlite3, whose error is a struct with these fields.
type driverError struct{ err *sqlite3.Error }

func (e *driverError) Error() string { return e.err.Error() }
func (e *driverError) Unwrap() error { return e.err }

func (e *driverError) As(target any) bool {
	v := reflect.ValueOf(target).Elem()
	if v.Kind() != reflect.Struct || !strings.HasSuffix(v.Type().PkgPath(), "sqlite3") {
		return false
	}
	code, extended := v.FieldByName("Code"), v.FieldByName("ExtendedCode")
	if !code.IsValid() || !code.CanInt() || !extended.IsValid() || !extended.CanInt() {
		return false
	}
	code.SetInt(int64(e.err.Code()))
	extended.SetInt(int64(e.err.ExtendedCode()))
	return true
}

// forAllDrivers is an around for [migration.program].
func forAllDrivers(_ string, run func() error) error {
	err := run()
	if e := (*sqlite3.Error)(nil); errors.As(err, &e) {
		return &driverError{e}
	}
	return err
}

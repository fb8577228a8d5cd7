package gen

import (
	"cmp"
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
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/program"
)

// linked is what [Link] was told. It is global because Go cannot look up a function by its
// name: the package of migrations passes its functions before main begins.
var linked struct {
	order
	path      string // of the package
	functions map[lockstep.Version]func(context.Context, lockstep.Tx) error
	record    *os.File    // see [redirect]; nil if nobody waits for this program
	streams   [2]*os.File // standard output and error as packages found them when they were initialized
}

// Link registers the functions of the migrations in the package at path. Only that package
// calls it, in a program that [Generate] or [Load] has built.
func Link(path string, functions map[lockstep.Version]func(context.Context, lockstep.Tx) error) {
	linked.path, linked.functions = path, functions
	given := json.Unmarshal([]byte(os.Getenv(orderVar)), &linked.order)
	os.Unsetenv(orderVar)
	// lockstep's driver was built without a name, so that another could have it.
	if name := "sqlite3"; !slices.Contains(sql.Drivers(), name) {
		sql.Register(name, &driver.SQLite{})
	}
	record, err := os.OpenFile(filepath.Join(linked.Folder, recordFile), os.O_RDWR|os.O_APPEND, 0)
	if given != nil || err != nil {
		return // somebody has started the program by hand
	}
	fmt.Fprintln(record)
	linked.record = record
	// From here on these are the migrations' streams, and what main has are others.
	linked.streams = [2]*os.File{os.Stdout, os.Stderr}
	stdout, stderr := *os.Stdout, *os.Stderr
	os.Stdout, os.Stderr = &stdout, &stderr
	go func() { // ends with the process that waits
		for linked.Process == os.Getppid() {
			time.Sleep(100 * time.Millisecond)
		}
		os.RemoveAll(linked.Folder)
		os.Exit(1)
	}()
}

// Serve is the main function of a program that [Generate] has built.
func Serve() {
	linked.Options.Output = os.Stderr
	d, err := read(linked.Dir, linked.Options)
	if err == nil {
		err = cmp.Or(d.load(context.Background(), history{}, false), d.Problems.err())
	}
	fmt.Fprintln(os.Stderr, "lockstep runs this program to replay migrations:", err)
	os.Exit(2)
}

// program returns a Go migration that is linked into this program. What it prints goes to
// output, unless that is nil. A panic is an error. before is for [program.Go].
func (m *migration) program(output io.Writer, before func(query string) (func(error) error, error)) lockstep.Program {
	f := linked.functions[m.Version]
	return lockstep.Go(func(ctx context.Context, tx lockstep.Tx) error {
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
		return wait(ctx, returned, flush)
	}).(program.Go).Around(before)
}

// wait returns what a function returns, unless it does not soon after its context has
// ended. It calls flush now and then.
func wait(ctx context.Context, returned <-chan error, flush func()) error {
	const grace, tick = 2 * time.Second, 100 * time.Millisecond
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	defer flush()
	for late := time.Duration(0); late < grace; {
		select {
		case err := <-returned:
			return err
		case <-ticks.C:
			if flush(); ctx.Err() != nil {
				late += tick
			}
		}
	}
	return fmt.Errorf("%w; the function did not return within %v", ctx.Err(), grace)
}

// redirect has the record hold the name of a migration that runs, and what it prints. flush
// copies the latter to output. If the migration ends the process, the record tells which it
// was, and what it or Go's runtime said last.
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

// panicked returns a panic as an error that says where it was. The deferred function that
// recovers calls it.
func panicked(e any, file string) error {
	p := &panicError{text: fmt.Sprintf("panic: %v", e)}
	var places []string
	for _, f := range calls() {
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

// lineIn returns the line of the file that this goroutine is in, or 0.
func lineIn(file string) int {
	for _, f := range calls() {
		if filepath.Base(filepath.FromSlash(f.File)) == file {
			return f.Line
		}
	}
	return 0
}

// calls returns the calls of this goroutine, the innermost first, but for the function that
// asks, and its caller.
func calls() (calls []runtime.Frame) {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(4, pc)])
	for f, more := frames.Next(); more; f, more = frames.Next() {
		calls = append(calls, f)
	}
	return calls
}

// A driverError is an error of SQLite that also tells its code to code written for
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

// forAllDrivers has the error of each statement be a driverError.
func forAllDrivers(string) (after func(error) error, err error) { return asDriverError, nil }

func asDriverError(err error) error {
	if e := (*sqlite3.Error)(nil); errors.As(err, &e) {
		return &driverError{e}
	}
	return err
}

package gohost

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// A session is one run of a migration: what the child asks for in its course.
type session struct {
	*Process
	ctx  context.Context
	tx   lockstep.Tx
	call int
	said int // bytes that the child had written when it began

	requests sync.WaitGroup
	mu       sync.Mutex        // guards all below
	cancels  map[int]func()    // of the requests that are being answered
	last     int               // handle
	stmts    map[int]*sql.Stmt // by handle
	rows     map[int]*openRows // by handle
	errors   map[int]error     // what the database said, by reference
}

type openRows struct {
	*sql.Rows
	cancel context.CancelFunc
	dest   []any
}

const (
	mostErrors = 1000    // that are kept
	mostBytes  = 1 << 20 // of rows in one answer, but for the last of them
)

// run runs the migration and answers its requests.
func (s *session) run(v lockstep.Version) error {
	s.cancels, s.stmts, s.rows, s.errors = map[int]func(){}, map[int]*sql.Stmt{}, map[int]*openRows{}, map[int]error{}
	defer s.finish()
	start := &message{Kind: run, Call: s.call, Version: int(v)}
	start.Deadline, _ = s.ctx.Deadline()
	s.send(start)
	over := s.ctx.Done()
	var late <-chan time.Time
	ended := false
	for {
		select {
		case m, ok := <-s.received:
			if !ok {
				return s.gone(ended)
			}
			switch {
			case m.Call != s.call:
				// A goroutine of an earlier migration that it has not waited for.
				s.send(&message{Kind: answer, ID: m.ID, Err: &wireError{Text: "the migration has returned"}})
			case m.Kind == done && m.Err == nil:
				return nil
			case m.Kind == done:
				return s.failed(m.Err)
			case m.Kind == cancel:
				s.mu.Lock()
				if stop := s.cancels[m.ID]; stop != nil {
					stop()
				}
				s.mu.Unlock()
			default:
				s.requests.Add(1)
				go s.answer(m)
			}
		case <-over:
			over = nil
			s.send(&message{Kind: cancel, Call: s.call})
			timer := time.NewTimer(grace)
			defer timer.Stop()
			late = timer.C
		case <-late:
			ended = true
			go s.Close() // while its messages are read
		}
	}
}

type lineKey struct{}

func withLine(ctx context.Context, line int) context.Context {
	return context.WithValue(ctx, lineKey{}, line)
}

// Line returns the line of the migration's file that has asked for what the context
// is given for, or 0: the contexts that methods of a Tx are called with by what
// [Process.Func] returns have one.
func Line(ctx context.Context) int {
	line, _ := ctx.Value(lineKey{}).(int)
	return line
}

// finish closes what the migration has left open.
func (s *session) finish() {
	s.mu.Lock()
	for _, stop := range s.cancels {
		stop()
	}
	s.mu.Unlock()
	s.requests.Wait()
	for _, r := range s.rows {
		r.cancel()
		r.Close()
	}
	for _, stmt := range s.stmts {
		stmt.Close()
	}
}

// failed returns the error with which a migration has returned.
func (s *session) failed(w *wireError) error {
	e := &Error{Text: w.Text, Line: w.Line}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.errors[w.Ref] != nil:
		e.Err = s.errors[w.Ref]
	case w.Context == 1:
		e.Err = context.Canceled
	case w.Context == 2:
		e.Err = context.DeadlineExceeded
	}
	return e
}

// gone returns the error for a child that has ended while a migration ran.
func (s *session) gone(ended bool) error {
	s.broken = errors.New("the program that runs the Go migrations has ended")
	if err := s.ctx.Err(); err != nil {
		e := &Error{Text: err.Error(), Err: err}
		if ended {
			e.Text += fmt.Sprintf("; the migration did not return within %v, and its process was ended", grace)
		}
		return e
	}
	if s.isClosed() {
		return errClosed
	}
	// The go command writes how its child has ended. What Go's runtime writes about a
	// panic goes from what it is about to where it was; what a program writes before it
	// ends is its last line, as by log.Fatal.
	status, said, crashed := "", "", false
	for line := range strings.Lines(s.Process.said.since(s.said)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "exit status ") || strings.HasPrefix(line, "signal: "):
			status = line
		case strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: "):
			said, crashed = line, true
		case line != "" && !crashed:
			said = line
		}
	}
	if status == "" && s.waited != nil {
		status = s.waited.Error()
	}
	e := &Error{Text: "it ended the process in which it ran, as os.Exit does"}
	if crashed {
		e.Text = "a goroutine of it ended the process in which it ran"
	}
	for _, more := range []string{status, said} {
		if more != "" {
			e.Text += ": " + more
		}
	}
	return e
}

// answer does what a request asks for.
func (s *session) answer(m *message) {
	defer s.requests.Done()
	ctx, stop := context.WithCancel(withLine(s.ctx, m.Line))
	defer stop()
	s.mu.Lock()
	s.cancels[m.ID] = stop
	s.mu.Unlock()
	a := &message{Kind: answer, ID: m.ID}
	if err := s.do(ctx, m, a); err != nil {
		a.Err = s.note(err)
	}
	s.mu.Lock()
	delete(s.cancels, m.ID)
	s.mu.Unlock()
	s.send(a)
}

func (s *session) do(ctx context.Context, m, a *message) error {
	args := arguments(m.Args)
	switch m.Kind {
	case execute:
		res, err := s.tx.ExecContext(ctx, m.Query, args...)
		return tell(a, res, err)
	case execPrepared:
		stmt, err := s.stmt(m.Handle)
		if err != nil {
			return err
		}
		res, err := stmt.ExecContext(ctx, args...)
		return tell(a, res, err)
	case query:
		return s.query(m, a, func(ctx context.Context) (*sql.Rows, error) { return s.tx.QueryContext(ctx, m.Query, args...) })
	case queryPrepared:
		stmt, err := s.stmt(m.Handle)
		if err != nil {
			return err
		}
		return s.query(m, a, func(ctx context.Context) (*sql.Rows, error) { return stmt.QueryContext(ctx, args...) })
	case prepare:
		stmt, err := s.tx.PrepareContext(ctx, m.Query)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last++
		a.Handle = s.last
		s.stmts[a.Handle] = stmt
	case closeStmt:
		s.mu.Lock()
		stmt := s.stmts[m.Handle]
		delete(s.stmts, m.Handle)
		s.mu.Unlock()
		if stmt != nil {
			return stmt.Close()
		}
	case next:
		r, err := s.open(m.Handle)
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, r.cancel)
		defer stop()
		return r.next(m.N, a)
	case columnTypes:
		r, err := s.open(m.Handle)
		if err != nil {
			return err
		}
		types, err := r.ColumnTypes()
		for _, t := range types {
			c := columnType{Database: t.DatabaseTypeName()}
			c.Nullable, c.Declared = t.Nullable()
			if scan := t.ScanType(); scan != nil {
				c.Scan = scan.String()
			}
			a.Types = append(a.Types, c)
		}
		return err
	case closeRows:
		s.mu.Lock()
		r := s.rows[m.Handle]
		delete(s.rows, m.Handle)
		s.mu.Unlock()
		if r != nil {
			defer r.cancel()
			return r.Close()
		}
	default:
		return fmt.Errorf("unknown request %d", m.Kind)
	}
	return nil
}

func tell(a *message, res sql.Result, err error) error {
	if err != nil {
		return err
	}
	// Drivers for SQLite know both.
	a.LastInsertID, _ = res.LastInsertId()
	a.RowsAffected, _ = res.RowsAffected()
	return nil
}

// query opens rows. Their context is that of the run, and not of the request that
// opens them: the child says when a context ends.
func (s *session) query(m, a *message, open func(context.Context) (*sql.Rows, error)) error {
	ctx, stop := context.WithCancel(withLine(s.ctx, m.Line))
	s.mu.Lock()
	s.cancels[m.ID] = stop
	s.mu.Unlock()
	rows, err := open(ctx)
	if err != nil {
		stop()
		return err
	}
	if a.Columns, err = rows.Columns(); err != nil {
		stop()
		return errors.Join(err, rows.Close())
	}
	r := &openRows{Rows: rows, cancel: stop}
	for range a.Columns {
		r.dest = append(r.dest, new(any))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	a.Handle = s.last
	s.rows[a.Handle] = r
	return nil
}

// next reads up to n rows.
func (r *openRows) next(n int, a *message) error {
	for size := 0; len(a.Rows) < n && size < mostBytes; {
		if !r.Next() {
			err := r.Err()
			if err != nil && len(a.Rows) > 0 {
				return nil // when it is asked for more
			}
			a.End = true
			return err
		}
		if err := r.Scan(r.dest...); err != nil {
			return err
		}
		row := make([]value, len(r.dest))
		for i, dest := range r.dest {
			v, err := valueOf(*dest.(*any))
			if err != nil {
				return err
			}
			row[i] = v
			size += v.size()
		}
		a.Rows = append(a.Rows, row)
	}
	return nil
}

func (s *session) stmt(handle int) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt := s.stmts[handle]; stmt != nil {
		return stmt, nil
	}
	return nil, errors.New("statement is closed")
}

func (s *session) open(handle int) (*openRows, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rows[handle]; r != nil {
		return r, nil
	}
	return nil, errors.New("rows are closed")
}

// note keeps an error of the database for when the migration returns it, and
// returns it as the child is told.
func (s *session) note(err error) *wireError {
	w := &wireError{Text: err.Error(), Code: s.code(err)}
	switch {
	case errors.Is(err, context.Canceled):
		w.Context = 1
	case errors.Is(err, context.DeadlineExceeded):
		w.Context = 2
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	w.Ref = s.last
	s.errors[w.Ref] = err
	delete(s.errors, w.Ref-mostErrors)
	return w
}

package lockstep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// write proves in a transaction that the database can be written to, and its journal: what
// fails from then on has another reason. It writes a number that is there already.
func (c *conn) write(ctx context.Context) error {
	forbidden := c.forbidden() // SQLite removes a journal that it cannot use
	var version int32
	err := c.read(ctx, "PRAGMA main.user_version", &version)
	if err == nil {
		err = c.exec(ctx, fmt.Sprintf("PRAGMA main.user_version = %d", version))
	}
	return named(err, forbidden)
}

// forbidden returns an error that names what SQLite has to write to and may not, or nil.
func (c *conn) forbidden() error {
	var names []string
	var why error
	folder := filepath.Dir(c.file)
	files := []string{c.file, folder}
	for _, suffix := range diskfile.SideFiles {
		files = append(files, c.file+suffix)
	}
	for _, path := range files {
		switch err := diskfile.MayWrite(path); {
		case errors.Is(err, fs.ErrNotExist) && path == c.file: // in memory, or not known
			return nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			if why = err; path == folder {
				path = "its folder"
			}
			names = append(names, filepath.Base(path))
		}
	}
	if why == nil {
		return nil
	}
	return fmt.Errorf("cannot write to %s: %w", strings.Join(names, ", "), why)
}

// named adds what is forbidden to an error of SQLite, which names no files, and calls each
// case something else.
func named(err, forbidden error) error {
	if e := (*forbiddenError)(nil); forbidden == nil || !sqlite.IsOfFile(err) || errors.As(err, &e) {
		return err
	}
	return &forbiddenError{forbidden, err}
}

type forbiddenError struct{ forbidden, err error }

func (e *forbiddenError) Error() string   { return e.forbidden.Error() + ": " + sqlite.Sentence(e.err) }
func (e *forbiddenError) Unwrap() []error { return []error{e.err, e.forbidden} }

// unreadable returns the error for a database whose version cannot be read.
func (c *conn) unreadable(err error, format string, args ...any) *Error {
	e := &Error{Kind: ErrUnreadable, DB: c.file, Expected: c.expected, Detail: fmt.Sprintf(format, args...), Err: err}
	if err != nil {
		e.Err = named(err, c.forbidden())
	}
	if sqlite.IsReadOnly(err) {
		e.Detail = "to read it, SQLite has to write beside it (WAL mode, or a journal to roll back)"
	}
	return e
}

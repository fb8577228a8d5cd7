package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
)

// Write proves in a transaction that a database can be written to, and its journal: what
// fails from then on has another reason. It writes a number that is there already.
func Write(ctx context.Context, c *sql.Conn, file string) error {
	forbidden := forbidden(file) // SQLite removes a journal that it cannot use
	var version int
	err := Read(ctx, c, "PRAGMA main.user_version", &version)
	if err == nil {
		_, err = c.ExecContext(ctx, fmt.Sprintf("PRAGMA main.user_version = %d", version))
	}
	return named(err, forbidden)
}

// Forbidden adds what SQLite has to write to and may not to an error of SQLite, which names no
// files. file is the database.
func Forbidden(err error, file string) error { return named(err, forbidden(file)) }

// forbidden returns an error that names what SQLite has to write to and may not, or nil.
func forbidden(file string) error {
	var names []string
	var why error
	folder := filepath.Dir(file)
	files := []string{file, folder}
	for _, suffix := range diskfile.SideFiles {
		files = append(files, file+suffix)
	}
	for _, path := range files {
		switch err := diskfile.MayWrite(path); {
		case errors.Is(err, fs.ErrNotExist) && path == file: // in memory, or not known
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
	if e := (*forbiddenError)(nil); forbidden == nil || !IsOfFile(err) || errors.As(err, &e) {
		return err
	}
	return &forbiddenError{forbidden, err}
}

type forbiddenError struct{ forbidden, err error }

func (e *forbiddenError) Error() string   { return e.forbidden.Error() + ": " + Sentence(e.err) }
func (e *forbiddenError) Unwrap() []error { return []error{e.err, e.forbidden} }

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/ext/fts5"

	"github.com/lockstep-db/lockstep/examples/notes/migrations"
	"github.com/lockstep-db/lockstep/runtime"
)

// The SQL in this file is written for version 7 of the database. When a migration is
// added, this line stops compiling until somebody has reviewed the file.
const _ migrations.V0007CountTags = migrations.Latest

// A Store is the notebook's database. All SQL of the program is in this file.
type Store struct {
	db *sql.DB
}

// Open opens the database, or makes it, and brings it to the version that this program
// expects. If it cannot, it returns an error and has changed nothing.
func Open(ctx context.Context, path string, opts ...lockstep.Option) (*Store, error) {
	db, err := open(path)
	if err != nil {
		return nil, err
	}
	opts = append([]lockstep.Option{lockstep.WithLogger(slog.Default())}, opts...)
	if err := migrations.Migrate(ctx, db, opts...); err != nil {
		db.Close()
		return nil, err
	}
	return &Store{db}, nil
}

// open opens the database, whatever its version.
func open(path string) (*sql.DB, error) {
	// Foreign keys are a setting of each connection. All our transactions write, so
	// they take the write lock when they begin: https://sqlite.org/lang_transaction.html
	name := url.URL{
		Scheme:   "file",
		OmitHost: true,
		Path:     filepath.ToSlash(path),
		RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=foreign_keys(on)&_txlock=immediate",
	}
	return driver.Open(name.String(), fts5.Register)
}

// Watch returns why the program must end as soon as a newer release has upgraded the
// database, and nil when ctx ends.
func (s *Store) Watch(ctx context.Context) error { return migrations.Watch(ctx, s.db) }

// Check returns lockstep.ErrAhead if a newer release has upgraded the database.
func (s *Store) Check(ctx context.Context) error { return migrations.Check(ctx, s.db) }

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// A Note is one note.
type Note struct {
	ID       int64
	Title    string
	Body     string
	Tags     []string
	Created  time.Time
	Updated  time.Time
	Archived bool
	Excerpt  string // in search results: part of Body, with \x02 and \x03 around each match
}

// A Revision is an earlier text of a note.
type Revision struct {
	Title string
	Body  string
	Saved time.Time
}

// A Tag is a tag in use.
type Tag struct {
	Name  string
	Notes int // that have it, without archived ones
}

// ErrNoNote is returned for a note that does not exist.
var ErrNoNote = errors.New("no such note")

// noteColumns are the columns that query scans, with an excerpt after them.
const noteColumns = `n.id, n.title, n.body, n.created_at, n.updated_at, n.archived_at IS NOT NULL,
	coalesce((SELECT group_concat(tag) FROM (SELECT tag FROM note_tags WHERE note_id = n.id ORDER BY tag)), '')`

// Notes returns the notes with a tag, or all if tag is empty, either from the archive
// or from outside it. The last changed comes first.
func (s *Store) Notes(ctx context.Context, tag string, archived bool) ([]Note, error) {
	return s.query(ctx, `SELECT `+noteColumns+`, ''
		FROM notes AS n
		WHERE (n.archived_at IS NOT NULL) = :archived
			AND (:tag = '' OR n.id IN (SELECT note_id FROM note_tags WHERE tag = :tag))
		ORDER BY n.updated_at DESC, n.id DESC`,
		sql.Named("archived", archived), sql.Named("tag", tag))
}

// Search returns the notes, archived or not, in which each word that was
// typed is the beginning of a word. The best match comes first.
func (s *Store) Search(ctx context.Context, typed string) ([]Note, error) {
	match := matchAll(words(typed))
	if match == "" {
		return nil, nil
	}
	return s.query(ctx, `SELECT `+noteColumns+`, snippet(notes_search, 1, char(2), char(3), '…', 32)
		FROM notes_search JOIN notes AS n ON n.id = notes_search.rowid
		WHERE notes_search MATCH :match
		ORDER BY notes_search.rank`,
		sql.Named("match", match))
}

// words returns what a user typed without what can be in no word: white space, and NUL,
// which for SQLite ends a query.
func words(typed string) []string {
	return strings.FieldsFunc(typed, func(r rune) bool { return unicode.IsSpace(r) || r == 0 })
}

// matchAll makes an FTS5 query of words. They are quoted, so that none is an operator.
//
// https://sqlite.org/fts5.html#full_text_query_syntax
func matchAll(words []string) string {
	var match []string
	for _, word := range words {
		match = append(match, `"`+strings.ReplaceAll(word, `"`, `""`)+`"*`)
	}
	return strings.Join(match, " ")
}

// query returns the notes of a query for noteColumns and an excerpt.
func (s *Store) query(ctx context.Context, query string, args ...any) ([]Note, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	return collect(rows, err, func(n *Note) error {
		var created, updated int64
		var tags string
		err := rows.Scan(&n.ID, &n.Title, &n.Body, &created, &updated, &n.Archived, &tags, &n.Excerpt)
		n.Created, n.Updated = time.Unix(created, 0), time.Unix(updated, 0)
		if tags != "" {
			n.Tags = strings.Split(tags, ",")
		}
		return err
	})
}

// collect returns what scan makes of each row, and closes the rows.
func collect[T any](rows *sql.Rows, err error, scan func(*T) error) (all []T, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var item T
		if err := scan(&item); err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, rows.Err()
}

// Note returns one note, or ErrNoNote.
func (s *Store) Note(ctx context.Context, id int64) (Note, error) {
	notes, err := s.query(ctx, `SELECT `+noteColumns+`, '' FROM notes AS n WHERE n.id = ?`, id)
	if err != nil {
		return Note{}, err
	}
	if len(notes) == 0 {
		return Note{}, fmt.Errorf("note %d: %w", id, ErrNoNote)
	}
	return notes[0], nil
}

// Revisions returns the earlier texts of a note, the latest first.
func (s *Store) Revisions(ctx context.Context, id int64) ([]Revision, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT title, body, saved_at FROM revisions WHERE note_id = ? ORDER BY id DESC`, id)
	return collect(rows, err, func(r *Revision) error {
		var saved int64
		err := rows.Scan(&r.Title, &r.Body, &saved)
		r.Saved = time.Unix(saved, 0)
		return err
	})
}

// Tags returns the tags of the notes that are not archived.
func (s *Store) Tags(ctx context.Context) ([]Tag, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT tag, notes FROM tag_counts ORDER BY tag`)
	return collect(rows, err, func(t *Tag) error { return rows.Scan(&t.Name, &t.Notes) })
}

// Save stores the title, body and tags of a note, and returns its ID. A note whose ID
// is 0 is new. Triggers keep the earlier text, the time and the search index.
func (s *Store) Save(ctx context.Context, n Note) (id int64, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		id, err = save(ctx, tx, n)
		return err
	})
	return id, err
}

func save(ctx context.Context, tx *sql.Tx, n Note) (id int64, err error) {
	if id = n.ID; id == 0 {
		err = tx.QueryRowContext(ctx, `INSERT INTO notes (title, body) VALUES (?, ?) RETURNING id`, n.Title, n.Body).Scan(&id)
	} else {
		err = one(tx.ExecContext(ctx, `UPDATE notes SET title = ?, body = ? WHERE id = ?`, n.Title, n.Body, id))
	}
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM note_tags WHERE note_id = ?`, id); err != nil {
		return 0, err
	}
	for _, tag := range n.Tags {
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO note_tags (note_id, tag) VALUES (?, ?)`, id, tag); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// Archive moves a note into or out of the archive, or returns ErrNoNote. It saves typed
// with it, if that is not nil.
func (s *Store) Archive(ctx context.Context, id int64, archived bool, typed *Note) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		if typed != nil {
			if _, err := save(ctx, tx, *typed); err != nil {
				return err
			}
		}
		return one(tx.ExecContext(ctx, `UPDATE notes SET archived_at = iif(?, unixepoch(), NULL) WHERE id = ?`, archived, id))
	})
}

// Delete deletes a note with its tags and revisions, or returns ErrNoNote.
func (s *Store) Delete(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, `DELETE FROM notes WHERE id = ?`, id))
	})
}

// one returns ErrNoNote for a statement that changed no note.
func one(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); n == 0 && err == nil {
		return ErrNoNote
	}
	return nil
}

// write calls f in a transaction, or returns lockstep.ErrAhead if a newer release has
// upgraded the database. Until the transaction ends, none can.
func (s *Store) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := migrations.CheckTx(ctx, tx); err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

package lockstep_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/example/migrations"
)

// TestSqlc shows that code of the shape that sqlc generates for database/sql works
// on a Tx: what is below is that shape, for two tables of the example.
func TestSqlc(t *testing.T) {
	ctx := t.Context()
	db := openExample()
	t.Cleanup(func() { db.Close() })
	if err := migrations.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	// The application's own use of it.
	if id, err := New(db).CreateNote(ctx, "  First Note "); err != nil || id != 1 {
		t.Fatalf("got %d, %v", id, err)
	}

	migrate := func(ctx context.Context, tx lockstep.Tx) error {
		q := New(tx)
		if _, err := q.CreateNote(ctx, "second"); err != nil {
			return err
		}
		notes, err := q.ListNotes(ctx)
		if err != nil {
			return err
		}
		prepared, err := Prepare(ctx, tx) // emit_prepared_queries
		if err != nil {
			return err
		}
		defer prepared.Close()
		for _, n := range notes {
			tag := strings.ToLower(strings.TrimSpace(n.Title))
			if err := prepared.AddTag(ctx, AddTagParams{Note: n.ID, Tag: tag}); err != nil {
				return err
			}
		}
		n, err := prepared.CountTags(ctx)
		if err == nil && n != 2 {
			err = fmt.Errorf("%d tags, want 2", n)
		}
		return err
	}
	if err := lockstep.Migrate(ctx, db, withMigration(migrations.Schema, "0003-tag-notes.go", lockstep.Go(migrate))); err != nil {
		t.Fatal(err)
	}
	var tags string
	if err := db.QueryRowContext(ctx, "SELECT group_concat(tag, ', ' ORDER BY note) FROM tags").Scan(&tags); err != nil {
		t.Fatal(err)
	}
	if want := "first note, second"; tags != want {
		t.Errorf("got %q, want %q", tags, want)
	}
}

type DBTX interface {
	ExecContext(context.Context, string, ...interface{}) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...interface{}) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...interface{}) *sql.Row
}

var (
	_ DBTX        = lockstep.Tx(nil)
	_ lockstep.Tx = DBTX(nil)
	_ lockstep.Tx = (*sql.Tx)(nil)
)

func New(db DBTX) *Queries { return &Queries{db: db} }

func Prepare(ctx context.Context, db DBTX) (*Queries, error) {
	q := Queries{db: db}
	var err error
	if q.addTagStmt, err = db.PrepareContext(ctx, addTag); err != nil {
		return nil, fmt.Errorf("error preparing query AddTag: %w", err)
	}
	if q.countTagsStmt, err = db.PrepareContext(ctx, countTags); err != nil {
		return nil, fmt.Errorf("error preparing query CountTags: %w", err)
	}
	return &q, nil
}

func (q *Queries) Close() error {
	for _, stmt := range []*sql.Stmt{q.addTagStmt, q.countTagsStmt} {
		if err := stmt.Close(); err != nil {
			return err
		}
	}
	return nil
}

type Queries struct {
	db            DBTX
	addTagStmt    *sql.Stmt
	countTagsStmt *sql.Stmt
}

const createNote = `-- name: CreateNote :one
INSERT INTO notes (title) VALUES (?) RETURNING id
`

func (q *Queries) CreateNote(ctx context.Context, title string) (int64, error) {
	row := q.db.QueryRowContext(ctx, createNote, title)
	var id int64
	err := row.Scan(&id)
	return id, err
}

const listNotes = `-- name: ListNotes :many
SELECT id, title FROM notes ORDER BY id
`

type Note struct {
	ID    int64
	Title string
}

func (q *Queries) ListNotes(ctx context.Context) ([]Note, error) {
	rows, err := q.db.QueryContext(ctx, listNotes)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var items []Note
	for rows.Next() {
		var i Note
		if err := rows.Scan(&i.ID, &i.Title); err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return items, nil
}

const addTag = `-- name: AddTag :exec
INSERT INTO tags (note, tag) VALUES (?1, ?2)
`

type AddTagParams struct {
	Note int64
	Tag  string
}

func (q *Queries) AddTag(ctx context.Context, arg AddTagParams) error {
	_, err := q.addTagStmt.ExecContext(ctx, arg.Note, arg.Tag)
	return err
}

const countTags = `-- name: CountTags :one
SELECT count(*) FROM tags
`

func (q *Queries) CountTags(ctx context.Context) (int64, error) {
	var n int64
	err := q.countTagsStmt.QueryRowContext(ctx).Scan(&n)
	return n, err
}

package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/examples/notes/migrations"
	"github.com/lockstep-db/lockstep/runtime"
)

// TestUpgrade opens a notebook that an early release wrote.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.db")
	script, err := os.ReadFile("testdata/version-0002.sql")
	if err != nil {
		t.Fatal(err)
	}
	execute(t, path, string(script))

	store := openStore(t, path)
	ctx := context.Background()
	want := []Note{
		{ID: 7, Title: "Crème brûlée", Body: "Six yolks", Tags: []string{"kitchen"}, Created: date(2024, 2, 29, 23, 59, 59), Updated: date(2024, 2, 29, 23, 59, 59)},
		{ID: 2, Title: "Untitled", Body: "A body without a title", Created: date(2023, 6, 7, 8, 9, 10), Updated: date(2023, 6, 7, 8, 9, 10)},
		{ID: 1, Title: "Bread", Body: "Flour, water, salt; 18 hours", Tags: []string{"Kitchen", "weekend"}, Created: date(2023, 1, 2, 3, 4, 5), Updated: date(2023, 1, 2, 3, 4, 5)},
	}

	t.Run("KeepsEveryNoteAndTag", func(t *testing.T) {
		got, err := store.Notes(ctx, "", false)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
	t.Run("FillsTheSearchIndex", func(t *testing.T) {
		got, err := store.Search(ctx, "creme")
		if err != nil {
			t.Fatal(err)
		}
		want := want[0]
		want.Excerpt = "Six yolks"
		if !reflect.DeepEqual(got, []Note{want}) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
	t.Run("LeavesForeignKeysEnforced", func(t *testing.T) {
		_, err := store.db.Exec(`INSERT INTO note_tags (note_id, tag) VALUES (99, 'lost')`)
		const want = "sqlite3: constraint failed: FOREIGN KEY constraint failed"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestOpen(t *testing.T) {
	t.Run("RefusesTheNotebookOfANewerRelease", func(t *testing.T) {
		dir, err := filepath.EvalSymlinks(t.TempDir()) // as SQLite names it
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "notes.db")
		openStore(t, path).Close()
		execute(t, path, newer)

		_, err = Open(context.Background(), path)
		if !errors.Is(err, lockstep.ErrAhead) {
			t.Fatalf("got %v, want ErrAhead", err)
		}
		want := path + ": at version 0008, this program expects 0007: written by a newer program, not opened"
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	})
	t.Run("RefusesWhatIsNotANotebook", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "places.db")
		execute(t, path, `CREATE TABLE places (url TEXT)`)

		_, err := Open(context.Background(), path)
		if !errors.Is(err, lockstep.ErrUnmanaged) {
			t.Fatalf("got %v, want ErrUnmanaged", err)
		}
	})
	t.Run("OpensAgainWithoutAChange", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "notes.db")
		openStore(t, path).Close()
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		openStore(t, path).Close()
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(after) != string(before) {
			t.Error("the file has changed")
		}
	})
}

// TestSave checks what the triggers do when a note is saved again.
func TestSave(t *testing.T) {
	store := openStore(t, filepath.Join(t.TempDir(), "notes.db"))
	ctx := context.Background()
	save := func(n Note) int64 {
		t.Helper()
		id, err := store.Save(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	id := save(Note{Title: "Plan", Body: "first", Tags: []string{"Go", "go", "sqlite"}})
	save(Note{ID: id, Title: "Plan", Body: "first", Tags: []string{"sqlite"}}) // only the tags
	save(Note{ID: id, Title: "Plan B", Body: "second"})

	t.Run("KeepsWhatANoteSaidBefore", func(t *testing.T) {
		revisions, err := store.Revisions(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if len(revisions) != 1 || revisions[0].Title != "Plan" || revisions[0].Body != "first" {
			t.Errorf("got %+v, want Plan, first", revisions)
		}
	})
	t.Run("FindsTheNewTextAndNotTheOld", func(t *testing.T) {
		for words, want := range map[string]int{"second": 1, "PLA sec": 1, "first": 0, `NEAR("`: 0, "*": 0, "": 0} {
			notes, err := store.Search(ctx, words)
			if err != nil {
				t.Errorf("%q: %v", words, err)
			}
			if len(notes) != want {
				t.Errorf("%q: got %d notes, want %d", words, len(notes), want)
			}
		}
	})
	t.Run("DeletesTagsAndRevisionsWithTheNote", func(t *testing.T) {
		if err := store.Delete(ctx, id); err != nil {
			t.Fatal(err)
		}
		var rows int
		err := store.db.QueryRow(`SELECT (SELECT count(*) FROM note_tags) + (SELECT count(*) FROM revisions)`).Scan(&rows)
		if err != nil || rows != 0 {
			t.Errorf("got %d rows, %v; want none", rows, err)
		}
	})
	t.Run("RefusesADeletedNote", func(t *testing.T) {
		if _, err := store.Save(ctx, Note{ID: id, Title: "x"}); !errors.Is(err, ErrNoNote) {
			t.Errorf("got %v, want ErrNoNote", err)
		}
	})
}

func TestExpectedVersionIsTheNewestMigration(t *testing.T) {
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := migrations.ExpectedVersion, lockstep.Version(len(files)); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func openStore(t *testing.T, path string) *Store {
	t.Helper()
	store, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// execute runs a script on a database without lockstep.
func execute(t *testing.T, path, script string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.ToSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(script); err != nil {
		t.Fatal(err)
	}
}

func date(year int, month time.Month, day, hour, minute, second int) time.Time {
	return time.Unix(time.Date(year, month, day, hour, minute, second, 0, time.UTC).Unix(), 0)
}

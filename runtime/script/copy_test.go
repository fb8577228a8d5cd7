package script_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
)

// TestCopy looks at the private copy.
func TestCopy(t *testing.T) {
	s := schema(t, shop, 6)
	for _, journal := range []string{"delete", "wal"} {
		t.Run("IsAloneWithTheScript/"+journal, func(t *testing.T) {
			path := shopAt(t, 2, journal)
			s := withScript(s, `import os, sys; sys.exit(" ".join(sorted(os.listdir(os.path.dirname(sys.argv[1])))))`)
			err := lockstep.Migrate(t.Context(), connect(t, path), s)
			want := "data.db: 0003-cents.py: exit status 1; rolled back, still at 0002: 0003-cents.py data.db"
			if got := message(err, path); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
		t.Run("MayHaveAnyName/"+journal, func(t *testing.T) {
			for _, name := range []string{"scratch", "copy"} {
				path := filepath.Join(t.TempDir(), name)
				db := connect(t, path, "_pragma=journal_mode("+journal+")")
				if err := lockstep.Migrate(t.Context(), db, s); err != nil {
					t.Error(message(err, path))
				}
				db.Close()
				if got := look(t, path); !strings.HasPrefix(got, "0006 items:500") {
					t.Errorf("got %s", got)
				}
			}
		})
		t.Run("OfANewDatabaseIsWhatTheProgramSays/"+journal, func(t *testing.T) { copyOfANewDatabase(t, journal) })
		t.Run("GoesWhenTheContextEndsAtTheLastMoment/"+journal, func(t *testing.T) {
			path := shopAt(t, 2, journal)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := lockstep.Migrate(ctx, connect(t, path), s, lockstep.WithProgress(func(p lockstep.Progress) {
				if p.Version == 6 && p.Statement == 0 && p.Done {
					cancel()
				}
			}))
			const want = "data.db: interrupted: context canceled; rolled back, still at 0002"
			if got := message(err, path); !errors.Is(err, context.Canceled) || got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if got := look(t, path); got != oldShop {
				t.Errorf("got %s, want %s", got, oldShop)
			}
		})
	}
	t.Run("IsNotBlamedOnTheScriptWhenTheDatabaseIsDamaged", func(t *testing.T) {
		path := shopAt(t, 2, "delete")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// A page that nothing refers to. https://sqlite.org/fileformat.html#the_database_header
		text = append(text, make([]byte, 4096)...)
		binary.BigEndian.PutUint32(text[28:], uint32(len(text)/4096))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		err = lockstep.Migrate(t.Context(), connect(t, path), s)
		const want = "data.db: 0003-cents.py: the database was damaged before the script ran: quick_check: *** in database main ***: Page 10: never used; rolled back, still at 0002: done"
		if got := message(err, path); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
}

// A script is to blame for the rows that violate a constraint only if they did not before.
func TestFaultyRows(t *testing.T) {
	archive := with(shop, "0002-orders.sql", "CREATE TABLE orders (id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES items, n CHECK (n > 0));\n"+
		"INSERT INTO orders VALUES (1, 10, 1), (2, 20, 1);\nINSERT INTO runs VALUES (2);\n")
	s := schema(t, archive, 6)
	for statement, want := range map[string]string{
		"SELECT 1": "<nil>", "UPDATE orders SET n = 1": "<nil>", "UPDATE orders SET n = -n": "<nil>",
		"UPDATE orders SET n = -1": "data.db: 0003-cents.py: the script left a damaged database: quick_check: CHECK constraint failed in orders; rolled back, still at 0002",
	} {
		t.Run(statement, func(t *testing.T) {
			path := shopAt(t, 0, "wal")
			if err := lockstep.Migrate(t.Context(), connect(t, path), schema(t, archive, 2)); err != nil {
				t.Fatal(err)
			}
			execute(t, path, "PRAGMA ignore_check_constraints = 1; UPDATE orders SET n = -1 WHERE id = 1")
			s := withScript(s, "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\ndb.execute('PRAGMA ignore_check_constraints = 1')\n"+
				"db.execute('ALTER TABLE items ADD COLUMN cents INTEGER')\ndb.execute('"+statement+"')\ndb.commit()\n")
			if got := message(lockstep.Migrate(t.Context(), connect(t, path), s), path); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// As long as a database is empty, only the program's connection knows what it shall become.
func copyOfANewDatabase(t *testing.T, journal string) {
	const first = `
-- 0001-items.py --
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE items (name TEXT)")
db.execute("INSERT INTO items VALUES ('é')")
db.commit()
-- 0001-items.py.sql --
CREATE TABLE items (name TEXT);
`
	for _, s := range []*lockstep.Schema{schema(t, shop, 6), schema(t, first, 1)} {
		path := filepath.Join(t.TempDir(), "data.db")
		db := connect(t, path, "_pragma=page_size(8192)", "_pragma=encoding('UTF-16le')", "_pragma=auto_vacuum(2)", "_pragma=journal_mode("+journal+")")
		if err := lockstep.Migrate(t.Context(), db, s); err != nil {
			t.Error(message(err, path))
		}
		db.Close()
		db = connect(t, path)
		for pragma, want := range map[string]string{"encoding": "UTF-16le", "page_size": "8192", "auto_vacuum": "2", "journal_mode": journal, "integrity_check": "ok"} {
			if got := one(t, db, "PRAGMA "+pragma); got != want {
				t.Errorf("%v: %s: got %s, want %s", s.Expected, pragma, got, want)
			}
		}
		db.Close()
	}
}

package lockstep_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

// TestStray counts values in a column that somebody made by hand, which takes long in a large
// table, and looks at what is reported meanwhile.
func TestStray(t *testing.T) {
	files := fstest.MapFS{"0001-a.sql": {Data: []byte("CREATE TABLE a (x);\n")}}
	path := filepath.Join(t.TempDir(), "data.db")
	db := connect(t, path)
	if err := lockstep.Migrate(t.Context(), db, fixture.Schema(t, "sqlite3", files)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "ALTER TABLE a ADD COLUMN mine; INSERT INTO a VALUES (1, 'kept')"); err != nil {
		t.Fatal(err)
	}
	files["0002-b.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE b (x, mine);\nINSERT INTO b SELECT x, NULL FROM a;\nDROP TABLE a;\nALTER TABLE b RENAME TO a;\n")}

	var last lockstep.Progress
	var during []string
	traced, err := driver.Open(dsn(path), func(c *sqlite3.Conn) error {
		return c.Trace(sqlite3.TRACE_STMT, func(_ sqlite3.TraceEvent, _, sql any) error {
			if strings.HasPrefix(fmt.Sprint(sql), "SELECT count(*), count(c.") {
				during = append(during, fmt.Sprintf("%s %v", last.Doing, last.Done))
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer traced.Close()
	err = lockstep.Migrate(t.Context(), traced, fixture.Schema(t, "sqlite3", files), lockstep.WithProgress(func(p lockstep.Progress) { last = p }))
	if !errors.Is(err, lockstep.ErrDrift) {
		t.Errorf("got %v, want ErrDrift", err)
	}
	if want := []string{"checking false", "checking false"}; !slices.Equal(during, want) {
		t.Errorf("got %q, want %q", during, want)
	}
}

package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// BenchmarkLook measures a look at a database that nobody writes to, and says what a look
// each second adds up to in an hour.
func BenchmarkLook(b *testing.B) {
	for _, journal := range []string{"delete", "wal"} {
		b.Run(journal, func(b *testing.B) {
			db, err := sql.Open("sqlite3", "file:"+filepath.Join(b.TempDir(), "data.db")+"?_pragma=journal_mode("+journal+")")
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("CREATE TABLE t (x)"); err != nil {
				b.Fatal(err)
			}
			l := sqlite.Lookout{DB: db, Timeout: time.Minute}
			defer l.Leave()
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Look(b.Context(), func(context.Context, *sql.Conn) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(3600*b.Elapsed().Seconds()/float64(b.N), "s/hour")
		})
	}
}

//go:build cgo

package drivertest

import (
	"fmt"
	"net/url"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/internal/suite"
)

// TestMattn runs the suite with github.com/mattn/go-sqlite3, where there is a C
// compiler.
func TestMattn(t *testing.T) {
	suite.Run(t, suite.Driver{
		Name:           "sqlite3",
		DSN:            mattn,
		ReadsOnConnect: true,
		Shared:         func(name string) string { return "file:" + name + "?mode=memory&cache=shared" },
	})
}

func mattn(path string, s suite.Settings) string {
	// Without it the driver would wait for locks for five seconds.
	query := url.Values{"_busy_timeout": {fmt.Sprint(s.BusyTimeout.Milliseconds())}}
	if s.ForeignKeys {
		query.Set("_foreign_keys", "1")
	}
	if s.Journal != "" {
		query.Set("_journal_mode", s.Journal)
	}
	if s.ReadOnly {
		query.Set("mode", "ro")
	}
	return "file:" + path + "?" + query.Encode()
}

func BenchmarkMattnTx(b *testing.B) {
	suite.BenchmarkTx(b, suite.Driver{Name: "sqlite3", DSN: mattn})
}

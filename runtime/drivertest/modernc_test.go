package drivertest

import (
	"fmt"
	"net/url"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/lockstep-db/lockstep/runtime/internal/suite"
)

// TestModernc runs the suite with modernc.org/sqlite.
func TestModernc(t *testing.T) {
	suite.Run(t, suite.Driver{
		Name:   "sqlite",
		DSN:    modernc,
		Shared: func(name string) string { return "file:" + name + "?mode=memory&cache=shared" },
	})
}

func modernc(path string, s suite.Settings) string {
	query := url.Values{}
	query.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", s.BusyTimeout.Milliseconds()))
	if s.ForeignKeys {
		query.Add("_pragma", "foreign_keys(1)")
	}
	if s.Journal != "" {
		query.Add("_pragma", "journal_mode("+s.Journal+")")
	}
	if s.ReadOnly {
		query.Set("mode", "ro")
	}
	return "file:" + path + "?" + query.Encode()
}

func BenchmarkModerncTx(b *testing.B) {
	suite.BenchmarkTx(b, suite.Driver{Name: "sqlite", DSN: modernc})
}

func BenchmarkModerncCheckTx(b *testing.B) {
	suite.BenchmarkCheckTx(b, suite.Driver{Name: "sqlite", DSN: modernc})
}

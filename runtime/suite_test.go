package lockstep_test

import (
	"net/url"
	"strconv"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb"

	"github.com/lockstep-db/lockstep/runtime/internal/suite"
)

// TestNcruces runs the suite with github.com/ncruces/go-sqlite3. The module in
// drivertest runs it with the other drivers.
func TestNcruces(t *testing.T) {
	suite.Run(t, suite.Driver{
		Name:   "sqlite3",
		DSN:    ncruces,
		Shared: func(name string) string { return "file:/" + name + "?vfs=memdb" },
	})
}

func ncruces(path string, s suite.Settings) string {
	// Without any pragma the driver would wait for locks for a minute.
	pragmas := []string{"busy_timeout(" + strconv.FormatInt(s.BusyTimeout.Milliseconds(), 10) + ")"}
	if s.ForeignKeys {
		pragmas = append(pragmas, "foreign_keys(1)")
	}
	if s.Journal != "" {
		pragmas = append(pragmas, "journal_mode("+s.Journal+")")
	}
	query := url.Values{"_pragma": pragmas}
	if s.ReadOnly {
		query.Set("mode", "ro")
	}
	return "file:" + path + "?" + query.Encode()
}

func BenchmarkTx(b *testing.B) { suite.BenchmarkTx(b, suite.Driver{Name: "sqlite3", DSN: ncruces}) }

func BenchmarkCheckTx(b *testing.B) {
	suite.BenchmarkCheckTx(b, suite.Driver{Name: "sqlite3", DSN: ncruces})
}

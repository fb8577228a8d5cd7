//go:build cgo

package drivertest

import (
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

func BenchmarkMattnTx(b *testing.B) {
	suite.BenchmarkTx(b, suite.Driver{Name: "sqlite3", DSN: mattn})
}

func BenchmarkMattnCheckTx(b *testing.B) {
	suite.BenchmarkCheckTx(b, suite.Driver{Name: "sqlite3", DSN: mattn})
}

package sqlcheck_test

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/lockstep-db/lockstep/gen/sqlcheck"
)

// This is a tool for go vet -vettool, which other analyzers can join. Others than
// unitchecker, such as multichecker, run it as well.
func Example() {
	unitchecker.Main(sqlcheck.Analyzer)
}

package sqlcheck

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
)

// TestMain collects garbage less often: most of what these tests do is to read and check
// the types of the standard library.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestAnalyzer loads all packages at once: the standard library that they import is
// loaded from source, which takes seconds.
func TestAnalyzer(t *testing.T) {
	analyze(t, Analyzer,
		"query",                      // what SQLite says, arguments, destinations
		"written",                    // how strings are made
		"paths",                      // strings that depend on the way the program takes
		"dialect",                    // SQL of other databases
		"history", "history/migrate", // migrations of other tools
		"other",                     // another database in the same file
		"constant",                  // statements that reach no call
		"wrapper/database",          // functions that hand a string on
		"wrapper/app",               // and those that call them
		"nulls",                     // NULL into what cannot hold it
		"sqlxuser",                  // other methods
		"squirreluser",              // builders
		"structs", "structs/unsafe", // structs of sqlx
		"libraries",    // and other libraries
		"several",      // statements in one string
		"far/app",      // two imports from the migrations
		"schemas/both", // two schemas in reach
		"schemas/one",  // of which one is chosen
		"schemas/none", // or none
		"programs",     // migrations in Go
		"silent",       // what nothing is said about
		"directive",    // comments
	)
}

// TestFlags has --tests check tests and --why say what is not checked, in one load.
func TestFlags(t *testing.T) {
	a := newAnalyzer()
	for _, name := range []string{"tests", "why"} {
		if err := a.Flags.Set(name, "true"); err != nil {
			t.Fatal(err)
		}
	}
	analyze(t, a, "tests", "why")
}

func analyze(t *testing.T, a *analysis.Analyzer, paths ...string) {
	t.Helper()
	analysistest.Run(withoutPackageFacts{t}, analysistest.TestData(), a, paths...)
}

// withoutPackageFacts is a test that need not expect the fact that every package
// exports: the main package that the go command makes for a test has no line to
// expect it on.
type withoutPackageFacts struct{ *testing.T }

func (t withoutPackageFacts) Errorf(format string, args ...any) {
	t.Helper()
	if message := fmt.Sprintf(format, args...); !strings.Contains(message, ": unexpected fact: {package ") {
		t.Error(message)
	}
}

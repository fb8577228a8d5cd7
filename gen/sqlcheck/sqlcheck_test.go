package sqlcheck

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
)

// TestAnalyzer loads all packages at once: the standard library that they import is
// loaded from source, which takes seconds.
func TestAnalyzer(t *testing.T) {
	analyze(t, Analyzer,
		"query",            // what SQLite says, arguments, destinations
		"written",          // how strings are made
		"constant",         // statements that reach no call
		"wrapper/database", // functions that hand a string on
		"wrapper/app",      // and those that call them
		"sqlxuser",         // other methods
		"several",          // statements in one string
		"far/app",          // two imports from the migrations
		"schemas/both",     // two schemas in reach
		"schemas/one",      // of which one is chosen
		"schemas/none",     // or none
		"programs",         // migrations in Go
		"silent",           // what nothing is said about
		"directive",        // comments
	)
}

func TestFlags(t *testing.T) {
	t.Run("TestsChecksTests", func(t *testing.T) { analyze(t, withFlag(t, "tests"), "tests") })
	t.Run("WhySaysWhatIsNotChecked", func(t *testing.T) { analyze(t, withFlag(t, "why"), "why") })
}

func withFlag(t *testing.T, name string) *analysis.Analyzer {
	t.Helper()
	a := newAnalyzer()
	if err := a.Flags.Set(name, "true"); err != nil {
		t.Fatal(err)
	}
	return a
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

package proof_test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	tried.print()
	os.Exit(code)
}

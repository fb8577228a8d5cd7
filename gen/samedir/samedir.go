// Package samedir is for tests that run the go command. It is not for programs, and
// promises nothing.
package samedir

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TempDir is like t.TempDir, but returns the same folder each time that the test runs in
// this checkout, unless another run has it. The go command knows packages by their folders:
// what it compiled, linked and vetted in this one is in its cache the next time.
func TempDir(t testing.TB) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("lockstep-%s-%08x", strings.ReplaceAll(t.Name(), "/", "-"), crc32.ChecksumIEEE([]byte(here)))
	temp, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(temp, name)
	if os.Mkdir(dir, 0o700) != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

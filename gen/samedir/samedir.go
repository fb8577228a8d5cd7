// Package samedir is for tests that run the go command. It is not for programs, and
// promises nothing.
package samedir

import (
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
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
	dir := filepath.Join(temp(), name)
	if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > time.Hour {
		os.RemoveAll(dir) // of a run that was killed
	}
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

// Main runs the tests of a package. All their temporary folders are where ours are, and garbage
// is collected less often, but not for benchmarks.
func Main(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		os.Setenv("TMPDIR", temp())
		debug.SetGCPercent(400)
	}
	m.Run()
}

// Lock waits for other tests that have called it, if the caller takes part, and returns what lets
// them go on: what two go commands do at the same time, each does in full.
func Lock(takesPart bool) (unlock func()) {
	if !takesPart {
		return func() {}
	}
	return lock(filepath.Join(temp(), "lockstep-lock"))
}

// GoEnv returns variables for a go command that downloads nothing. It compiles and links
// without collecting garbage, and without symbols for a debugger, which is most of what it
// costs; and its temporary folders are where ours are.
func GoEnv() []string {
	return []string{"GOTMPDIR=" + temp(), "GOFLAGS=-mod=mod -modcacherw -ldflags=-s", "GOGC=off", "GOMEMLIMIT=1GiB",
		"GOWORK=off", "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "LC_ALL=C"}
}

// temp is where temporary folders are: in memory, if there is room, and programs can run
// there. The go command makes a folder for each package that it looks at, which is a quarter
// of what it costs.
var temp = sync.OnceValue(func() string {
	dir, err := memory, error(nil)
	if !hasRoom(memory) {
		dir, err = filepath.EvalSymlinks(os.TempDir())
	}
	if err != nil {
		panic(err)
	}
	return dir
})

const memory = "/dev/shm"

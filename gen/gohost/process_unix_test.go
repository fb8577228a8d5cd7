//go:build unix

package gohost

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gone waits until there is no such process: one that nobody has waited for counts
// as gone.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 1000 {
		if syscall.Kill(pid, 0) != nil {
			return
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if _, rest, ok := strings.Cut(string(stat), ") "); err == nil && ok && rest[0] == 'Z' {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d lives", pid)
}

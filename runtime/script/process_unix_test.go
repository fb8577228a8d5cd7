//go:build unix

package script_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// running reports whether a process is there and not only waits to be buried.
func running(pid int) bool {
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil {
		_, state, _ := strings.Cut(string(stat), ") ")
		return !strings.HasPrefix(state, "Z")
	}
	return syscall.Kill(pid, 0) == nil
}

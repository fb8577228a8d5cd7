// Package realpython is not for programs and promises nothing: it is for tests that run many scripts in Python.
package realpython

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// First returns path, a list like PATH, with the folder of the real python3 in front. The
// one in PATH can be a shell script that looks for it, as pyenv's is, and takes twice as
// long as Python itself.
func First(path string) string {
	if file := find(); strings.TrimSuffix(filepath.Base(file), ".exe") == "python3" {
		return filepath.Dir(file) + string(os.PathListSeparator) + path
	}
	return path
}

// find returns the path of the real python3, or "".
var find = sync.OnceValue(func() string {
	out, _ := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out))
})

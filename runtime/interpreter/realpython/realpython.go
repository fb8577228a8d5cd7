// Package realpython is not for programs and promises nothing: it is for tests that run many scripts in Python.
package realpython

import (
	"os/exec"
	"sync"
)

// First returns path, a list like PATH, with the folder of the real python3 in front. The
// one in PATH can be a shell script that looks for it, as pyenv's is, and takes twice as
// long as Python itself.
func First(path string) string { return folder() + path }

var folder = sync.OnceValue(func() string {
	out, _ := exec.Command("python3", "-c", "import os, sys; print(os.path.dirname(sys.executable), end=os.pathsep)").Output()
	return string(out)
})

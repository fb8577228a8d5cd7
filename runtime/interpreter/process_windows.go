package interpreter

import (
	"os"
	"os/exec"
	"strconv"
)

func lead(*exec.Cmd) {}

// terminate ends a process and those that it started.
func terminate(p *os.Process) error {
	if err := exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(p.Pid)).Run(); err != nil {
		return p.Kill()
	}
	return nil
}

// kill does nothing: once the process has exited, those that it started cannot be told
// from others.
func kill(*os.Process) {}

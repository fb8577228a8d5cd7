package script

import (
	"os"
	"os/exec"
	"strconv"
)

func own(*exec.Cmd) {}

// terminate ends a process and those that it has started.
func terminate(p *os.Process) error {
	if err := exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(p.Pid)).Run(); err != nil {
		return p.Kill()
	}
	return nil
}

// kill does nothing: the process has ended, and those that it has started cannot be
// told from others any more.
func kill(*os.Process) {}

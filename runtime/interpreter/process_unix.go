//go:build unix

package interpreter

import (
	"os"
	"os/exec"
	"syscall"
)

// lead makes the command the leader of a process group, so that it can be ended together
// with the processes that it starts.
func lead(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)
}

// terminate asks the group to exit. What is left after the grace is killed.
func terminate(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGTERM) }

// kill ends what is left of the group.
func kill(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

//go:build unix

package gohost

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// lead makes this process the first of a group, to which the processes belong that
// it starts.
func lead() { _ = syscall.Setpgid(0, 0) }

// end ends this process and its group: at once when it is running something. When it is
// not, nobody need be told that it was killed.
func end(running bool) {
	if syscall.Getpgrp() == os.Getpid() {
		if running {
			_ = syscall.Kill(0, syscall.SIGKILL)
		}
		signal.Ignore(syscall.SIGTERM)
		_ = syscall.Kill(0, syscall.SIGTERM)
	}
	os.Exit(0)
}

// apart keeps the signals of a terminal from the command, which is ended otherwise.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// interrupt tells the command, and what it runs, to come to an end.
func interrupt(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }

// endOrphans ends what a process has left behind that has ended.
func endOrphans(pid int) { endGroup(pid) }

// endGroup ends the processes of the group that a process leads, or led.
func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

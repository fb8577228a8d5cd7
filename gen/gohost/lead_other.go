//go:build !unix

package gohost

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
)

// lead is for systems with groups of processes.
func lead() {}

// end ends this process.
func end(bool) { os.Exit(0) }

func apart(*exec.Cmd) {}

// interrupt ends the command: there is no gentler way.
func interrupt(cmd *exec.Cmd) { endGroup(cmd.Process.Pid) }

// endOrphans would have to know them.
func endOrphans(int) {}

// endGroup ends a process and those that it has started, where the system can.
func endGroup(pid int) {
	if runtime.GOOS == "windows" {
		_ = exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(pid)).Run()
	}
}

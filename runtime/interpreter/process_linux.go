package interpreter

import "syscall"

// endWithParent has the kernel kill the command when this process is killed.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

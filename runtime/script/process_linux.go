package script

import "syscall"

// endWithParent has the kernel kill the command when this process is.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

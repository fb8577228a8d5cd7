package systemcalls

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unsafe"
)

// Supported returns an error that says why programs cannot be traced here.
func Supported() error {
	err := (&Tracer{Root: "/nowhere"}).Run(exec.Command("true"))
	if err != nil {
		err = fmt.Errorf("programs cannot be traced here: %w", err)
	}
	return err
}

const (
	waitAll       = syscall.WALL | 0x20000000 // __WNOTHREAD: only for those that this thread traces
	options       = syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACECLONE | syscall.PTRACE_O_TRACEFORK | syscall.PTRACE_O_TRACEVFORK | syscall.PTRACE_O_TRACEEXEC | 0x100000
	systemCall    = syscall.SIGTRAP | 0x80
	getSystemCall = 0x420e // PTRACE_GET_SYSCALL_INFO
)

// Run runs a command to its end. Its outputs are files or nil. The error is that of the
// command.
func (t *Tracer) Run(cmd *exec.Cmd) error {
	runtime.LockOSThread() // only the thread that traces a process can look at it
	defer runtime.UnlockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return err
	}
	main := cmd.Process.Pid
	defer cmd.Process.Release()
	open := map[int]*Call{} // by thread: between the beginning and the end of a call
	started := map[int]bool{}
	var result error
	for {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &status, waitAll, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.ECHILD:
			return result
		case err != nil:
			return err
		case !status.Stopped():
			if tid == main && status.Signaled() {
				result = fmt.Errorf("signal: %v", status.Signal())
			} else if tid == main && status.ExitStatus() != 0 {
				result = fmt.Errorf("exit status %d", status.ExitStatus())
			}
			delete(open, tid)
			continue
		}
		deliver := 0
		switch sig := status.StopSignal(); {
		case !started[tid]:
			started[tid] = true
			if tid == main {
				if err := syscall.PtraceSetOptions(tid, options); err != nil {
					syscall.Kill(main, syscall.SIGKILL)
					result = err
				}
			} else if sig == systemCall {
				t.stopped(main, tid, open)
			}
		case sig == systemCall:
			t.stopped(main, tid, open)
		case sig != syscall.SIGTRAP:
			deliver = int(sig)
		}
		syscall.PtraceSyscall(tid, deliver) // unless it has been killed
	}
}

// stopped looks at a thread at the beginning or the end of a call.
func (t *Tracer) stopped(main, tid int, open map[int]*Call) {
	var info struct {
		op   uint8
		_    [3]uint8
		_    uint32
		_, _ uint64
		nr   uint64 // at the end: what it returns
		args [6]uint64
	}
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, getSystemCall, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return
	}
	const begins, ends = 1, 2
	switch c := open[tid]; {
	case info.op == begins:
		c := t.call(tid, int(info.nr), info.args)
		if c == nil {
			return
		}
		open[tid] = c
		if c.Name == "print" {
			return
		}
		t.N++
		c.N = t.N
		if t.Fate != nil {
			c.fate = t.Fate(c)
		}
		if c.fate.Kill {
			syscall.Kill(main, syscall.SIGKILL)
		} else if c.fate.Error != 0 && !c.fate.Late {
			change(tid, func(regs *syscall.PtraceRegs) { regs.Orig_rax = ^uint64(0) })
		}
	case info.op == ends && c != nil:
		delete(open, tid)
		if c.fate.Error == 0 || c.fate.Late {
			t.done(c, int64(info.nr))
		}
		if c.fate.Error != 0 {
			change(tid, func(regs *syscall.PtraceRegs) { regs.Rax = -uint64(c.fate.Error) })
		}
	}
}

func change(tid int, f func(*syscall.PtraceRegs)) {
	var regs syscall.PtraceRegs
	if syscall.PtraceGetRegs(tid, &regs) == nil {
		f(&regs)
		syscall.PtraceSetRegs(tid, &regs)
	}
}

// done tells what a call has done.
func (t *Tracer) done(c *Call, result int64) {
	if result < 0 || c.Kind != Changes {
		return
	}
	switch {
	case c.Name == "print":
		t.Said = append(t.Said, strings.TrimSpace(string(c.Data)))
		t.Log.Mark(t.Said[len(t.Said)-1])
	case c.create || c.Folder && strings.HasPrefix(c.Name, "mkdir"):
		t.Log.Create(c.Path, c.Folder)
		if c.truncate {
			t.Log.Truncate(c.Path, 0)
		}
	case c.truncate || strings.HasSuffix(c.Name, "truncate"):
		t.Log.Truncate(c.Path, c.Off)
	case strings.Contains(c.Name, "write"):
		t.Log.Write(c.Path, c.Data[:result], c.Off)
	case c.Name == "fsync" || c.Name == "fdatasync":
		t.Log.Sync(c.Path)
	case strings.HasPrefix(c.Name, "link"):
		t.Log.Link(c.Path, c.To)
	case strings.HasPrefix(c.Name, "rename"):
		t.Log.Rename(c.Path, c.To)
	case c.Name == "unlink" || c.Name == "unlinkat" || c.Name == "rmdir":
		t.Log.Remove(c.Path)
	}
}

// call returns what a call asks for, or nil if that is of no interest.
func (t *Tracer) call(tid, nr int, a [6]uint64) (c *Call) {
	p := process(tid)
	const here = ^uint64(99) // AT_FDCWD, -100
	switch nr {
	case syscall.SYS_WRITE:
		if a[0] == 1 {
			return &Call{Kind: Changes, Name: "print", Data: p.bytes(a[1], a[2])}
		}
		c = &Call{Name: "write", Path: p.file(a[0]), Data: p.bytes(a[1], a[2]), Off: p.offset(a[0])}
	case syscall.SYS_PWRITE64:
		c = &Call{Name: "pwrite64", Path: p.file(a[0]), Data: p.bytes(a[1], a[2]), Off: int64(a[3])}
	case syscall.SYS_FTRUNCATE:
		c = &Call{Name: "ftruncate", Path: p.file(a[0]), Off: int64(a[1])}
	case syscall.SYS_TRUNCATE:
		c = &Call{Name: "truncate", Path: p.path(here, a[0]), Off: int64(a[1])}
	case syscall.SYS_FSYNC:
		c = &Call{Name: "fsync", Path: p.file(a[0])}
	case syscall.SYS_FDATASYNC:
		c = &Call{Name: "fdatasync", Path: p.file(a[0])}
	case syscall.SYS_OPEN:
		c = opening(p.path(here, a[0]), a[1])
	case syscall.SYS_OPENAT:
		c = opening(p.path(a[0], a[1]), a[2])
	case syscall.SYS_MKDIR:
		c = &Call{Name: "mkdir", Path: p.path(here, a[0]), Folder: true}
	case syscall.SYS_MKDIRAT:
		c = &Call{Name: "mkdirat", Path: p.path(a[0], a[1]), Folder: true}
	case syscall.SYS_LINK:
		c = &Call{Name: "link", Path: p.path(here, a[0]), To: p.path(here, a[1])}
	case syscall.SYS_LINKAT:
		c = &Call{Name: "linkat", Path: p.path(a[0], a[1]), To: p.path(a[2], a[3])}
	case syscall.SYS_RENAME:
		c = &Call{Name: "rename", Path: p.path(here, a[0]), To: p.path(here, a[1])}
	case syscall.SYS_RENAMEAT, 316: // renameat2
		c = &Call{Name: "renameat", Path: p.path(a[0], a[1]), To: p.path(a[2], a[3])}
	case syscall.SYS_UNLINK:
		c = &Call{Name: "unlink", Path: p.path(here, a[0])}
	case syscall.SYS_RMDIR:
		c = &Call{Name: "rmdir", Path: p.path(here, a[0]), Folder: true}
	case syscall.SYS_UNLINKAT:
		c = &Call{Name: "unlinkat", Path: p.path(a[0], a[1])}
	case syscall.SYS_CHMOD:
		c = &Call{Name: "chmod", Path: p.path(here, a[0])}
	case syscall.SYS_FCHMOD:
		c = &Call{Name: "fchmod", Path: p.file(a[0])}
	case syscall.SYS_FCHMODAT, 452: // fchmodat2
		c = &Call{Name: "fchmodat", Path: p.path(a[0], a[1])}
	case syscall.SYS_CHOWN, syscall.SYS_LCHOWN:
		c = &Call{Name: "chown", Path: p.path(here, a[0])}
	case syscall.SYS_FCHOWN:
		c = &Call{Name: "fchown", Path: p.file(a[0])}
	case syscall.SYS_FCHOWNAT:
		c = &Call{Name: "fchownat", Path: p.path(a[0], a[1])}
	case syscall.SYS_WRITEV, 296, syscall.SYS_SENDFILE, 326: // pwritev, copy_file_range
		c = &Call{Name: "a way to write that is not known", Path: p.file(a[0])}
	case 285: // fallocate
		c = &Call{Name: "fallocate", Path: p.file(a[0])}
	case syscall.SYS_READ, syscall.SYS_PREAD64, syscall.SYS_FSTAT, syscall.SYS_GETDENTS64:
		c = &Call{Name: "read", Path: p.file(a[0]), Kind: Reads}
	case syscall.SYS_NEWFSTATAT, syscall.SYS_READLINKAT:
		c = &Call{Name: "stat", Path: p.path(a[0], a[1]), Kind: Reads}
	case syscall.SYS_STAT, syscall.SYS_LSTAT, syscall.SYS_ACCESS:
		c = &Call{Name: "stat", Path: p.path(here, a[0]), Kind: Reads}
	case syscall.SYS_FCNTL:
		if slices.Contains(locks, a[1]) {
			c = &Call{Name: "fcntl", Path: p.file(a[0]), Kind: Locks}
		}
	case syscall.SYS_FLOCK:
		c = &Call{Name: "flock", Path: p.file(a[0]), Kind: Locks}
	}
	if c == nil || c.Path != t.Root && !strings.HasPrefix(c.Path, t.Root+"/") {
		return nil
	}
	c.Kind = cmp.Or(c.Kind, Changes)
	c.Makes = c.create || c.Name == "mkdir" || c.Name == "mkdirat" || c.To != ""
	if c.Kind&cmp.Or(t.Kinds, Changes) == 0 {
		return nil
	}
	return c
}

// locks are the commands of fcntl that look at locks or change them.
var locks = []uint64{syscall.F_GETLK, syscall.F_SETLK, syscall.F_SETLKW, 36, 37, 38} // and F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW

// opening reads only if it cannot make or change a file.
func opening(path string, flags uint64) *Call {
	c := &Call{Name: "open", Path: path, Kind: Changes, create: flags&syscall.O_CREAT != 0, truncate: flags&syscall.O_TRUNC != 0}
	if flags&(syscall.O_CREAT|syscall.O_WRONLY|syscall.O_RDWR) == 0 {
		c.Kind = Reads
	}
	return c
}

// A process is a thread that is traced.
type process int

func (p process) proc(name string) string { return fmt.Sprintf("/proc/%d/%s", p, name) }

// file returns the path of an open file.
func (p process) file(fd uint64) string {
	path, _ := os.Readlink(p.proc(fmt.Sprintf("fd/%d", int32(fd))))
	return path
}

// offset returns where the next write to an open file goes.
func (p process) offset(fd uint64) (off int64) {
	text, _ := os.ReadFile(p.proc(fmt.Sprintf("fdinfo/%d", int32(fd))))
	fmt.Sscanf(string(text), "pos: %d", &off)
	return off
}

// path returns a path that is relative to an open folder.
func (p process) path(dir, address uint64) string {
	name := p.bytes(address, 4096)
	name, _, _ = bytes.Cut(name, []byte{0})
	path := string(name)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	base := ""
	if int32(dir) == -100 {
		base, _ = os.Readlink(p.proc("cwd"))
	} else {
		base = p.file(dir)
	}
	return filepath.Join(base, path)
}

// bytes reads memory: as much as there is.
func (p process) bytes(address, n uint64) []byte {
	f, err := os.Open(p.proc("mem"))
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, n)
	got, err := f.ReadAt(b, int64(address))
	if err != nil && !errors.Is(err, syscall.EIO) {
		got = 0
	}
	return b[:got]
}

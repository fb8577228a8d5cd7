// Package systemcalls watches what programs ask of the operating system, and has it fail or
// kills them on demand: for what a VFS of SQLite does not see. It needs Linux on amd64, and
// the permission to trace processes.
package systemcalls

import (
	"syscall"

	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk"
)

// A Call is a system call that changes a file or a folder, or synchronizes it, or only reads.
type Call struct {
	N      int    // the first that is watched is 1
	Name   string // "pwrite64"
	Path   string
	To     string // the new name of a link or rename
	Data   []byte // of a write
	Off    int64  // of a write; the size of a truncation
	Folder bool   // is made or removed
	Reads  bool   // it changes nothing

	create, truncate bool // by opening
	fate             Fate
}

// A Fate is what becomes of a call.
type Fate struct {
	Error syscall.Errno // it fails; 0 is not
	Late  bool          // though it has taken effect
	Kill  bool          // the program is killed before it
}

// A Tracer watches a program and those that it starts.
type Tracer struct {
	Root  string             // the folder that is watched, without links in its path
	Reads bool               // calls that only read are watched, too
	Fate  func(c *Call) Fate // nil for none
	Log   *powerdisk.Log     // is told what is done and what the program prints; may be nil

	N    int      // of calls so far
	Said []string // what the program has printed
}

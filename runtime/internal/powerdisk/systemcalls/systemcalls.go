// Package systemcalls watches what programs ask of the operating system, and has it fail or
// kills them on demand: for what a VFS of SQLite does not see. It needs Linux on amd64, and
// the permission to trace processes.
package systemcalls

import (
	"syscall"

	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk"
)

// A Kind is a kind of system call.
type Kind uint

const (
	Changes Kind = 1 << iota // a file or a folder, or synchronizes it
	Reads                    // and changes nothing
	Locks                    // a file or a folder, unlocks it or asks who has locked it
)

// A Call is a system call.
type Call struct {
	Kind   Kind
	N      int    // the first that is watched is 1
	Name   string // "pwrite64"
	Path   string
	To     string // the new name of a link or rename
	Data   []byte // of a write
	Off    int64  // of a write; the size of a truncation
	Folder bool   // is made or removed
	Makes  bool   // Path, or To, if it is not there

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
	Kinds Kind               // that are watched; 0 is Changes
	Fate  func(c *Call) Fate // nil for none
	Log   *powerdisk.Log     // is told what is done and what the program prints; may be nil

	N    int      // of calls so far
	Said []string // what the program has printed
}

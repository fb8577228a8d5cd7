// Package powerdisk records what is done to the files in a folder, and tells what can be left
// of it when the machine loses power.
//
// On such a disk, what was synchronized lasts. Of the rest, anything can survive and anything
// can be lost: each 512-byte sector of each write by itself, each new size, each new name,
// each removal. Only a rename is one step, and what survives of the same file or folder has
// happened in the order in which it was done. A file that has grown may hold zeros or junk
// where the data was lost.
//
// https://sqlite.org/atomiccommit.html#hardware
package powerdisk

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// A Log is what was done in a folder. Its methods are told what has succeeded, by absolute
// path; what is outside of the folder, they ignore. A nil Log ignores all.
type Log struct {
	mu    sync.Mutex
	root  string
	start disk
	live  map[string]int // the file or folder of each relative path, now
	nodes []bool         // of all that there were, from 1: whether it is a folder
	ops   []Op
}

// A Kind is the kind of an operation.
type Kind string

const (
	Write      Kind = "write"
	Truncate   Kind = "truncate"
	Sync       Kind = "sync"
	Create     Kind = "create"
	Link       Kind = "link"
	Rename     Kind = "rename"
	Remove     Kind = "remove"
	SyncFolder Kind = "sync folder"
	Mark       Kind = "mark"
)

// An Op is one operation.
type Op struct {
	Kind Kind
	Path string // relative to the folder; of a Mark its text

	node     int    // the file or folder
	folder   bool   // it is a folder
	at, from entry  // names that are given and taken
	off      int64  // of a Write; the size of a Truncate
	data     []byte // of a Write
}

// An entry is a name in a folder.
type entry struct {
	dir  int
	name string
}

// New begins a log of a folder. What is in it is on the disk, but for what SQLite keeps in
// shared memory.
func New(root string) (*Log, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	l := &Log{root: root, live: map[string]int{}, start: disk{files: map[int][]byte{}, dirs: map[int]map[string]int{}}}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := l.relative(path)
		node := l.add(name, d.IsDir())
		if e := l.entry(name); name != "." {
			l.start.dirs[e.dir][e.name] = node
		}
		if d.IsDir() {
			l.start.dirs[node] = map[string]int{}
			return nil
		}
		l.start.files[node], err = os.ReadFile(path)
		return err
	})
	return l, err
}

// relative returns a path relative to the folder, and reports whether it is in there and on
// the disk.
func (l *Log) relative(path string) (string, bool) {
	name, err := filepath.Rel(l.root, path)
	return name, err == nil && name != ".." && !strings.HasPrefix(name, "../") && !strings.HasSuffix(name, "-shm")
}

func (l *Log) add(name string, folder bool) (node int) {
	l.nodes = append(l.nodes, folder)
	l.live[name] = len(l.nodes)
	return len(l.nodes)
}

func (l *Log) entry(name string) entry {
	return entry{l.live[filepath.Dir(name)], filepath.Base(name)}
}

// do appends an operation on a file that is known.
func (l *Log) do(kind Kind, path string, f func(op *Op)) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	name, ok := l.relative(path)
	node, known := l.live[name]
	if !ok || known == (kind == Create) {
		return
	}
	op := Op{Kind: kind, Path: name, node: node}
	f(&op)
	op.folder = l.nodes[op.node-1]
	l.ops = append(l.ops, op)
}

// Create is told that a file or a folder was made, unless it was there.
func (l *Log) Create(path string, folder bool) {
	l.do(Create, path, func(op *Op) {
		op.at, op.node = l.entry(op.Path), l.add(op.Path, folder)
	})
}

// Write is told what was written, and where.
func (l *Log) Write(path string, data []byte, off int64) {
	l.do(Write, path, func(op *Op) { op.data, op.off = append([]byte(nil), data...), off })
}

// Truncate is told the new size of a file.
func (l *Log) Truncate(path string, size int64) {
	l.do(Truncate, path, func(op *Op) { op.off = size })
}

// Sync is told that a file, or a folder, was synchronized.
func (l *Log) Sync(path string) {
	l.do(Sync, path, func(op *Op) {
		if l.nodes[op.node-1] {
			op.Kind = SyncFolder
		}
	})
}

// Link is told that a file has one more name.
func (l *Log) Link(path, name string) {
	l.do(Link, path, func(op *Op) {
		op.Path, _ = l.relative(name)
		op.at, l.live[op.Path] = l.entry(op.Path), op.node
	})
}

// Rename is told that a file or a folder has another name.
func (l *Log) Rename(path, name string) {
	l.do(Rename, path, func(op *Op) {
		was := op.Path
		op.Path, _ = l.relative(name)
		op.from, op.at = l.entry(was), l.entry(op.Path)
		for p, node := range maps.Clone(l.live) {
			if rest, ok := strings.CutPrefix(p, was); ok && (rest == "" || rest[0] == '/') {
				delete(l.live, p)
				l.live[op.Path+rest] = node
			}
		}
	})
}

// Remove is told that a name was removed.
func (l *Log) Remove(path string) {
	l.do(Remove, path, func(op *Op) {
		op.at = l.entry(op.Path)
		delete(l.live, op.Path)
	})
}

// Mark notes what the program has said by now.
func (l *Log) Mark(text string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, Op{Kind: Mark, Path: text})
}

// Without returns a log of a program that does not do some of the operations.
func (l *Log) Without(leaves func(Op) bool) *Log {
	other := &Log{root: l.root, start: l.start}
	for _, op := range l.ops {
		if !leaves(op) {
			other.ops = append(other.ops, op)
		}
	}
	return other
}

// String lists the operations, to find out why something was lost.
func (l *Log) String() string {
	var b strings.Builder
	for i, op := range l.ops {
		fmt.Fprintf(&b, "%d: %s", i, op)
		if op.Kind == Write {
			fmt.Fprintf(&b, " %d bytes at %d", len(op.data), op.off)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (op Op) String() string { return string(op.Kind) + " " + op.Path }

// Package dqlite runs lockstep on dqlite, a SQLite that is replicated among the processes
// of a program: the suite of package runtime on one node, and a cluster of three whose
// processes are killed. It is a module of its own because dqlite needs cgo and a C library.
package dqlite

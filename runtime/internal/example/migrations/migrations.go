// Package migrations is what the examples of package runtime migrate: the package
// that "lockstep init" and "lockstep generate" leave in a program.
package migrations

//go:generate go tool lockstep generate

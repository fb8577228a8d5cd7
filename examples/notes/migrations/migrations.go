// Package migrations holds the history of the notebook's database: one SQL file
// for each version, and what lockstep generates from them.
//
// To change the database, add a file (lockstep new NAME), run go generate, and
// commit both together with the code that needs the change.
package migrations

//go:generate go tool lockstep generate

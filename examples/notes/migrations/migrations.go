// Package migrations holds the migrations of the notebook's database: one SQL file for
// each version, and the code that lockstep generates from them.
//
// To change the schema, add a file (lockstep new NAME), run go generate, and commit
// both together with the code that needs the change.
package migrations

//go:generate go tool lockstep generate

// Package migrations is what the examples of package script migrate.
package migrations

//go:generate go tool lockstep generate

// Package migrations holds the history of a shop's database, with a mistake in it that
// only rows can show.
package migrations

//go:generate go tool lockstep generate

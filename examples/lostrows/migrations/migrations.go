// Package migrations holds the migrations of a shop's database. One has a mistake that
// only rows can show.
package migrations

//go:generate go tool lockstep generate

// Package migrations holds the migrations of the counter's database.
package migrations

//go:generate go tool lockstep generate

// Package migrations holds the migrations of the example. sqlc reads the schema that they
// make from ../schema.sql.
package migrations

//go:generate go tool lockstep generate
//go:generate go tool lockstep schema -o ../schema.sql

// Package lostrows has a migration that loses rows, and what catches it.
//
// migrations/0003-count-cents.sql rebuilds the table of orders by SQLite's recipe, and
// copies the rows with a JOIN that leaves out orders without a customer. Nothing fails:
// the schema is right, and no foreign key is violated. Only rows show it. When the
// migration was new, "lockstep generate" said so, and somebody chose --prove none. Here is
// what it says of it now that it is history:
//
//	go tool lockstep generate --prove all examples/lostrows/migrations
//
// So does a test with rows, such as the one in orders_test.go:
//
//	go test -tags lostrows ./examples/lostrows
//
// It has a build tag because it fails. The test in caught_test.go checks that it does.
//
// A LEFT JOIN corrects the migration.
package lostrows

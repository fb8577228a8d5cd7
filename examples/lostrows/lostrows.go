// Package lostrows has a migration that loses rows, and the test that catches it.
//
// migrations/0003-count-cents.sql rebuilds the table of orders by SQLite's recipe, and
// copies the rows with a JOIN that leaves out orders without a customer. Nothing fails:
// the schema is right, and no foreign key is violated. Only a test with rows notices,
// such as the one in orders_test.go:
//
//	go test -tags lostrows ./examples/lostrows
//
// It has a build tag because it fails. The test in caught_test.go checks that it does.
//
// A LEFT JOIN corrects the migration.
package lostrows

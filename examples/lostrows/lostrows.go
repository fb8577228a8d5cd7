// Package lostrows has a migration that loses rows, and the test that catches it.
//
// migrations/0003-count-cents.sql rebuilds the table of orders, as SQLite's recipe has it,
// and copies the rows with a JOIN that leaves out the orders of guests. SQLite is content:
// nothing fails, the schema is as it should be, no foreign key is violated. Only somebody
// who looks for the rows misses them. That is what the test in orders_test.go does:
//
//	go test -tags lostrows ./examples/lostrows
//
// (It is behind a tag because it fails. The test in caught_test.go is that it does.)
//
// The migration is right with a LEFT JOIN, or without the join.
package lostrows

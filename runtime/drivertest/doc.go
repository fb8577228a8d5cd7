// Package drivertest runs the suite of package runtime with the SQLite drivers
// that the main module does not require.
//
// The suite generates schemas, and the generator has github.com/ncruces/go-sqlite3.
// That and mattn/go-sqlite3 have the same name in package database/sql, so the one
// that is not tested here gets another:
//
//	go test -ldflags='-X github.com/ncruces/go-sqlite3/driver.driverName=ncruces' .
package drivertest

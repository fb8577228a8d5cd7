// Package drivertest runs the suite of package runtime with the SQLite drivers that
// the main module does not require. They are a module of their own so that nobody who
// uses lockstep depends on them.
package drivertest

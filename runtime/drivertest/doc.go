// Package drivertest runs the suite of package runtime with the SQLite drivers
// that the main module does not require.
package drivertest

package main

import "testing"

// TestFastmigrate runs testdata/fastmigrate: one script for each row of the
// README's table for people who come from fastmigrate.
func TestFastmigrate(t *testing.T) {
	setup, _ := moduleSetup(t)
	runScripts(t, "fastmigrate", setup)
}

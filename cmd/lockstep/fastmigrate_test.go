package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/gen/samedir"
)

// TestFastmigrate runs testdata/fastmigrate: one script for each row of the table
// in help/fastmigrate.md.
func TestFastmigrate(t *testing.T) {
	setup, _ := moduleSetup(t)
	runScripts(t, "fastmigrate", samedir.TempDir(t), setup)
}

// TestFastmigrateTable compares the table with the scripts: each row links to one
// script, and each script has a row.
func TestFastmigrateTable(t *testing.T) {
	table, err := pages.ReadFile("help/fastmigrate.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`^\| .* \| .* \| \[(same|better|different)\]\(\.\./testdata/fastmigrate/([a-z_]+\.txtar)\)(: .*)? \|$`)
	var linked []string
	for line := range strings.Lines(string(table)) {
		line = strings.TrimSpace(line)
		switch m := row.FindStringSubmatch(line); {
		case m != nil && (m[1] != "same") == (m[3] == ""):
			t.Errorf("%s\nsays %s, and not how or why", line, m[1])
		case m != nil:
			linked = append(linked, m[2])
		case strings.Contains(line, "testdata/fastmigrate"):
			t.Errorf("%s\nis no row of the table", line)
		}
	}
	entries, err := os.ReadDir(filepath.Join("testdata", "fastmigrate"))
	if err != nil {
		t.Fatal(err)
	}
	var scripts []string
	for _, entry := range entries {
		scripts = append(scripts, entry.Name())
	}
	slices.Sort(linked)
	if !slices.Equal(linked, scripts) {
		t.Errorf("the table links to\n%q; there are\n%q", linked, scripts)
	}
}

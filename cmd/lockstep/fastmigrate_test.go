package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFastmigrate runs testdata/fastmigrate: one script for each row of the
// README's table for people who come from fastmigrate.
func TestFastmigrate(t *testing.T) {
	setup, _ := moduleSetup(t)
	runScripts(t, "fastmigrate", setup)
}

// TestFastmigrateTable holds the table against the scripts: each row links to the
// one that shows it, and each script has a row.
func TestFastmigrateTable(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`^\| .* \| .* \| \[(same|better|different)\]\(cmd/lockstep/testdata/fastmigrate/([a-z_]+\.txtar)\)(: .*)? \|$`)
	var linked []string
	for line := range strings.Lines(string(readme)) {
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

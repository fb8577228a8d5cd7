package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os/exec"
	"strings"
	"testing"
)

func TestParseConfig(t *testing.T) {
	tests := []struct {
		claim          string
		text           string
		db, migrations string
		err            string
	}{
		{"ReadsBothKeys", "[paths]\ndb = data.db\nmigrations = sql\n", "data.db", "sql", ""},
		{"AcceptsColonAndCRLF", "[paths]\r\ndb: data.db\r\nmigrations:sql\r\n", "data.db", "sql", ""},
		{"SkipsComments", "# a\n; b\n[paths]\n# db = x\ndb = data.db\n", "data.db", "", ""},
		{"KeepsWhatFollowsTheValue", "[paths]\ndb = data.db ; not a comment\n", "data.db ; not a comment", "", ""},
		{"KeepsEqualsSignsInValues", "[paths]\ndb = a=b.db\n", "a=b.db", "", ""},
		{"FoldsTheCaseOfKeys", "[paths]\nDB = data.db\n", "data.db", "", ""},
		{"KeepsTheCaseOfSections", "[Paths]\ndb = data.db\n", "", "", ""},
		{"IgnoresOtherSections", "[other]\ndb = other.db\n[paths]\ndb = data.db\n[more]\ndb = more.db\n", "data.db", "", ""},
		{"ReadsDoubledPerCent", "[paths]\ndb = 100%%.db\n", "100%.db", "", ""},
		{"RefusesDefaults", "[DEFAULT]\nroot = /srv\ndb = data.db\n[paths]\n", "", "",
			".fastmigrate:3: found db in [DEFAULT]; want it in [paths]"},
		{"RefusesSinglePerCent", "[paths]\ndb = 100%.db\n", "", "",
			".fastmigrate:2: found % in the value of db; want the path itself, with %% for a percent sign"},
		{"RefusesOtherKeysInValues", "[DEFAULT]\nhome = /srv\n[paths]\ndb = %(home)s/data.db\n", "", "",
			".fastmigrate:4: found % in the value of db; want the path itself, with %% for a percent sign"},
		{"LeavesOtherKeysAlone", "[paths]\nbackup = 50%\nnote = a\n  b\ndb = data.db\n", "data.db", "", ""},
		{"RefusesContinuationLine", "[paths]\ndb = data.db\n  migrations = sql\n", "", "",
			".fastmigrate:3: an indented line continues the value of db; want it to begin where db does"},
		{"RefusesSectionGivenTwice", "[paths]\ndb = a\n[paths]\n", "", "",
			".fastmigrate:3: [paths] appears twice"},
		{"RefusesKeyBeforeSection", "db = data.db\n", "", "",
			`.fastmigrate:1: found "db = data.db" before the first section; want [paths]`},
		{"RefusesLineWithoutValue", "[paths]\ndata.db\n", "", "",
			`.fastmigrate:2: found "data.db"; want KEY = VALUE`},
		{"RefusesKeyGivenTwice", "[paths]\ndb = a\ndb = b\n", "", "",
			".fastmigrate:3: db is given twice"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			got, err := parseConfig(configFile, tt.text)
			if text := errorText(err); text != tt.err {
				t.Fatalf("error %q; want %q", text, tt.err)
			}
			if got["db"] != tt.db || got["migrations"] != tt.migrations {
				t.Errorf("got db %q, migrations %q; want %q, %q", got["db"], got["migrations"], tt.db, tt.migrations)
			}
		})
	}
}

const (
	same      = "same"      // as configparser
	accepted  = "accepted"  // though configparser refuses it
	continued = "continued" // a path with a line end in it, which is refused
	refused   = "refused"   // though configparser reads it
)

// configs are what users may have, and what becomes of each.
var configs = []struct{ want, text string }{
	{same, ""},
	{same, "[paths]\n"},
	{same, "[paths]\ndb = data.db\nmigrations = sql\n"},
	{same, "[paths]\ndb=data.db\nmigrations:sql"},
	{same, "[paths]\r\ndb = data.db\r\nmigrations = sql\r\n"},
	{same, "[paths]\rdb = data.db\rmigrations = sql\r"},
	{same, "\n\n# a\n; b\n[paths]\n# db = x\n   # indented\ndb = data.db\n\n\nmigrations = sql\n"},
	{same, "[paths]\ndb = data.db ; inline\nmigrations = sql # inline\n"},
	{same, "[paths]\ndb = \"data.db\"\n"},
	{same, "[paths]\ndb = a=b:c.db\nmigrations : x = y\n"},
	{same, "[paths]\nDB = data.db\nMigrations = sql\n"},
	{same, "[Paths]\ndb = data.db\n"},
	{same, "[ paths ]\ndb = data.db\n"},
	{same, "  [paths]\n  db = data.db\n  migrations = sql\n"},
	{same, "[paths] and more\ndb = data.db\n"},
	{same, "[paths]]\ndb = data.db\n"},
	{same, "[]\ndb = data.db\n"},
	{same, "[paths\ndb = data.db\n"},
	{same, "[other]\ndb = other.db\n[paths]\ndb = data.db\n[more]\ndb = more.db\n"},
	{same, "[other]\nlist =\n  a\n  b\n[paths]\ndb = data.db\n"},
	{accepted, "[other]\na = 1\na = 2\n[paths]\ndb = data.db\n"},
	{same, "[other]\nnothing\n[paths]\ndb = data.db\n"},
	{refused, "[DEFAULT]\ndb = data.db\nmigrations = sql\n"},
	{refused, "[DEFAULT]\ndb = data.db\n[paths]\nmigrations = sql\n"},
	{refused, "[DEFAULT]\ndb = data.db\n[paths]\ndb = own.db\n[DEFAULT]\nroot = x\n"},
	{accepted, "[DEFAULT]\na = 1\n[DEFAULT]\na = 2\n[paths]\ndb = data.db\n"},
	{refused, "[DEFAULT]\nroot = /srv\n[paths]\ndb = %(root)s/data.db\nmigrations = %(Root)s/sql\n"},
	{refused, "[paths]\nroot = %(up)s/b\nup = a\ndb = %(root)s/data.db\n"},
	{same, "[paths]\ndb = 100%%.db\nmigrations = %%(x)s\n"},
	{same, "[paths]\ndb = 100%.db\n"},
	{same, "[paths]\ndb = %\n"},
	{same, "[paths]\ndb = %(home)s/data.db\n"},
	{same, "[paths]\ndb = %(home/data.db\nhome = x\n"},
	{same, "[paths]\ndb = %(home)d\nhome = x\n"},
	{same, "[paths]\ndb = %()s\n"},
	{same, "[paths]\ndb = %(db)s\n"},
	{same, "[paths]\ndb = %(a)s\na = %(b)s\nb = %(a)s\n"},
	{same, "[paths]\nbackup = 50%\ndb = data.db\n"},
	{same, "[paths]\ndb = a\ndb = b\n"},
	{same, "[paths]\ndb = a\nDB = b\n"},
	{same, "[paths]\ndb = a\n[paths]\nmigrations = b\n"},
	{same, "db = data.db\n[paths]\n"},
	{same, "[paths]\ndata.db\n"},
	{same, "[paths]\n= data.db\n"},
	{same, "[paths]\ndb\n"},
	{same, "[paths]\ndb =\nmigrations = sql\n"},
	{same, "[paths]\ndb = data.db\n\n\n"},
	{same, "[paths]\ndb = größe 1.db\n"},
	{same, "[paths]\ndb = C:\\data\\x.db\n"},
	{same, "[paths]\ndb = ${HOME}/x.db\n"},
	{same, "[paths]\n  db = data.db\n migrations = sql\n"},
	{accepted, "\ufeff[paths]\ndb = data.db\n"},
	{continued, "[paths]\ndb = data.db\n  migrations = sql\n"},
	{continued, "[paths]\ndb =\n\tdata.db\n"},
	{continued, "[paths]\n db = data.db\n   [other]\n"},
	{continued, "[paths]\ndb = data.db\n\n  more\n"},
	{continued, "[paths]\nroot = a\n  b\ndb = %(root)s\n"},
}

// TestConfigIsWhatPythonReads compares with configparser itself, used as fastmigrate
// uses it.
func TestConfigIsWhatPythonReads(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	texts := make([]string, len(configs))
	for i, tt := range configs {
		texts[i] = tt.text
	}
	input, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-X", "utf8", "-c", readWithPython)
	cmd.Dir = t.TempDir()
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var read []map[string]string
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	for i, tt := range configs {
		got, err := parseConfig(configFile, tt.text)
		fault := read[i]["error"]
		switch {
		case tt.want == accepted && (err != nil || fault == ""),
			tt.want == refused && (err == nil || fault != ""),
			tt.want == continued && (err == nil || fault != "" || !strings.Contains(read[i]["db"], "\n")):
			t.Errorf("%q: got %v, error %v; Python has %v", tt.text, got, err, read[i])
		case tt.want == same && fault != "" && err == nil:
			t.Errorf("%q: got %v; Python refuses it: %s", tt.text, got, fault)
		case tt.want == same && fault == "" && (err != nil || !maps.Equal(got, read[i])):
			t.Errorf("%q: got %v, error %v; Python reads %v", tt.text, got, err, read[i])
		}
	}
}

// readWithPython reads files as fastmigrate does, and prints for each what it gets.
const readWithPython = `
import configparser, json, sys
results = []
for text in json.load(sys.stdin):
    with open("config", "w", newline="") as f: f.write(text)
    try:
        cfg = configparser.ConfigParser()
        cfg.read("config")
        results.append({key: cfg["paths"][key] for key in ("db", "migrations") if "paths" in cfg and key in cfg["paths"]})
    except configparser.Error as e:
        results.append({"error": str(e)})
json.dump(results, sys.stdout)
`

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

package main

import (
	"net/url"
	"path/filepath"
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
		{"RefusesSinglePerCent", "[paths]\ndb = %(home)s/data.db\n", "", "",
			".fastmigrate:2: found a single % in the value of db; want %% for a per cent sign"},
		{"RefusesContinuationLine", "[paths]\ndb = data.db\n  migrations = sql\n", "", "",
			".fastmigrate:3: an indented line continues the value of db; want it to begin where db does"},
		{"RefusesKeyBeforeSection", "db = data.db\n", "", "",
			`.fastmigrate:1: found "db = data.db" before the first section; want [paths]`},
		{"RefusesLineWithoutValue", "[paths]\ndata.db\n", "", "",
			`.fastmigrate:2: found "data.db"; want KEY = VALUE`},
		{"RefusesKeyGivenTwice", "[paths]\ndb = a\ndb = b\n", "", "",
			".fastmigrate:3: db is given twice"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			got, err := parseConfig(tt.text)
			if text := errorText(err); text != tt.err {
				t.Fatalf("error %q; want %q", text, tt.err)
			}
			if got["db"] != tt.db || got["migrations"] != tt.migrations {
				t.Errorf("got db %q, migrations %q; want %q, %q", got["db"], got["migrations"], tt.db, tt.migrations)
			}
		})
	}
}

func TestFileURI(t *testing.T) {
	for _, path := range []string{"/a/plain.db", "/a b/größe.db", "/a?mode=memory#x%41&y.db", "/:memory:", "//host/x.db"} {
		t.Run("MeansOnly"+path, func(t *testing.T) {
			uri, err := fileURI(path, "mode=rw")
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(uri)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := u.Path, filepath.Clean(path); got != want {
				t.Errorf("path %q; want %q", got, want)
			}
			if u.Host != "" || u.Fragment != "" || u.Query().Get("mode") != "rw" || strings.ContainsAny(uri, " ö") {
				t.Errorf("got %s", uri)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

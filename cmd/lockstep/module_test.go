package main

import (
	"reflect"
	"testing"
)

func TestParseModule(t *testing.T) {
	tests := []struct {
		claim string
		text  string
		want  module
	}{
		{"ReadsModule", "module example.com/notes // comment\n\ngo 1.26\n", module{path: "example.com/notes"}},
		{"ReadsQuotedModule", "module \"example.com/notes\"\n", module{path: "example.com/notes"}},
		{"ReadsToolLine", "module a\ntool github.com/lockstep-db/lockstep/cmd/lockstep\n", module{path: "a", tool: true}},
		{"ReadsToolBlock", "module a\ntool (\n\tb\n\tgithub.com/lockstep-db/lockstep/cmd/lockstep\n)\n", module{path: "a", tool: true}},
		{"IgnoresOtherBlocks", "module a\nexclude (\n\tmodule b\n)\n", module{path: "a"}},
		{"ReadsRequirements", "module a\nrequire b v1.0.0\nrequire (\n\tc v1.0.0 // indirect\n\td v1.0.0 // for e\n)\n", module{path: "a", direct: []string{"b", "d"}, indirect: []string{"c"}}},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if got := parseModule([]byte(tt.text)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v; want %+v", got, tt.want)
			}
		})
	}
}

func TestModuleDriver(t *testing.T) {
	const ncruces, mattn, modernc = "github.com/ncruces/go-sqlite3", "github.com/mattn/go-sqlite3", "modernc.org/sqlite"
	tests := []struct {
		claim string
		m     module
		want  string
	}{
		{"IsNcrucesByDefault", module{}, ncruces + "/driver"},
		{"IsTheOneThatIsRequired", module{direct: []string{"x", modernc}, indirect: []string{ncruces}}, modernc},
		{"IsMattnThatWasJustAdded", module{indirect: []string{mattn, ncruces}}, mattn},
		{"IsNotAnotherOnesMattn", module{direct: []string{ncruces}, indirect: []string{mattn}}, ncruces + "/driver"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if got := tt.m.driver(); got != tt.want {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}

package main

import "testing"

func TestParseModule(t *testing.T) {
	tests := []struct {
		claim string
		text  string
		want  module
	}{
		{"ReadsModule", "module example.com/notes // comment\n\ngo 1.26\n", module{"example.com/notes", false}},
		{"ReadsQuotedModule", "module \"example.com/notes\"\n", module{"example.com/notes", false}},
		{"ReadsToolLine", "module a\ntool github.com/lockstep-db/lockstep/cmd/lockstep\n", module{"a", true}},
		{"ReadsToolBlock", "module a\ntool (\n\tb\n\tgithub.com/lockstep-db/lockstep/cmd/lockstep\n)\n", module{"a", true}},
		{"IgnoresOtherBlocks", "module a\nrequire (\n\tmodule b\n)\n", module{"a", false}},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if got := parseModule([]byte(tt.text)); got != tt.want {
				t.Errorf("got %+v; want %+v", got, tt.want)
			}
		})
	}
}

package gomod

import (
	"path/filepath"
	"reflect"
	"testing"
)

func TestParseModule(t *testing.T) {
	tests := []struct {
		claim string
		text  string
		want  *Module
	}{
		{"ReadsModule", "module example.com/notes // comment\n\ngo 1.26\n", &Module{Root: "x", Path: "example.com/notes"}},
		{"ReadsQuotedModule", "module \"example.com/notes\"\n", &Module{Root: "x", Path: "example.com/notes"}},
		{"ReadsToolLine", "module a\ntool github.com/lockstep-db/lockstep/cmd/lockstep\n", &Module{Root: "x", Path: "a", Tool: true}},
		{"ReadsToolBlock", "module a\ntool (\n\tb\n\tgithub.com/lockstep-db/lockstep/cmd/lockstep\n)\n", &Module{Root: "x", Path: "a", Tool: true}},
		{"IgnoresOtherBlocks", "module a\nexclude (\n\tmodule b\n)\n", &Module{Root: "x", Path: "a"}},
		{"ReadsTheModuleOfAFaultyFile", "module a\nrequire b\nwhat\n", &Module{Root: "x", Path: "a"}},
		{"ReadsRequirements", "module a\nrequire b v1.0.0\nrequire (\n\tc v1.0.0 // indirect\n\td v1.0.0 // for e\n)\n", &Module{Root: "x", Path: "a", Direct: []string{"b", "d"}, Indirect: []string{"c"}}},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if got, err := parse(filepath.Join("x", "go.mod"), []byte(tt.text)); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

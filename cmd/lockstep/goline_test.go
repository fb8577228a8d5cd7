package main

import (
	"reflect"
	"testing"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
)

func TestParseDirective(t *testing.T) {
	tests := []struct {
		claim string
		line  string
		want  gen.Options
		ok    bool
	}{
		{"ReadsToolLine", "//go:generate go tool lockstep generate", gen.Options{}, true},
		{"ReadsFlags", "//go:generate go tool lockstep generate -gaps --dqs -accept 7 -accept=0008",
			gen.Options{Gaps: true, DQS: true, Accept: []lockstep.Version{7, 8}}, true},
		{"ReadsInstalledCommand", "//go:generate lockstep.exe generate -gaps", gen.Options{Gaps: true}, true},
		{"ReadsGoRun", "//go:generate go run github.com/lockstep-db/lockstep/cmd/lockstep@v1.0.0 generate -dqs", gen.Options{DQS: true}, true},
		{"IgnoresOtherTools", "//go:generate go tool stringer generate -gaps", gen.Options{}, false},
		{"IgnoresOtherDirectories", "//go:generate go tool lockstep generate -gaps ../other", gen.Options{}, false},
		{"IgnoresComments", "// go:generate go tool lockstep generate -gaps", gen.Options{}, false},
		{"IgnoresUnknownFlags", "//go:generate go tool lockstep generate -what", gen.Options{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			got, ok := parseDirective(tt.line)
			if ok != tt.ok || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

package lockstep_test

import (
	"context"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
)

func TestGoChecksum(t *testing.T) {
	goSum := lockstep.Go(func(context.Context, lockstep.Tx) error { return nil }).Checksum
	const goText = "package migrations\n\nfunc migrate0007() string {\n\treturn `a\n b` // why\n}\n"
	tests := map[string]struct {
		text, other string
		same        bool
	}{
		"GoCRLF":          {goText, strings.ReplaceAll(goText, "\n", "\r\n"), true},
		"GoByteOrderMark": {goText, "\uFEFF" + goText, true},
		"GoComment":       {goText, strings.Replace(goText, "// why", "/* because */", 1), true},
		"GoBlanks":        {goText, strings.Replace(goText, "\n\n", "\n\n\n", 1), true},
		"GoSemicolons":    {goText, strings.Replace(goText, "`a\n b`", "`a\n b`;", 1), true},
		"GoLiteral":       {goText, strings.Replace(goText, "`a\n b`", "`a b`", 1), false},
		"GoName":          {goText, strings.Replace(goText, "0007", "0008", 1), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, other := goSum([]byte(test.text)), goSum([]byte(test.other))
			if (got == other) != test.same {
				t.Errorf("got %s and %s; want them the same: %v", got, other, test.same)
			}
		})
	}
}

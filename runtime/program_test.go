package lockstep

import (
	"context"
	"strings"
	"testing"
)

func TestProgramChecksum(t *testing.T) {
	goSum := Go(func(context.Context, Tx) error { return nil }).Checksum
	const goText = "package migrations\n\nfunc migrate0007() string {\n\treturn `a\n b` // why\n}\n"
	const script = "import sys\n\n# why\nprint(sys.argv[1])\n"
	tests := map[string]struct {
		sum         func([]byte) string
		text, other string
		same        bool
	}{
		"GoCRLF":          {goSum, goText, strings.ReplaceAll(goText, "\n", "\r\n"), true},
		"GoByteOrderMark": {goSum, goText, "\uFEFF" + goText, true},
		"GoComment":       {goSum, goText, strings.Replace(goText, "// why", "/* because */", 1), true},
		"GoBlanks":        {goSum, goText, strings.Replace(goText, "\n\n", "\n\n\n", 1), true},
		"GoSemicolons":    {goSum, goText, strings.Replace(goText, "`a\n b`", "`a\n b`;", 1), true},
		"GoLiteral":       {goSum, goText, strings.Replace(goText, "`a\n b`", "`a b`", 1), false},
		"GoName":          {goSum, goText, strings.Replace(goText, "0007", "0008", 1), false},
		"ScriptCRLF":      {ScriptChecksum, script, strings.ReplaceAll(script, "\n", "\r\n"), true},
		"ScriptMark":      {ScriptChecksum, script, "\uFEFF" + script, true},
		"ScriptBlank":     {ScriptChecksum, script, script + "\n", false},
		"ScriptComment":   {ScriptChecksum, script, strings.Replace(script, "why", "because", 1), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, other := test.sum([]byte(test.text)), test.sum([]byte(test.other))
			if (got == other) != test.same {
				t.Errorf("got %s and %s; want them the same: %v", got, other, test.same)
			}
		})
	}
	if got, want := ScriptChecksum([]byte("print()\n")), "x1:d8594fa1268ecabc62af7c9e2449b8c4"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

package genfile

import (
	"go/constant"
	"go/token"
	"go/types"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/gen/filename"
)

func TestPinName(t *testing.T) {
	for name, want := range map[string]string{
		"0001-initialize.sql":     "V0001Initialize",
		"0011-one-more-thing.sql": "V0011OneMoreThing",
		"0011-one_more.thing.sql": "V0011OneMoreThing",
		"0012-2fa.sql":            "V0012_2fa",
		"0013-add-2fa.sql":        "V0013Add2fa",
		"9999-a--b-.sql":          "V9999AB",
		"0014-HTTP-log.sql":       "V0014HTTPLog",
	} {
		parsed, err := filename.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := PinName(parsed); got != want || !token.IsExported(got) || !token.IsIdentifier(got) {
			t.Errorf("%s: got %s; want %s", name, got, want)
		}
	}
}

// FuzzStringLiteral has the compiler read back what a constant holds.
func FuzzStringLiteral(f *testing.F) {
	for _, s := range []string{
		"", "plain\n", "`", "a`b``c", "\r\n", "\x00", "\uFEFF", "a\u200bb", "\u2028", "\xff\xfe", "\uFFFD", "é\t", "\\n", "\"`\"", "\u202eabc", "\x7f", "$", strings.Repeat("`a", 99),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		expr := stringLiteral(s)
		tv, err := types.Eval(token.NewFileSet(), nil, token.NoPos, expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		if got := constant.StringVal(tv.Value); got != s {
			t.Errorf("%s is %q; want %q", expr, got, s)
		}
	})
}

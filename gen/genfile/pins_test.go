package genfile

import (
	"fmt"
	"slices"
	"testing"
)

func TestBrokenPins(t *testing.T) {
	pkg := Package{Dir: "/app/migrations", Path: "example.com/app/migrations", Name: "migrations"}
	const imports = "package store\n\nimport \"example.com/app/migrations\"\n\n"
	tests := []struct {
		claim, path, text string
		want              []string
	}{
		{"FindsAPin", "/app/a.go", imports + "const _ migrations.V0001A = migrations.Latest\n", []string{"5:29 V0001A"}},
		{"FindsAVariable", "/app/a.go", imports + "var pinned migrations.V0001A = migrations.Latest\n", []string{"5:32 V0001A"}},
		{"FindsOneInAFunction", "/app/a.go", imports + "func f() {\n\tconst _ migrations.V0001A = migrations.Latest\n}\n", []string{"6:30 V0001A"}},
		{"FindsAllOfAGroup", "/app/a.go", imports + "const (\n\t_ migrations.V0001A = migrations.Latest\n\t_ migrations.V0002B = migrations.Latest\n)\n", []string{"6:24 V0001A", "7:24 V0002B"}},
		{"FindsItByTheNameOfTheImport", "/app/a.go", "package store\n\nimport m \"example.com/app/migrations\"\n\nconst _ m.V0001A = m.Latest\n", []string{"5:20 V0001A"}},
		{"FindsItThroughADotImport", "/app/a.go", "package store\n\nimport . \"example.com/app/migrations\"\n\nconst _ V0001A = Latest\n", []string{"5:18 V0001A"}},
		{"FindsItInThePackageItself", "/app/migrations/a.go", "package migrations\n\nconst _ V0001A = Latest\n", []string{"3:18 V0001A"}},
		{"FindsItInAnExternalTest", "/app/migrations/a_test.go", "package migrations_test\n\nimport \"example.com/app/migrations\"\n\nconst _ migrations.V0001A = migrations.Latest\n", []string{"5:29 V0001A"}},
		{"CountsItOnceForTwoNames", "/app/a.go", imports + "const _, _ migrations.V0001A = migrations.Latest, migrations.Latest\n", []string{"5:32 V0001A"}},
		{"LeavesTheNewest", "/app/a.go", imports + "const _ migrations.V0003C = migrations.Latest\n", nil},
		{"LeavesConversions", "/app/a.go", imports + "const _ = migrations.V0001A(migrations.Latest)\n", nil},
		{"LeavesOtherConstants", "/app/a.go", imports + "const _ migrations.V0001A = 1\n\nvar latest = migrations.Latest\n", nil},
		{"LeavesAnotherPackageOfThatName", "/app/a.go", "package store\n\nimport \"example.com/other/migrations\"\n\nconst _ migrations.V0001A = migrations.Latest\n", nil},
		{"LeavesNamesOfTheFileItself", "/app/a.go", imports + "const _ V0001A = Latest\n", nil},
		{"LeavesToTheCompilerWhatDoesNotParse", "/app/a.go", imports + "const _ migrations.V0001A = migrations.Latest\n}\n", nil},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			var got []string
			for _, pin := range pkg.BrokenPins(test.path, []byte(test.text), "V0003C") {
				got = append(got, fmt.Sprintf("%d:%d %s", pin.Line, pin.Col, pin.Pinned))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q; want %q", got, test.want)
			}
		})
	}
}

func TestRename(t *testing.T) {
	pkg := Package{Dir: "/app/migrations", Path: "example.com/app/migrations", Name: "migrations"}
	functions, pins := map[string]string{"migrate0002": "migrate0003"}, map[string]string{"V0002B": "V0003B"}
	tests := []struct{ claim, path, text, want string }{
		{"RenamesAPin", "/app/a.go",
			"package a\n\nimport \"example.com/app/migrations\"\n\nconst _ migrations.V0002B = migrations.Latest // V0002B\n",
			"package a\n\nimport \"example.com/app/migrations\"\n\nconst _ migrations.V0003B = migrations.Latest // V0002B\n"},
		{"LeavesNamesThatAreNotThePackages", "/app/a.go",
			"package a\n\nimport \"example.com/app/migrations\"\n\nvar V0002B = other.V0002B(migrations.Latest)\n",
			"package a\n\nimport \"example.com/app/migrations\"\n\nvar V0002B = other.V0002B(migrations.Latest)\n"},
		{"RenamesFunctionsAndPinsInThePackage", "/app/migrations/a.go",
			"package migrations\n\nfunc migrate0002() { migrate0002() }\n\nvar x = V0002B(Latest) + other.V0002B\n",
			"package migrations\n\nfunc migrate0003() { migrate0003() }\n\nvar x = V0003B(Latest) + other.V0002B\n"},
		{"RenamesFunctionsInComments", "/app/migrations/a.go",
			"package migrations\n\n// migrate0002 goes on from migrate00021, and\r\n// (see migrate0002).\nfunc migrate0002() {} /* migrate0002 */\n",
			"package migrations\n\n// migrate0003 goes on from migrate00021, and\r\n// (see migrate0003).\nfunc migrate0003() {} /* migrate0003 */\n"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			edits := pkg.Rename(test.path, []byte(test.text), functions, pins)
			if got := string(Apply([]byte(test.text), edits)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

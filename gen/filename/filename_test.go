package filename_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lockstep-db/lockstep/gen/filename"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		claim, name string
		want        filename.Name
	}{
		{"TakesAnOrdinaryName", "0011-one-more-thing.sql", filename.Name{Version: 11, Description: "one-more-thing", Ext: ".sql"}},
		{"TakesTheFirst", "0001-a.sql", filename.Name{Version: 1, Description: "a", Ext: ".sql"}},
		{"TakesTheLast", "9999-a.sql", filename.Name{Version: 9999, Description: "a", Ext: ".sql"}},
		{"TakesUnderscoresDotsAndCapitals", "0002-Add_v2.1_Tags.sql", filename.Name{Version: 2, Description: "Add_v2.1_Tags", Ext: ".sql"}},
		{"TakesADescriptionThatBeginsWithADigit", "0003-2fa.sql", filename.Name{Version: 3, Description: "2fa", Ext: ".sql"}},
		{"TakesGo", "0004-hash.go", filename.Name{Version: 4, Description: "hash", Ext: ".go"}},
		{"TakesPython", "0005-fetch.py", filename.Name{Version: 5, Description: "fetch", Ext: ".py"}},
		{"TakesShell", "0006-import.sh", filename.Name{Version: 6, Description: "import", Ext: ".sh"}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			got, err := filename.Parse(c.name)
			if got != c.want || err != nil {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			if got.String() != c.name {
				t.Errorf("got name %s, want %s", got, c.name)
			}
		})
	}

	for _, c := range []struct{ claim, name, want string }{
		{"RefusesZero", "0000-add-tags.sql", "numbers start at 0001"},
		{"RefusesTooFewDigits", "4-add-tags.sql", "name must be four digits, a hyphen and words, as in 0004-add-tags.sql"},
		{"RefusesTooManyDigits", "00004-add-tags.sql", "name must be four digits, a hyphen and words, as in 0004-add-tags.sql"},
		{"RefusesAnUnderscoreBehindTheNumber", "0004_add_tags.sql", "name must be four digits, a hyphen and words, as in 0004-add-tags.sql"},
		{"RefusesABlankBehindTheNumber", "0004 add tags.sql", "name must be four digits, a hyphen and words, as in 0004-add-tags.sql"},
		{"RefusesNothingBehindTheNumber", "0004add-tags.sql", "name must be four digits, a hyphen and words, as in 0004-add-tags.sql"},
		{"RefusesTwoHyphens", "0004--add-tags.sql", "name must be four digits, a hyphen and words, as in 0004-add-tags.sql"},
		{"RefusesAnUpperCaseExtension", "0004-add-tags.SQL", "extension must be in lower case, as in 0004-add-tags.sql"},
		{"RefusesAnEmptyDescription", "0004-.sql", "description is empty; name must be four digits, a hyphen and words, as in 0004-add-tags.sql"},
		{"RefusesNoDescription", "0004.sql", "description is empty; name must be four digits, a hyphen and words, as in 0004-add-tags.sql"},
		{"RefusesABlank", "0004-add tags.sql", "description must be of ASCII letters, digits, '-', '_' and '.', as in 0004-add-tags.sql"},
		{"RefusesAnAccent", "0004-año.sql", "description must be of ASCII letters, digits, '-', '_' and '.', as in 0004-a-o.sql"},
		{"RefusesAQuote", "0004-don't.sql", "description must be of ASCII letters, digits, '-', '_' and '.', as in 0004-don-t.sql"},
		{"RefusesNothingButOtherLetters", "0004-日本.sql", "description must be of ASCII letters, digits, '-', '_' and '.', as in 0004-add-tags.sql"},
		{"RefusesANumberOfFiveDigits", "10000-add-tags.sql", "number 10000 is too large; the last is 9999"},
		{"RefusesANumberThatNoIntegerHolds", "99999999999999999999-x.sql", "number 99999999999999999999 is too large; the last is 9999"},
		{"RefusesNoNumber", "users.sql", "name must be four digits, a hyphen and words, as in 0001-users.sql; what is no migration belongs elsewhere"},
		{"RefusesAScriptWithoutANumber", "fill_slugs.PY", "name must be four digits, a hyphen and words, as in 0001-fill-slugs.py; what is no migration belongs elsewhere"},
		{"RefusesALetterBeforeTheNumber", "V4-x.sql", "name must be four digits, a hyphen and words, as in 0004-x.sql"},
		{"RefusesThoseOfOtherTools", "V12__add_users.sql", "name must be four digits, a hyphen and words, as in 0012-add-users.sql"},
		{"RefusesAnUnderscoreBeforeTheNumber", "_0002-x.sql", "name must be four digits, a hyphen and words, as in 0002-x.sql"},
		{"RefusesAHyphenBeforeTheNumber", "-0002-x.sh", "name must be four digits, a hyphen and words, as in 0002-x.sh"},
		{"RefusesABlankBeforeTheNumber", " 0002-x.sql", "name must be four digits, a hyphen and words, as in 0002-x.sql"},
		{"RefusesAMisspelledNumber", "x0002-x.sql", "name must be four digits, a hyphen and words, as in 0002-x.sql"},
		{"RefusesFullWidthDigits", "０００２-x.sql", "name must be four digits, a hyphen and words, as in 0002-x.sql"},
		{"RefusesOtherDigits", "٠٠٠١-x.sql", "name must be four digits, a hyphen and words, as in 0001-x.sql; what is no migration belongs elsewhere"},
		{"RefusesANumberAtTheEnd", "x-0002.sql", "name must be four digits, a hyphen and words, as in 0001-x-0002.sql; what is no migration belongs elsewhere"},
		{"RefusesBash", "0002-x.bash", "extension must be .sh, because sh runs it, as in 0002-x.sh"},
		{"RefusesBashWithoutANumber", "x.bash", "name must be four digits, a hyphen and words, as in 0001-x.sh; what is no migration belongs elsewhere"},
		{"RefusesANumberBeyond32Bits", "4294967296-x.sql", "number 4294967296 is too large; the last is 9999"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			got, err := filename.Parse(c.name)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %+v, %v; want error %s", got, err, c.want)
			}
			if errors.Is(err, filename.ErrNotMigration) {
				t.Error("got ErrNotMigration for a name that was meant for a migration")
			}
		})
	}

	t.Run("LeavesOtherFilesAlone", func(t *testing.T) {
		for _, name := range []string{
			"README.md", "migrations.go", "lockstep_gen.go", ".0002-x.sql.swp", "0002-x.sql.bak", "0002-x.sql~", "0002-x", "0002-x.txt",
			"", ".", ".sql", "._0001-x.sql", ".#0002-x.sql", "x.go", "x.sql.bak", "x.sql~", "config.py", "__init__.py",
		} {
			if got, err := filename.Parse(name); !errors.Is(err, filename.ErrNotMigration) {
				t.Errorf("%s: got %+v, %v; want ErrNotMigration", name, got, err)
			}
		}
	})
}

func ExampleParse() {
	name, err := filename.Parse("0011-one-more-thing.sql")
	fmt.Println(name.Version, name.Description, name.Ext, err)

	_, err = filename.Parse("11_one_more_thing.sql")
	fmt.Println(err)
	// Output:
	// 0011 one-more-thing .sql <nil>
	// name must be four digits, a hyphen and words, as in 0011-one-more-thing.sql
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"0011-one-more-thing.sql", "4_x.SQL", "0004-.sql", "0004-año.sql", "4294967296-x.sql"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := filename.Parse(name)
		if err == nil && got.String() != name {
			t.Errorf("%q is taken for %q", name, got)
		}
	})
}

// Package filename is not for programs and promises nothing: it may change or go in any
// release. It is the one place that decides what the name of a file in a migrations
// directory means.
package filename

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
)

// A Name is the name of a migration, taken apart.
type Name struct {
	Version     lockstep.Version
	Description string // "one-more-thing"
	Ext         string // ".sql", ".go", ".py" or ".sh"
}

// ErrNotMigration is returned by [Parse] for a name that is clearly not meant for a
// migration, such as README.md or 0002-x.sql.bak.
var ErrNotMigration = errors.New("not a migration")

// Parse takes apart the name of a file in a migrations directory.
//
// A migration is named NNNN-description.ext: four digits, a hyphen, a
// description of ASCII letters, digits, "-", "_" and ".", and one of .sql, .go,
// .py and .sh. The error for a name that is almost right says what it should be;
// with it comes the number, unless that is no version.
func Parse(name string) (Name, error) {
	digits := len(name) - len(strings.TrimLeft(name, "0123456789"))
	dot := strings.LastIndexByte(name, '.')
	if digits == 0 || dot < 0 {
		return Name{}, ErrNotMigration
	}
	ext := name[dot:]
	switch strings.ToLower(ext) {
	case ".sql", ".go", ".py", ".sh":
	default:
		return Name{}, ErrNotMigration
	}

	description := strings.TrimLeft(name[digits:max(digits, dot)], "-_. ")
	number, err := strconv.Atoi(name[:digits])
	if err != nil || number > 9999 {
		return Name{}, fmt.Errorf("number %s is too large; the last is 9999", name[:digits])
	}
	almost := Name{Version: lockstep.Version(number)}
	right := fmt.Sprintf("%04d-%s%s", number, strings.ReplaceAll(plain(description), "_", "-"), strings.ToLower(ext))
	switch {
	case description == "":
		return almost, fmt.Errorf("description is empty; name must be four digits, a hyphen and words, as in %04d-add-tags%s", number, strings.ToLower(ext))
	case digits != 4 || name[4] != '-' || len(description) != dot-5:
		return almost, fmt.Errorf("name must be four digits, a hyphen and words, as in %s", right)
	case ext != strings.ToLower(ext):
		return almost, fmt.Errorf("extension must be in lower case, as in %s", right)
	case plain(description) != description:
		return almost, fmt.Errorf("description must be of ASCII letters, digits, '-', '_' and '.', as in %s", right)
	case number == 0:
		return Name{}, errors.New("numbers start at 0001")
	}
	return Name{lockstep.Version(number), description, ext}, nil
}

var plainText = regexp.MustCompile(`[-_.0-9A-Za-z]+`)

// plain returns s with each run of characters that a description cannot have replaced by
// a hyphen.
func plain(s string) string {
	return cmp.Or(strings.Join(plainText.FindAllString(s, -1), "-"), "add-tags")
}

// String returns the name of the file.
func (n Name) String() string { return n.Version.String() + "-" + n.Description + n.Ext }

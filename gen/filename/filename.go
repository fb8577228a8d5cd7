// Package filename is not for programs and promises nothing: it may change or go in any
// release. It is the one place that decides what the name of a file in a migrations
// directory means.
package filename

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
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

// near matches a name without extension that does not begin with its number.
var near = regexp.MustCompile(`^[^0-9]{0,2}([0-9]{1,4})([-_. ].*)$`)

// Parse takes apart the name of a file in a migrations directory.
//
// A migration is named NNNN-description.ext: four digits, a hyphen, a
// description of ASCII letters, digits, "-", "_" and ".", and one of .sql, .go,
// .py and .sh. The error for a name that is almost right says what it should be, and
// comes with that name. So does that for any other SQL or script: it would never run.
func Parse(name string) (Name, error) {
	digits := len(name) - len(strings.TrimLeft(name, "0123456789"))
	dot := strings.LastIndexByte(name, '.')
	ext := strings.ToLower(name[max(dot, 0):])
	kind := ext == ".go" && digits > 0 || slices.Contains([]string{".sql", ".py", ".sh", ".bash"}, ext)
	if dot < digits || name[0] == '.' || !kind || name == "config.py" || name == "__init__.py" { // fastmigrate's, Python's
		return Name{}, ErrNotMigration
	}

	digit, rest := name[:digits], name[digits:dot]
	if digits == 0 {
		if m := near.FindStringSubmatch(strings.Map(narrow, rest)); m != nil {
			digit, rest = m[1], m[2]
		}
	}
	number, err := strconv.Atoi("0" + digit)
	if err != nil || number > 9999 {
		return Name{}, fmt.Errorf("number %s is too large; the last is 9999", digit)
	}
	description := strings.TrimLeft(rest, "-_. ")
	right := Name{lockstep.Version(number), strings.ReplaceAll(plain(description), "_", "-"), strings.Replace(ext, ".bash", ".sh", 1)}
	switch {
	case digit == "":
		return Name{}, fmt.Errorf("name must be four digits, a hyphen and words, as in 0001-%s%s; what is no migration belongs elsewhere", right.Description, right.Ext)
	case description == "":
		return right, fmt.Errorf("description is empty; name must be four digits, a hyphen and words, as in %v", right)
	case digits != 4 || name[4] != '-' || len(description) != dot-5:
		return right, fmt.Errorf("name must be four digits, a hyphen and words, as in %v", right)
	case ext == ".bash":
		return right, fmt.Errorf("extension must be .sh, because sh runs it, as in %v", right)
	case ext != name[dot:]:
		return right, fmt.Errorf("extension must be in lower case, as in %v", right)
	case plain(description) != description:
		return right, fmt.Errorf("description must be of ASCII letters, digits, '-', '_' and '.', as in %v", right)
	case number == 0:
		return right, errors.New("numbers start at 0001")
	}
	return Name{lockstep.Version(number), description, ext}, nil
}

// narrow returns the ASCII digit for a full-width one.
func narrow(r rune) rune {
	if '０' <= r && r <= '９' {
		return r - '０' + '0'
	}
	return r
}

var plainText = regexp.MustCompile(`[-_.0-9A-Za-z]+`)

// plain returns s with each run of characters that a description cannot have replaced by
// a hyphen.
func plain(s string) string {
	return cmp.Or(strings.TrimLeft(strings.Join(plainText.FindAllString(s, -1), "-"), "-"), "add-tags")
}

// Describe returns words as a description, or the fallback if nothing in them can be part
// of one.
func Describe(words, fallback string) string {
	return cmp.Or(strings.Trim(strings.ReplaceAll(strings.Join(plainText.FindAllString(words, -1), "-"), "_", "-"), "-."), fallback)
}

// String returns the name of the file.
func (n Name) String() string { return n.Version.String() + "-" + n.Description + n.Ext }

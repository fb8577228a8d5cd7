package sqlite

import (
	"context"
	"slices"
	"strings"
)

// Generator is the version of the SQLite that replays migrations when code is generated.
const Generator = "3.54.1"

// Versions returns which SQLite db is, and which one the generator has, as part of a sentence.
// It returns "" if they are the same, unless force is set.
func Versions(ctx context.Context, db DB, force bool) (text string) {
	var here string
	if err := Read(ctx, db, "SELECT sqlite_version()", &here); err == nil && (force || here != Generator) {
		text = "SQLite is " + here + " here, " + Generator + " in the generator"
	}
	return text
}

// Lacks reports whether SQLite says in a sentence that it does not know what another release
// or another build knows.
//
//go:noinline
func Lacks(sentence string) bool {
	return slices.ContainsFunc([]string{
		"no such function", "unknown function", "no such module", "no such collation", "no such tokenizer", "unknown tokenizer",
		"wrong number of arguments to function", "as a window function",
		"syntax error", "unrecognized token", "unknown table option", "unknown datatype", "not currently supported",
	}, func(words string) bool { return strings.Contains(sentence, words) })
}

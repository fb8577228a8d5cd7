// Package wording is not for programs and promises nothing: it may change in any release.
//
// It has words and commands that errors of more than one package are made of.
package wording

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// Count returns "1 row" or "2 rows".
func Count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "x"):
		noun += "es"
	default:
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// Though says that a migration assumes otherwise, or "" if it assumes nothing.
func Though(assumed string) string {
	if assumed == "" {
		return ""
	}
	return ", though the migration assumes " + assumed
}

// List joins the first ten of n items, and says how many more there are.
func List(n int, sep string, item func(i int) string) (s string) {
	const most = 10
	for i := range min(n, most) {
		if i > 0 {
			s += sep
		}
		s += item(i)
	}
	if n > most {
		s += " and " + strconv.Itoa(n-most) + " more"
	}
	return s
}

// CommandLine returns a command for a POSIX shell, quoted where that is needed.
func CommandLine(args ...string) string {
	const plain = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/.-_:\\"
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if arg == "" || strings.Trim(arg, plain) != "" {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// Generate says how to generate the code of a migrations package again. go generate does
// nothing without a go:generate line.
func Generate(dir string) string {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if text, err := os.ReadFile(filepath.Join(dir, entry.Name())); err == nil && filepath.Ext(entry.Name()) == ".go" && strings.Contains("\n"+string(text), "\n//go:generate ") {
			return "run go generate"
		}
	}
	return "add the line //go:generate go tool lockstep generate to a Go file beside it, and run go generate"
}

// Printable writes each character that cannot be seen as Go does. A name in a database, and
// so an error about it, can hold the line ends, escape codes and changes of direction with
// which it would pass for something else on a terminal or in a log.
func Printable(s string) string { return printable(s, strconv.IsGraphic) }

// PrintableLines is [Printable] for several lines, of SQL say. It keeps tabs, and what joins
// characters.
func PrintableLines(s string) string {
	return printable(s, func(r rune) bool {
		return strconv.IsGraphic(r) || r == '\n' || r == '\t' || unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Bidi_Control, r)
	})
}

func printable(s string, as func(rune) bool) string {
	var b strings.Builder
	for _, r := range s {
		if as(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

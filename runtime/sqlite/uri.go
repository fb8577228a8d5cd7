package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
)

// URI returns the URI of a file, in which each character of its path means itself, or the
// path if the query is "".
//
// https://sqlite.org/uri.html
func URI(path, query string) string {
	if query == "" {
		return path
	}
	return "file:" + Escape(filepath.ToSlash(path)) + "?" + query
}

// Escape returns s with all that means something in a URI escaped. (For SQLite a + is a +,
// and not a blank.)
func Escape(s string) string {
	const plain = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/.-_~:"
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(plain, s[i]) >= 0 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

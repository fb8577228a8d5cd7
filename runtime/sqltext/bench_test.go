package sqltext

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkScript is what an upgrade does with the text of each migration.
func BenchmarkScript(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"OneStatement", "ALTER TABLE item0 ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;\n"},
		{"TwentyTables", manyTables(20)},
		{"OneLiteralOf5MB", "INSERT INTO item0(name) VALUES ('" + strings.Repeat("0123456789", 500_000) + "');\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				script := Parse(c.text)
				if script.Checksum() == "" {
					b.Fatal("no checksum")
				}
				if len(script.Cut()) == 0 {
					b.Fatal("no statements")
				}
			}
		})
	}
}

// BenchmarkSchema is what an upgrade does at its end with the schema that it has
// to have: when SQLite has the same texts, and when it has worded all of them
// differently.
func BenchmarkSchema(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		text := manyTables(n)
		found, err := ParseSchema(text)
		if err != nil {
			b.Fatal(err)
		}
		reworded, err := ParseSchema(strings.ReplaceAll(text, "TEXT NOT NULL", "text  NOT NULL"))
		if err != nil {
			b.Fatal(err)
		}
		schema := FormatSchema(found)
		diff := func(b *testing.B, found []Object) {
			b.ReportAllocs()
			for b.Loop() {
				want, err := ParseSchema(schema)
				if err != nil {
					b.Fatal(err)
				}
				if changed, extra := Diff(want, found); len(changed)+len(extra) > 0 {
					b.Fatal(changed, extra)
				}
			}
		}
		b.Run(fmt.Sprintf("Same/Tables=%d", n), func(b *testing.B) { diff(b, found) })
		b.Run(fmt.Sprintf("Reworded/Tables=%d", n), func(b *testing.B) { diff(b, reworded) })
		b.Run(fmt.Sprintf("Fingerprint/Tables=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Fingerprint(found)
			}
		})
	}
}

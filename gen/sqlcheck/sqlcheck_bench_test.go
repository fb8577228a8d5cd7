package sqlcheck

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkAnalyzer measures what checking a package costs beside what SQLite
// needs for it: making the schema, and preparing each statement once. The metric
// is the ratio of the two, by their medians, measured in turns.
func BenchmarkAnalyzer(b *testing.B) {
	for _, n := range []int{0, 30, 300} {
		b.Run(fmt.Sprintf("Queries=%d", n), func(b *testing.B) {
			var schema strings.Builder
			for i := range 100 { // what a hundred migrations may lead to
				fmt.Fprintf(&schema, `CREATE TABLE item%[1]d (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	price REAL NOT NULL DEFAULT 0 CHECK (price >= 0),
	parent INTEGER REFERENCES item%[1]d (id) ON DELETE SET NULL
) STRICT;
CREATE UNIQUE INDEX item%[1]d_name ON item%[1]d (name);
`, i)
			}
			var statements []string
			for i := range n {
				statements = append(statements, []string{
					fmt.Sprintf("SELECT i.id, i.name, p.name FROM item%[1]d AS i LEFT JOIN item%[1]d AS p ON p.id = i.parent WHERE i.price > ? ORDER BY i.name", i%100),
					fmt.Sprintf("INSERT INTO item%d (name, price, parent) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET price = excluded.price", i%100),
					fmt.Sprintf("WITH RECURSIVE up (id) AS (VALUES (?) UNION SELECT parent FROM item%[1]d JOIN up USING (id)) SELECT count(*) FROM up", i%100),
				}[i%3])
			}
			w := newWorkspace()
			w.add(b, "example.com/app/migrations", "/migrations", `package migrations

import "github.com/lockstep-db/lockstep/runtime"

const ExpectedVersion lockstep.Version = 100

const SchemaSQL = `+strconv.Quote(schema.String())+"\n")
			w.add(b, ncrucesPath+"/driver", "/driver", "package driver\n")
			pkg := w.add(b, "example.com/app", "/app", program(b, openSchema(b, schema.String()), statements))

			var checking, preparing []time.Duration
			for b.Loop() {
				start := time.Now()
				if said := w.analyze(b, Analyzer, pkg); len(said) > 0 {
					b.Fatal(said[0].Message)
				}
				checked := time.Now()
				conn := openSchema(b, schema.String())
				for _, statement := range statements {
					if err := prepares(conn, statement); err != nil {
						b.Fatal(err)
					}
				}
				checking = append(checking, checked.Sub(start))
				preparing = append(preparing, time.Since(checked))
			}
			slices.Sort(checking)
			slices.Sort(preparing)
			b.ReportMetric(float64(checking[len(checking)/2])/float64(preparing[len(preparing)/2]), "x-of-preparing")
			b.ReportMetric(checking[len(checking)/2].Seconds(), "s/package")
		})
	}
}

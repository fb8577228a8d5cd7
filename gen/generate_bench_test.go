package gen

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkGenerate measures what generating costs beside what its statements
// cost: the driver executing the same files on the same kind of connection, in
// one transaction and without lockstep. The metric is the ratio of the two,
// by their medians, measured in turns. [BenchmarkProve] measures what trying on rows costs.
func BenchmarkGenerate(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("Migrations=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			for i := 1; i <= n; i++ {
				text := ordinaryMigration(i)
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d-step.sql", i)), []byte(text), 0o666); err != nil {
					b.Fatal(err)
				}
			}
			result, err := Generate(b.Context(), dir, Options{})
			if err != nil {
				b.Fatal(err)
			}
			if err := result.Commit(); err != nil {
				b.Fatal(err)
			}
			var generating, executing []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := Generate(b.Context(), dir, Options{Prove: "none"}); err != nil {
					b.Fatal(err)
				}
				generated := time.Now()
				if err := executeFiles(b.Context(), dir, n); err != nil {
					b.Fatal(err)
				}
				generating = append(generating, generated.Sub(start))
				executing = append(executing, time.Since(generated))
			}
			b.ReportMetric(float64(median(generating))/float64(median(executing)), "x-of-executing")
		})
	}
}

// BenchmarkProve measures what trying migrations on rows costs beside generating without: of
// 100 migrations one is new, or the directory is generated for the first time.
func BenchmarkProve(b *testing.B) {
	for _, recorded := range []int{99, 0} {
		b.Run(fmt.Sprintf("Recorded=%d", recorded), func(b *testing.B) {
			dir := b.TempDir()
			for i := 1; i <= 100; i++ {
				writeFile(b, filepath.Join(dir, fmt.Sprintf("%04d-step.sql", i)), ordinaryMigration(i))
				if i == recorded {
					result, err := Generate(b.Context(), dir, Options{Prove: "none"})
					if err == nil {
						err = result.Commit()
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			took := map[string][]time.Duration{}
			for b.Loop() {
				for _, which := range []string{"none", "new"} {
					start := time.Now()
					if _, err := Generate(b.Context(), dir, Options{Prove: which}); err != nil {
						b.Fatal(err)
					}
					took[which] = append(took[which], time.Since(start))
				}
			}
			b.ReportMetric(float64(median(took["new"]))/float64(median(took["none"])), "x-of-none")
		})
	}
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}

// ordinaryMigration returns the text of migration i: in turns a new table with
// what belongs to it, a column with backfill, first rows, a trigger with a view,
// and a rebuild.
func ordinaryMigration(i int) string {
	table := (i-1)/5*5 + 1
	switch i % 5 {
	case 1:
		return fmt.Sprintf(`-- A table and its child.
CREATE TABLE item%[1]d (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	price REAL NOT NULL DEFAULT 0 CHECK (price >= 0),
	parent INTEGER REFERENCES item1(id) ON DELETE SET NULL,
	created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;
CREATE UNIQUE INDEX item%[1]d_name ON item%[1]d(name);
CREATE INDEX item%[1]d_created ON item%[1]d(created) WHERE price > 0;
CREATE TABLE tag%[1]d (
	item INTEGER NOT NULL REFERENCES item%[1]d(id) ON DELETE CASCADE,
	tag TEXT NOT NULL,
	PRIMARY KEY (item, tag)
) WITHOUT ROWID;
`, table)
	case 2:
		return fmt.Sprintf(`ALTER TABLE item%[1]d ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
UPDATE item%[1]d SET rank = (SELECT count(*) FROM tag%[1]d WHERE item = item%[1]d.id);
CREATE INDEX item%[1]d_rank ON item%[1]d(rank);
`, table)
	case 3:
		return fmt.Sprintf(`INSERT INTO item%[1]d(name) VALUES ('one'), ('two; three'), ('it''s');
INSERT INTO item%[1]d(name, price, rank) VALUES ('four', 4.5, 1);
INSERT INTO item%[1]d(name, price, rank) VALUES ('five', 5.5, 2);
INSERT INTO tag%[1]d(item, tag) SELECT id, 'new' FROM item%[1]d WHERE rank > 0;
UPDATE item%[1]d SET rank = 7 WHERE id > 1;
`, table)
	case 4:
		return fmt.Sprintf(`CREATE TRIGGER item%[1]d_touch AFTER UPDATE OF name ON item%[1]d BEGIN
	UPDATE item%[1]d SET rank = CASE WHEN new.name = '' THEN 0 ELSE rank + 1 END WHERE id = new.id;
END;
CREATE VIEW top%[1]d AS SELECT name, count(tag) AS tags FROM item%[1]d JOIN tag%[1]d ON item = id GROUP BY id;
`, table)
	default:
		return fmt.Sprintf(`CREATE TABLE new (
	item INTEGER NOT NULL REFERENCES item%[1]d(id) ON DELETE CASCADE,
	tag TEXT NOT NULL,
	at TEXT COLLATE NOCASE,
	PRIMARY KEY (item, tag)
) WITHOUT ROWID;
INSERT INTO new (item, tag) SELECT item, tag FROM tag%[1]d;
DROP VIEW top%[1]d;
DROP TABLE tag%[1]d;
ALTER TABLE new RENAME TO tag%[1]d;
CREATE INDEX tag%[1]d_tag ON tag%[1]d(tag);
`, table)
	}
}

func executeFiles(ctx context.Context, dir string, n int) error {
	r, err := newReplay(ctx, Options{})
	if err != nil {
		return err
	}
	defer r.close()
	conn := r.conn
	if err := conn.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for i := 1; i <= n; i++ {
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%04d-step.sql", i)))
		if err != nil {
			return err
		}
		if err := conn.Exec(string(text)); err != nil {
			return err
		}
	}
	return conn.Exec("COMMIT")
}

// BenchmarkReplay reports what a statement costs in a small file, a large one, and
// one long trigger: the same, or the replay is not linear.
//
//	go test ./gen -run - -bench Replay
func BenchmarkReplay(b *testing.B) {
	row := "INSERT INTO t VALUES ('" + strings.Repeat("some text; ", 8) + "');\n"
	for _, bench := range []struct {
		name, before, after string
		n                   int
	}{
		{"5000Statements", "CREATE TABLE t(a);\n", "", 5_000},
		{"40000Statements", "CREATE TABLE t(a);\n", "", 40_000},
		{"TriggerOf500Statements", "CREATE TABLE t(a);\nCREATE TRIGGER x AFTER DELETE ON t BEGIN\n", "END;\n", 500},
		{"TriggerOf4000Statements", "CREATE TABLE t(a);\nCREATE TRIGGER x AFTER DELETE ON t BEGIN\n", "END;\n", 4_000},
	} {
		b.Run(bench.name, func(b *testing.B) {
			text := bench.before + strings.Repeat(row, bench.n) + bench.after
			for b.Loop() {
				m := &migration{name: "0001-x.sql"}
				m.parse(text)
				r, err := newReplay(b.Context(), Options{})
				if err != nil {
					b.Fatal(err)
				}
				if err := r.run(b.Context(), []*migration{m}, nil); err != nil || len(r.Problems) > 0 {
					b.Fatal(r.Problems, err)
				}
				r.close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*bench.n), "ns/statement")
		})
	}
}

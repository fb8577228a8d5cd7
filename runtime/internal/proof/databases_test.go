package proof_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/lockstep-db/lockstep/runtime"
)

// calls are what a program asks of lockstep, by name.
type calls map[string]func(db *sql.DB) error

func callsWith(t testing.TB, s *lockstep.Schema) calls {
	return calls{
		"Check":   func(db *sql.DB) error { return lockstep.Check(t.Context(), db, s) },
		"Inspect": func(db *sql.DB) error { _, err := lockstep.Inspect(t.Context(), db, s); return err },
		"Migrate": func(db *sql.DB) error { return lockstep.Migrate(t.Context(), db, s) },
	}
}

// open has lockstep look at a file of any content, and upgrade it. Whatever it is, the error
// is one of lockstep's own and can be printed, and what is refused is not written to.
func (c calls) open(path string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for name, work := range c {
		db, err := sql.Open("sqlite3", "file:"+path) // reads nothing when it connects
		if err != nil {
			return err
		}
		err = work(db)
		db.Close()
		after, e := os.ReadFile(path)
		if e != nil {
			return e
		}
		if refused := (*lockstep.Error)(nil); err != nil && !errors.As(err, &refused) {
			if failed := (*lockstep.MigrationError)(nil); !errors.As(err, &failed) {
				return fmt.Errorf("%s: the error is a %T: %w", name, err, err)
			}
		}
		if i := strings.IndexFunc(fmt.Sprint(err), func(r rune) bool { return !unicode.IsGraphic(r) && r != '\n' && r != '\t' }); i >= 0 {
			return fmt.Errorf("%s: the error cannot be printed: %q", name, err)
		}
		if (err != nil || name != "Migrate") && !bytes.Equal(before, after) {
			return fmt.Errorf("%s has written to the file, and returned %v", name, err)
		}
		if err := os.WriteFile(path, before, 0o600); err != nil {
			return err
		}
		os.Remove(path + "-wal")
		os.Remove(path + "-shm")
	}
	return nil
}

// TestProofDamagedFiles flips bits of a database, and cuts it off.
func TestProofDamagedFiles(t *testing.T) {
	all := callsWith(t, schemaOf(t, shop, 4))
	random := rand.New(rand.NewPCG(*seed, 1))
	flips, every := 30, 4096
	if *long {
		flips, every = 4000, 512
	}
	for _, version := range []int{1, 4} {
		path := databaseAt(t, newFolder(t), shop, version)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		look := func(what string, content []byte) {
			path := filepath.Join(newFolder(t), "data.db")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := all.open(path); err != nil {
				t.Errorf("version %d, %s: %v", version, what, err)
			}
			os.RemoveAll(filepath.Dir(path))
			tried.add("damaged databases", 1)
		}
		for size := 0; size < len(whole); size += every {
			look(fmt.Sprintf("cut off at %d", size), whole[:size])
		}
		for range flips {
			content := bytes.Clone(whole)
			at := random.IntN(len(content))
			if random.IntN(3) == 0 {
				at %= 200 // the header and the first page
			}
			bit := byte(1) << random.IntN(8)
			content[at] ^= bit
			look(fmt.Sprintf("bit %d of byte %d flipped", bit, at), content)
		}
	}
}

// TestProofHostileTables puts anything into the tables by which lockstep knows the version.
func TestProofHostileTables(t *testing.T) {
	all := callsWith(t, schemaOf(t, shop, 4))
	random := rand.New(rand.NewPCG(*seed, 2))
	rounds := 60
	if *long {
		rounds = 3000
	}
	values := []string{
		"NULL", "0", "1", "3", "4", "5", "-1", "9999", "10000", "9223372036854775807", "-9223372036854775808", "1e300", "-0.5", "'4'", "'four'", "''", "x''", "x'00ff'", "zeroblob(100000)",
		"'\x1b[2K\r\n\u202e'", "'t1:'", "'s1:00'", "char(0)", "hex(randomblob(40))", "(SELECT fingerprint FROM _lockstep_history WHERE version = 4)", "printf('%.*c', 100000, 'x')",
	}
	columns := []string{"version", "file", "checksum", "applied_at", "duration_ms", "program", "digest", "fingerprint", "cookie"}
	statements := []string{
		"UPDATE OR REPLACE _meta SET version = %v", "UPDATE OR REPLACE _meta SET id = %v", "INSERT OR IGNORE INTO _meta VALUES (%v, %v)", "DELETE FROM _meta", "DROP TABLE _meta",
		"CREATE TABLE IF NOT EXISTS _meta (id, version)", "CREATE TABLE IF NOT EXISTS _meta (version)", "CREATE VIEW IF NOT EXISTS _meta AS SELECT %v AS id, %v AS version",
		"ALTER TABLE _meta ADD COLUMN more DEFAULT 1", "ALTER TABLE _meta RENAME COLUMN version TO v",
		"CREATE TRIGGER IF NOT EXISTS r1 AFTER UPDATE ON _meta BEGIN UPDATE _meta SET version = %v; END", "CREATE TRIGGER IF NOT EXISTS r2 BEFORE UPDATE ON _meta BEGIN SELECT raise(IGNORE); END",
		"CREATE TRIGGER IF NOT EXISTS r3 AFTER INSERT ON _lockstep_history BEGIN DELETE FROM _lockstep_history; END",
		"UPDATE OR REPLACE _lockstep_history SET %c = %v", "UPDATE OR REPLACE _lockstep_history SET %c = %v WHERE version = (SELECT max(version) FROM _lockstep_history)",
		"INSERT OR IGNORE INTO _lockstep_history (version, %c) VALUES (%v, %v)", "DELETE FROM _lockstep_history WHERE version = %v", "DROP TABLE _lockstep_history",
		"ALTER TABLE _lockstep_history DROP COLUMN %c", "ALTER TABLE _lockstep_history RENAME COLUMN %c TO c", "CREATE VIEW IF NOT EXISTS _lockstep_history AS SELECT %v AS version, %v AS file",
		"CREATE TABLE \"sqlite\x1b\" (a)", "PRAGMA user_version = 7", "PRAGMA schema_version = 1", "PRAGMA application_id = 1", "DROP TABLE runs",
	}
	originals := map[int]string{}
	for _, version := range []int{1, 3, 4} {
		originals[version] = databaseAt(t, newFolder(t), shop, version)
	}
	for round := range rounds {
		path := copied(t, filepath.Dir(originals[[]int{1, 3, 4}[random.IntN(3)]]))
		db, err := sql.Open("sqlite3", dsn(path, unsynced, "_pragma=ignore_check_constraints(1)"))
		if err != nil {
			t.Fatal(err)
		}
		var done []string
		for range 1 + random.IntN(3) {
			q := statements[random.IntN(len(statements))]
			for strings.Contains(q, "%") {
				q = strings.Replace(q, "%v", values[random.IntN(len(values))], 1)
				q = strings.Replace(q, "%c", columns[random.IntN(len(columns))], 1)
				if strings.Contains(q, "%.*c") {
					break
				}
			}
			if _, err := db.Exec(q); err == nil {
				done = append(done, q)
			}
		}
		db.Close()
		if err := all.open(path); err != nil {
			t.Errorf("round %d: after %q: %v", round, done, err)
		}
		os.RemoveAll(filepath.Dir(path))
		tried.add("databases with hostile tables", 1)
	}
}

// TestProofNoticesWrites refuses and writes, or says what nobody can tell apart.
func TestProofNoticesWrites(t *testing.T) {
	for claim, call := range map[string]func(db *sql.DB) error{
		"OfWhatIsRefused": func(db *sql.DB) error {
			db.Exec("CREATE TABLE written (a)")
			return &lockstep.Error{Kind: lockstep.ErrAhead}
		},
		"OfCheck":               func(db *sql.DB) error { _, err := db.Exec("CREATE TABLE written (a)"); return err },
		"AnErrorWithoutAType":   func(*sql.DB) error { return errors.New("no") },
		"AnErrorThatErasesLine": func(*sql.DB) error { return errors.Join(&lockstep.Error{}, errors.New("\x1b[2K")) },
	} {
		t.Run(claim, func(t *testing.T) {
			if err := (calls{"Check": call}).open(databaseAt(t, newFolder(t), shop, 1)); err == nil {
				t.Error("noticed nothing")
			}
		})
	}
}

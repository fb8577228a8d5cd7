package othertool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// read reads a directory with these files.
func read(t *testing.T, files map[string]string) (*Directory, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if link := filepath.Join(t.TempDir(), "link"); os.Symlink(dir, link) == nil { // as deployments have them
		dir = link
	}
	return Read(dir)
}

func TestUp(t *testing.T) {
	for _, c := range []struct {
		claim, name, text string
		want              string // with "alone: " before what runs without a transaction
	}{
		{"TakesTheStatementsOfGoose", "1_a.sql", "-- +goose Up\nA;\n-- +goose Down\nB;\n", "A;\n"},
		{"TakesLineEndsOfWindows", "1_a.sql", "-- +goose Up\r\nA;\r\n-- +goose Down\r\nB;\r\n", "A;\n"},
		{"TakesAnnotationsInAnyCase", "1_a.sql", "--+GOOSE up\nA;\n  -- +goose down\nB;\n", "A;\n"},
		{"KeepsCommentsBeforeAndBetween", "1_a.sql", "-- Why.\n-- +goose Up\n-- What.\nA;\n-- +goose Down\n-- Not.\n", "-- Why.\n-- What.\nA;\n"},
		{"EndsAStatementThatAnAnnotationEnds", "1_a.sql", "-- +goose Up\n-- +goose StatementBegin\nA -- so\n-- +goose StatementEnd\nB;\n", "A; -- so\nB;\n"},
		{"EndsNoStatementTwice", "1_a.sql", "-- +goose Up\n-- +goose StatementBegin\nA; B;\n-- +goose StatementEnd\n", "A; B;\n"},
		{"KeepsABlockThatNothingEnds", "1_a.sql", "-- +goose Up\n-- +goose StatementBegin\nA;\n", "A;\n"},
		{"KnowsNoTransactionBelowUp", "1_a.sql", "-- +goose Up\n-- +goose NO TRANSACTION\nA;\n", "alone: A;\n"},
		{"LeavesOutWhatGoesDownFirst", "1_a.sql", "-- +goose Down\nB;\n-- +goose Up\nA;\n", "A;\n"},
		{"KnowsTheOptionsOfDbmate", "1_a.sql", "-- migrate:up transaction:false\nA;\n-- migrate:down transaction:false\nB;\n", "alone: A;\n"},
		{"KnowsThatDbmateHasATransaction", "1_a.sql", "-- migrate:up transaction:true\nA;\n", "A;\n"},
		{"KnowsTheOptionOfSqlMigrate", "a.sql", "-- +migrate Up notransaction\nA;\n", "alone: A;\n"},
		{"KnowsTheFirstLineOfSqlx", "20240101_a.sql", "-- no-transaction\nA;\n", "alone: A;\n"},
		{"KnowsTheModeOfAtlas", "1_a.sql", "-- atlas:txmode none\n\nA;\n", "alone: -- atlas:txmode none\n\nA;\n"},
		{"TakesTheWholeOfOthers", "1_a.up.sql", "-- no transaction\nBEGIN;\nA;\nCOMMIT;\n", "-- no transaction\nBEGIN;\nA;\nCOMMIT;\n"},
		{"LeavesOutAByteOrderMark", "V1__a.sql", "\ufeffA;\n", "A;\n"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			d, err := read(t, map[string]string{c.name: c.text})
			if err != nil {
				t.Fatal(err)
			}
			got := d.Migrations[0].Text
			if d.Migrations[0].Alone {
				got = "alone: " + got
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	const goose, dbmate, sqlMigrate = "-- +goose Up\n", "-- migrate:up\n", "-- +migrate Up\n"
	for _, c := range []struct {
		claim string
		files map[string]string
		want  string // the tool, its migrations in order, and after a "-" what is left out
	}{
		{"OrdersGooseByNumber", map[string]string{"9_a.sql": goose, "10_b.sql": goose, "00002_c.go": ""}, "goose 00002_c.go 9_a.sql 10_b.sql"},
		{"FindsGooseWithoutSQL", map[string]string{"1_a.go": "goose.AddMigrationNoTxContext(up, nil)", "1_a_test.go": "", "embed.go": ""}, "goose 1_a.go"},
		{"LeavesOutWhatHasNoNumber", map[string]string{"1_a.sql": goose, "seed.sql": "", "x/y.sql": ""}, "goose 1_a.sql - seed.sql x/y.sql"},
		{"OrdersDbmateByText", map[string]string{"9_a.sql": dbmate, "10_b.sql": dbmate}, "dbmate 10_b.sql 9_a.sql"},
		{"OrdersSqlMigrateWithoutNumberLast", map[string]string{"z.sql": sqlMigrate, "a.sql": sqlMigrate, "10.sql": sqlMigrate, "9.sql": sqlMigrate}, "sql-migrate 9.sql 10.sql a.sql z.sql"},
		{"TakesNothingThatGoesDown", map[string]string{"1_a.up.sql": "", "1_a.down.sql": "", "2_b.down.sql": "", "README.md": ""}, "golang-migrate 1_a.up.sql"},
		{"TakesNumbersThatNoIntegerHolds", map[string]string{"99999999999999999999_a.up.sql": "", "100000000000000000000_b.up.sql": ""}, "golang-migrate 99999999999999999999_a.up.sql 100000000000000000000_b.up.sql"},
		{"OrdersDieselByText", map[string]string{"2024-03-13_1_b/up.sql": "", "2024-03-06-170000_a/up.sql": "", "2024-06-05-131359_c/up.sql": "", "2024-06-05-131359_c/down.sql": ""},
			"diesel 2024-03-06-170000_a/up.sql 2024-03-13_1_b/up.sql 2024-06-05-131359_c/up.sql"},
		{"OrdersPrismaByText", map[string]string{"0_init/migration.sql": "", "20240101000000_b/migration.sql": "", "migration_lock.toml": ""}, "prisma 0_init/migration.sql 20240101000000_b/migration.sql"},
		{"OrdersRefineryByNumber", map[string]string{"V10__c.sql": "", "V2__b.rs": "", "U1__a.sql": "", "mod.rs": ""}, "refinery U1__a.sql V2__b.rs V10__c.sql"},
		{"OrdersDrizzleByItsJournal", map[string]string{"meta/_journal.json": `{"entries": [{"when": 2, "tag": "0001_b"}, {"when": 1, "tag": "0000_a"}]}`,
			"meta/0000_snapshot.json": "{}", "0000_a.sql": "", "0001_b.sql": "", "0002_c.sql": ""}, "drizzle 0001_b.sql 0000_a.sql - 0002_c.sql"},
		{"OrdersDrizzleByText", map[string]string{"20230331135521_test/migration.sql": "", "20230331135521_test/snapshot.json": "{}", "20230331135521_carnage/migration.sql": ""},
			"drizzle 20230331135521_carnage/migration.sql 20230331135521_test/migration.sql"},
		{"FindsRefineryInFolders", map[string]string{"2/V10__c.sql": "", "V2__b.sql": ""}, "refinery V2__b.sql 2/V10__c.sql"},
		{"KnowsAtlasByItsSums", map[string]string{"20240101000000_a.sql": "", "20240102000000.sql": "", "atlas.sum": ""}, "atlas 20240101000000_a.sql 20240102000000.sql"},
		{"TakesSqlxWithTimesForSqlx", map[string]string{"20240101000000_a.sql": "", "20240102000000_b.sql": ""}, "sqlx 20240101000000_a.sql 20240102000000_b.sql"},
		{"TakesFourDigitsForWrangler", map[string]string{"0001_a.sql": "", "0010_b.sql": ""}, "d1 0001_a.sql 0010_b.sql"},
		{"TakesAHyphenForFastmigrate", map[string]string{"0001-a.sql": "", "0003-b.py": "", "config.py": ""}, "fastmigrate 0001-a.sql 0003-b.py"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			d, err := read(t, c.files)
			if err != nil {
				t.Fatal(err)
			}
			words := []string{d.Tool.Name}
			for _, m := range d.Migrations {
				words = append(words, m.Path)
			}
			if len(d.LeftOut) > 0 {
				words = append(append(words, "-"), d.LeftOut...)
			}
			if got := strings.Join(words, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

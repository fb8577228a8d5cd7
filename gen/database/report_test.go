package database_test

import (
	"slices"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/gen/database"
)

func TestReport(t *testing.T) {
	path := account(t, "delete")
	runOn(t, path, "DROP TABLE ballast", "CREATE TABLE large AS SELECT zeroblob(9000000)", "VACUUM") // three steps of a copy
	var got []string
	report := func(doing string) { got = append(got, doing) }

	db, err := database.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.Report = report
	backup := path + ".copy"
	if _, err := db.Backup(t.Context(), backup, false, time.Minute); err != nil {
		t.Fatal(err)
	}
	copying := func(file string) []string {
		return []string{"copying " + file, "copying " + file + ": 46%", "copying " + file + ": 92%", "copying " + file + ": 100%", "checking the copy of " + file}
	}
	want := copying(path)
	if !slices.Equal(got, want) {
		t.Errorf("a backup reports %q, want %q", got, want)
	}

	got = nil
	if _, err := database.Restore(t.Context(), database.Restoration{DB: path, Backup: backup, Timeout: time.Minute, Report: report}); err != nil {
		t.Fatal(err)
	}
	want = append(copying(backup), "waiting for "+path)
	want = append(append(want, copying(path)...), "replacing the content of "+path)
	if !slices.Equal(got, want) {
		t.Errorf("a restoration reports %q, want %q", got, want)
	}
}

package main

import "testing"

func TestRun(t *testing.T) {
	for _, test := range []struct {
		claim string
		args  []string
		want  string
	}{
		{"RefusesAnUnknownArgument", []string{"--addr", "nowhere", "my.db", "--db", "other.db"}, "my.db: unexpected argument; for a database, use --db FILE"},
		{"ShowsNoDemoOnADatabaseInUse", []string{"-demo", "-db", "my.db"}, "my.db: --demo has databases of its own; leave out --db"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if err := run(t.Context(), test.args); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
